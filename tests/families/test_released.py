"""families/*.py against the config.json and the size of released models."""
import copy

import pytest

from minichat import families
from minichat.errors import Unsupported

from .released import RELEASED

CONFIGS = {name: config for name, config, _ in RELEASED}


def architecture(name, **changes):
    config = copy.deepcopy(CONFIGS[name]) | changes
    return families.family(config["model_type"]).architecture(config)


def test_every_family_is_here():
    assert families.names() == sorted({config["model_type"] for config in CONFIGS.values()})


@pytest.mark.parametrize("name, config, n_params", RELEASED, ids=CONFIGS)
def test_counts_the_parameters(name, config, n_params):
    assert architecture(name).n_params == n_params


@pytest.mark.parametrize("name", CONFIGS)
def test_reading_leaves_the_config_as_it_was(name):
    config = copy.deepcopy(CONFIGS[name])
    families.family(config["model_type"]).architecture(config)
    assert config == CONFIGS[name]


def test_gemma3_has_a_full_layer_in_six():
    windows = [layer.mixer.window for layer in architecture("gemma-3-1b-it").layers]
    assert [i for i, window in enumerate(windows) if window is None] == [5, 11, 17, 23]
    assert {window for window in windows if window} == {512}


def test_gemma3_scales_the_rope_of_full_layers_only():
    sliding, full = (architecture("gemma-3-4b-it").layers[i].mixer.rope for i in (0, 5))
    assert sliding.inv_freq[:1] == (1.0,) and full.inv_freq[:1] == (0.125,)
    assert sliding.inv_freq[64] == pytest.approx(1e-2, rel=1e-6)
    assert full.inv_freq[64] == pytest.approx(1e-3 / 8, rel=1e-6)


def test_gemma2_starts_with_a_window():
    assert [layer.mixer.window for layer in architecture("gemma-2-2b").layers[:2]] == [4096, None]


def test_smollm3_has_no_positions_in_a_fourth_of_its_layers():
    ropes = [layer.mixer.rope for layer in architecture("SmolLM3-3B").layers]
    assert [i for i, rope in enumerate(ropes) if rope is None] == list(range(3, 36, 4))


def test_qwen_uses_windows_only_where_asked_to():
    changes = {"sliding_window": 1024, "max_window_layers": 26}
    assert all(layer.mixer.window is None for layer in architecture("Qwen3-0.6B", **changes).layers)
    layers = architecture("Qwen3-0.6B", **changes, use_sliding_window=True).layers
    assert [layer.mixer.window for layer in layers] == [None] * 26 + [1024] * 2


def test_phi4_rotates_three_quarters_and_changes_beyond_the_original_length():
    rope = architecture("Phi-4-mini-instruct").layers[0].mixer.rope
    assert len(rope.inv_freq) == 48 and rope.long_after == 4096
    assert rope.long.inv_freq[0] == pytest.approx(1 / 1.5) and rope.inv_freq[0] == 1.0


@pytest.mark.parametrize("model_type, prefix", [
    ("llama", ""), ("llama", "model."), ("gpt2", ""), ("gpt2", "transformer."),
    *[("gemma3", prefix) for prefix in ("language_model.model.", "model.language_model.",
                                        "language_model.", "model.", "")]])
def test_finds_tensors_by_the_names_that_savers_gave_them(model_type, prefix):
    family = families.family(model_type)
    name = family.tensors["embed"].names[0]
    there = prefix + name.removeprefix(family.prefixes[0])
    assert family.find(name, {there}) == there
    assert family.find(name, {"vision_tower." + there}) is None


def test_the_head_of_a_nested_model_is_beside_it():
    assert families.family("gemma3").find("lm_head.weight", {"language_model.lm_head.weight"})


def test_unknown_model_type_names_the_known_ones():
    with pytest.raises(Unsupported, match="model_type: 'rwkv7'; .*gpt2, granite, llama"):
        families.family("rwkv7")
