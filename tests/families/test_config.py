"""families/config.py: a config.json is checked, in words that say what to change."""
import copy
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from minichat import families
from minichat.errors import ModelError, Unsupported
from minichat.families.config import Keys
from minichat.families.spec import Architecture

from .golden import CONFIGS

LLAMA3 = CONFIGS["llama"]["rope_scaling"]


def architecture(name, changes, drop=()):
    config = copy.deepcopy(CONFIGS[name]) | changes
    for key in drop:
        del config[key]
    return families.family(name).architecture(config)


IMPOSSIBLE = [
    ("llama", {"hidden_size": 0}, "hidden_size: 0; an integer from 1 to 1073741824"),
    ("llama", {"hidden_size": -64}, "hidden_size: -64; an integer"),
    ("llama", {"hidden_size": 2**31}, "hidden_size: 2147483648; an integer"),
    ("llama", {"hidden_size": 64.0}, "hidden_size: 64.0; an integer"),
    ("llama", {"hidden_size": True}, "hidden_size: True; an integer"),
    ("llama", {"vocab_size": "96"}, "vocab_size: '96'; an integer"),
    ("llama", {"vocab_size": None}, "vocab_size: None; an integer"),
    ("llama", {"num_hidden_layers": 10**9}, "num_hidden_layers: 1000000000; an integer"),
    ("llama", {"num_key_value_heads": 3},
     "num_key_value_heads: 3; a divisor of num_attention_heads, which is 4"),
    ("llama", {"num_attention_heads": 3, "num_key_value_heads": 1},
     "hidden_size: 64; a multiple of num_attention_heads, which is 3"),
    ("llama", {"head_dim": 5}, "head_dim: 5; an even number"),
    ("llama", {"rms_norm_eps": float("nan")}, "rms_norm_eps: nan; a number above 0"),
    ("llama", {"rms_norm_eps": {"__float__": "Infinity"}}, "rms_norm_eps: {"),
    ("llama", {"rms_norm_eps": 10**400}, "rms_norm_eps: 1000"),
    ("llama", {"rope_theta": 1.0}, "rope_scaling.rope_theta: 1.0; a number above 1"),
    ("llama", {"rope_scaling": "yarn"}, "rope_scaling: 'yarn'; an object"),
    ("llama", {"rope_scaling": LLAMA3 | {"factor": 0}}, "rope_scaling.factor: 0; a number above 0"),
    ("llama", {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0}},
     "rope_scaling.high_freq_factor: missing; a number above 0"),
    ("llama", {"rope_scaling": LLAMA3 | {"low_freq_factor": 4.0}},
     "rope_scaling.high_freq_factor: 4.0; a number above low_freq_factor, which is 4"),
    ("llama", {"rope_scaling": {"type": "linear", "factor": 2.0**-140}, "rope_theta": 1e9},
     "rope_scaling.rope_theta: 1000000000.0; with its scaling, one whose frequencies are finite"),
    ("llama", {"tie_word_embeddings": 1}, "tie_word_embeddings: 1; true or false"),
    ("llama", {"hidden_act": ["silu"]}, "hidden_act: ['silu']; one of silu, "),
    ("llama", {"architectures": 1}, "architectures: 1; a list of names"),
    ("mistral", {"sliding_window": 0}, "sliding_window: 0; an integer from 1"),
    ("qwen3", {"layer_types": ["full_attention"]}, "layer_types: ['full_attention']; a list of 2"),
    ("qwen3", {"use_sliding_window": False}, "sliding_window: None; an integer from 1"),
    ("smollm3", {"no_rope_layers": [1]}, "no_rope_layers: [1]; a list of 2 times 1"),
    ("smollm3", {"no_rope_layers": [1, "0"]}, "no_rope_layers: [1, '0']; a list"),
    ("phi3", {"partial_rotary_factor": 0.0}, "rope_scaling.partial_rotary_factor: 0.0; a number"),
    ("phi3", {"partial_rotary_factor": 1.5},
     "rope_scaling.partial_rotary_factor: 1.5; a part of head_dim, which is 16"),
    ("phi3", {"partial_rotary_factor": 0.5},
     "rope_scaling.short_factor: [1.0, 1.1, 1.2, 1.4, 1.7, 2.0]; a list of 4 positive numbers"),
    ("gemma2", {"query_pre_attn_scalar": -1}, "query_pre_attn_scalar: -1; a number above 0"),
    ("gemma3", {"text_config": {"head_dim": 0}}, "text_config.head_dim: 0; an integer"),
    ("gemma3", {"text_config": None}, "text_config: None; an object"),
    ("gemma3_text", {"sliding_window_pattern": 0}, "sliding_window_pattern: 0; an integer from 1"),
    ("granite", {"logits_scaling": 0}, "logits_scaling: 0; a number above 0"),
    ("gpt2", {"n_head": 5}, "n_embd: 48; a multiple of n_head, which is 5"),
    ("gpt2", {"n_inner": 0}, "n_inner: 0; an integer from 1"),
]


@pytest.mark.parametrize("name, changes, message", IMPOSSIBLE)
def test_names_what_is_impossible(name, changes, message):
    with pytest.raises(ModelError, match=re.escape(f"config.json: {message}")):
        architecture(name, changes)


UNSUPPORTED = [
    ("llama", {"hidden_act": "gelu"}, "hidden_act: 'gelu'; minichat runs silu, "),
    ("llama", {"rope_scaling": {"rope_type": "proportional"}},
     "rope_scaling.rope_type: 'proportional'; minichat runs default, linear, "),
    ("llama", {"rope_scaling": LLAMA3 | {"mrope_section": [2, 3, 3]}},
     "rope_scaling.mrope_section: [2, 3, 3]; minichat knows attention_factor, "),
    ("llama", {"partial_rotary_factor": 0.5},
     "rope_scaling.partial_rotary_factor: 0.5; minichat runs 1 in this family"),
    ("llama", {"quantization_config": {"quant_method": "awq"}},
     "quantization_config: {'quant_method': 'awq'}; minichat runs models without it"),
    ("llama", {"architectures": ["LlamaForReward"]},
     "architectures: ['LlamaForReward']; one that ends in ForCausalLM or "),
    ("mistral", {"layer_types": ["full_attention", "sliding_attention"]}, "layer_types: ['full_"),
    ("qwen3", {"layer_types": ["linear_attention", "full_attention"]},
     "layer_types[0]: 'linear_attention'; minichat runs full_attention, sliding_attention"),
    ("phi3", {"rope_scaling": LLAMA3}, "rope_scaling.rope_type: 'llama3'; minichat runs default, "),
    ("gemma2", {"use_bidirectional_attention": True}, "use_bidirectional_attention: True; "),
    ("gpt2", {"add_cross_attention": True}, "add_cross_attention: True; "),
]


@pytest.mark.parametrize("name, changes, message", UNSUPPORTED)
def test_names_what_is_not_supported(name, changes, message):
    with pytest.raises(Unsupported, match=re.escape(f"config.json: {message}")):
        architecture(name, changes)


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "num_hidden_layers"])
def test_names_what_is_missing(key):
    with pytest.raises(ModelError, match=f"config.json: {key}: missing; an integer"):
        architecture("llama", {}, drop=[key])


def test_infinity_in_strict_json_is_a_float():
    assert Keys({"a": {"__float__": "2.5"}}, {}).number("a") == 2.5


@pytest.mark.parametrize("name, changes, same", [
    ("mistral", {"rope_parameters": None, "rope_theta": 1e4}, {}),
    ("qwen2", {"rope_scaling": None, "rope_parameters": CONFIGS["qwen2"]["rope_scaling"]}, {}),
    ("qwen2", {"layer_types": ["full_attention", "sliding_attention"]}, {}),
    ("smollm3", {"no_rope_layers": None, "no_rope_layer_interval": 2}, {}),
    ("smollm3", {"layer_types": ["full_attention", "sliding_attention"]}, {}),
    ("gemma3_text", {"layer_types": ["sliding_attention", "full_attention"]}, {}),
    ("gemma3_text", {"rope_scaling": None, "rope_parameters": {
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
        "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6}}}, {}),
    ("gpt2", {"n_inner": 192}, {}),
    ("gpt2", {"activation_function": "gelu_pytorch_tanh"}, {}),
    ("llama", {"hidden_act": "swish", "torch_dtype": "bfloat16"}, {}),
    ("phi3", {"rope_scaling": CONFIGS["phi3"]["rope_scaling"] | {"type": "su"}}, {}),
])
def test_two_generations_of_config_say_the_same(name, changes, same):
    assert architecture(name, changes) == architecture(name, same)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner,
                                                                max_size=4), max_leaves=8)


@given(st.data())
def test_whatever_a_key_holds_it_is_read_or_refused(data):
    name = data.draw(st.sampled_from(sorted(CONFIGS)))
    config = copy.deepcopy(CONFIGS[name])
    inside = config.get("text_config", config)
    key = data.draw(st.sampled_from(sorted(inside)))
    at = inside[key] if isinstance(inside[key], dict) and data.draw(st.booleans()) else inside
    at[data.draw(st.sampled_from(sorted(at)))] = data.draw(ANYTHING)
    try:
        found = families.family(name).architecture(config)
    except (ModelError, Unsupported) as error:
        assert str(error).startswith("config.json: ")
    else:
        assert isinstance(found, Architecture) and found.n_params > 0
