"""minichat/weights.py: a checkpoint becomes the tensors that the engine reads."""
import json
import re
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from minichat import _native, families, weights
from minichat.checkpoint import Checkpoint
from minichat.errors import ModelError, NativeError, OutOfMemory, RequestError, Unsupported
from minichat.families.spec import shapes
from tests import packer, random_model
from tests.conftest import real_models
from tests.process import python

CONFIGS = {"llama": random_model.TINY,
           "tied": random_model.TINY | {"tie_word_embeddings": True},
           "gpt2": random_model.TINY_GPT2,
           "gemma2": random_model.TINY | {
               "model_type": "gemma2", "hidden_activation": "gelu_pytorch_tanh",
               "sliding_window": 16, "query_pre_attn_scalar": 24}}


def load(folder, quantization="q8", **options):
    checkpoint = Checkpoint.open(folder)
    family = families.family(checkpoint.model_type)
    architecture = family.architecture(checkpoint.config)
    return weights.load(checkpoint, family, architecture, quantization, **options)


def change(folder, name, values):
    """Replaces a tensor of a checkpoint; None removes it."""
    tensors = load_file(folder / "model.safetensors")
    tensors.pop(name, None)
    if values is not None:
        tensors[name] = values
    save_file(tensors, folder / "model.safetensors")


@pytest.fixture
def folder(tmp_path):
    return random_model.write(tmp_path / "model", random_model.TINY)


def wanted(folder):
    """The engine's tensors in float32, put together without weights.py."""
    source = {}
    for file in folder.glob("*.safetensors"):
        source |= {name: array.astype(np.float32) for name, array in load_file(file).items()}
    config = json.loads((folder / "config.json").read_text())
    family = families.family(config["model_type"])
    found = {}
    for name in shapes(family.architecture(config)):
        layer = re.search(r"\d+", name)
        rule = family.tensors[re.sub(r"\.\d+\.", ".{i}.", name)]
        theirs = [family.find(n.replace("{i}", layer[0]) if layer else n, source)
                  for n in rule.names]
        stacked = np.concatenate([source[n].T if rule.transposed else source[n] for n in theirs])
        found[name] = stacked + np.float32(rule.offset)
    return found


def check(found, folder, quantization):
    """Every tensor is there, aligned, and what the second packer makes of the checkpoint."""
    expected = wanted(folder)
    tied = "head" not in expected
    assert found.keys() == expected.keys()
    for name, want in expected.items():
        tensor = found[name]
        assert tensor.shape == want.shape and tensor.data.ctypes.data % 64 == 0
        if name.rpartition(".")[2] not in weights.MATRICES:
            assert tensor.format == "vector" and np.array_equal(tensor.data, want)
            continue
        format = "q8" if name == "embed" and quantization == "q4" and not tied else quantization
        assert tensor.format == format
        assert np.array_equal(tensor.data, packer.pack(want, format)), name


@pytest.mark.parametrize("quantization", weights.QUANTIZATIONS)
@pytest.mark.parametrize("name", CONFIGS)
def test_every_tensor_is_packed_from_its_sources(tmp_path, name, quantization):
    folder = random_model.write(tmp_path, CONFIGS[name], shards=2)

    for cache_dir in (tmp_path / "cache", ""):
        check(load(folder, quantization, cache_dir=cache_dir), folder, quantization)


@pytest.mark.parametrize("dtype", random_model.DTYPES)
def test_sources_of_every_dtype(tmp_path, dtype):
    folder = random_model.write(tmp_path, random_model.TINY, dtype=dtype)
    check(load(folder, "q4"), folder, "q4")


@pytest.mark.parametrize("name", families.names())
def test_every_family_finds_its_tensors(tmp_path, name):
    golden = Path(__file__).parent / "families/golden" / name
    for file in ("config.json", "model.safetensors"):
        (tmp_path / file).write_bytes((golden / file).read_bytes())
    random_model.write_tokenizer(tmp_path, 258)
    check(load(tmp_path, "f32"), tmp_path, "f32")


@pytest.mark.parametrize("quantization", weights.QUANTIZATIONS)
@pytest.mark.parametrize("name", ["tiny1m", "craftgpt", "stories260K"])
def test_real_models(name, quantization):
    folder = real_models() / name
    check(load(folder, quantization), folder, quantization)


def test_threads_do_not_change_a_bit(folder, monkeypatch):
    monkeypatch.setattr(weights, "CHUNK_WEIGHTS", 3000)
    one = load(folder, "q4", cache_dir="", threads=1)
    many = load(folder, "q4", cache_dir="", threads=5)
    assert all(np.array_equal(one[name].data, many[name].data) for name in one)


def test_progress_reaches_the_bytes_of_the_sources(folder, monkeypatch):
    monkeypatch.setattr(weights, "CHUNK_WEIGHTS", 3000)
    calls = []
    load(folder, progress=lambda *call: calls.append(call))

    total = sum(tensor.n_bytes for tensor in Checkpoint.open(folder).tensors.values())
    assert {(stage, of) for stage, _, of in calls} == {("packing", total)}
    done = [done for _, done, _ in calls]
    assert done == sorted(done) and done[-1] == total and len(done) > 40


def test_progress_may_end_it(folder, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        load(folder, progress=stop, cache_dir=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_unknown_quantization(folder):
    with pytest.raises(RequestError, match="quantization: 'q5'; known are q4, q8, bf16, f32"):
        load(folder, "q5")


NORM, DOWN = "model.norm.weight", "model.layers.1.mlp.down_proj.weight"
K = "model.layers.0.self_attn.k_proj.weight"


@pytest.mark.parametrize("name, values, words", [
    (NORM, None, ["no tensor model.norm.weight"]),
    (NORM, np.ones(95, np.float32), ["model.norm.weight [95]", "[96]"]),
    (NORM, np.ones((96, 1), np.float32), ["model.norm.weight", "[96, 1]"]),
    (DOWN, np.ones((160, 96), np.float32), ["1.mlp.down_proj.weight [160, 96]", "[96, 160]"]),
    (K, np.ones((32, 95), np.float32), ["k_proj.weight [32, 95]", "[160, 96]"]),
    (K, np.ones((33, 96), np.float32), ["k_proj.weight [33, 96]", "[160, 96]"]),
    (DOWN, np.ones((96, 160), np.float64), ["down_proj.weight: dtype F64", "F32, F16, BF16"]),
    (NORM, np.ones(96, np.int8), ["model.norm.weight: dtype I8"]),
    (NORM, np.full(96, np.nan, np.float32), ["model.norm.weight: a weight is inf or NaN"]),
    (DOWN, np.full((96, 160), np.inf, np.float16), ["layers.1.mlp.down_proj.weight: row 0"]),
])
def test_tensors_that_do_not_fit_are_named(folder, name, values, words):
    change(folder, name, values)
    with pytest.raises(ModelError) as caught:
        load(folder)
    for word in [str(folder), *words]:
        assert word in str(caught.value)


def test_a_tensor_that_nothing_reads_is_not_ignored(folder):
    change(folder, "model.layers.0.self_attn.q_proj.bias", np.ones(96, np.float32))
    with pytest.raises(Unsupported, match="q_proj.bias"):
        load(folder)


def test_a_tied_model_may_bring_its_head(tmp_path):
    folder = random_model.write(tmp_path, CONFIGS["tied"])
    change(folder, "lm_head.weight", np.ones((272, 96), np.float32))
    assert "head" not in load(folder)


def test_weights_that_are_quantized_already(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"quantization_config": {"bits": 4}}))
    with pytest.raises(Unsupported, match="quantization_config"):
        load(folder)


def test_too_little_memory_is_found_before_the_work(folder, tmp_path):
    needed = load(folder, cache_dir="").n_bytes
    with pytest.raises(OutOfMemory, match=f"{needed} bytes of memory are needed .* {needed - 1}"):
        load(folder, available=needed - 1, cache_dir=tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
    load(folder, available=needed, cache_dir=tmp_path / "cache")


def test_where_the_cache_is(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("MINICHAT_CACHE", str(tmp_path / "a"))
    assert load(folder).path.parent == tmp_path / "a"
    assert load(folder, cache_dir=tmp_path / "b").path.parent == tmp_path / "b"
    monkeypatch.setenv("MINICHAT_CACHE", "")
    assert load(folder).path is None
    monkeypatch.delenv("MINICHAT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert load(folder).path.parent == tmp_path / "xdg/minichat"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert load(folder).path.parent == tmp_path / "home/.cache/minichat"


def test_a_cache_that_cannot_be_written_says_where_and_what_to_do(folder, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NativeError) as caught:
        load(folder, cache_dir=tmp_path / "file/cache")
    assert str(tmp_path / "file/cache") in str(caught.value)
    assert "set MINICHAT_CACHE to a folder that can be written" in str(caught.value)


MEMORY = """
import sys, threading, time
from pathlib import Path
from tests.test_weights import load

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon"))

def sample():
    global peak
    while running:
        peak = max(peak, anonymous())
        time.sleep(0.001)

load(sys.argv[1], "q8", cache_dir=sys.argv[2])      # everything imported, every pool made
peak, running, before = 0, True, anonymous()
thread = threading.Thread(target=sample)
thread.start()
found = load(sys.argv[1], "bf16", cache_dir=sys.argv[2])
running = False
thread.join()
print(peak - before, found.n_bytes)
"""


@pytest.mark.parametrize("cached", [True, False])
def test_memory_while_packing(tmp_path, cached):
    """Anonymous memory: none to speak of beside the cache, the packed weights without it."""
    sizes = {"hidden_size": 512, "intermediate_size": 8192, "vocab_size": 8192}
    folder = random_model.write(tmp_path / "model", random_model.TINY | sizes)
    largest = 8192 * 512 * 2

    command = python(MEMORY, folder, tmp_path / "cache" if cached else "")

    out = subprocess.run(command, capture_output=True, text=True, check=True)

    grown, packed = map(int, out.stdout.split())
    assert packed > 5 * largest
    assert grown < 2 * largest + (0 if cached else packed)


def test_the_sources_are_let_go(folder):
    """Reading them again gives the same bytes: what was dropped was pages, not the mapping."""
    checkpoint = Checkpoint.open(folder)
    family = families.family("llama")
    weights.load(checkpoint, family, family.architecture(checkpoint.config), "q8", cache_dir="")
    again = checkpoint.tensors["model.norm.weight"].array()
    assert np.array_equal(again, load_file(folder / "model.safetensors")["model.norm.weight"])
    assert again.dtype == ml_dtypes.bfloat16


def test_an_embedding_row_is_the_token(folder):
    found = load(folder, "bf16")["embed"]
    want = load_file(folder / "model.safetensors")["model.embed_tokens.weight"]
    row = _native.matrix_row(found.data, "bf16", *found.shape, 7)
    assert np.array_equal(row, want[7].astype(np.float32))
