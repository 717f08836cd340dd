"""minichat/checkpoint.py: folders as the Hub lays them out, and folders as malice does."""
import json
import os
import shutil

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load_file, save_file

from minichat.checkpoint import Checkpoint
from minichat.errors import MinichatError, ModelError, ModelNotFound, NativeError
from tests import random_model


@pytest.fixture(scope="module")
def pristine(tmp_path_factory):
    return random_model.write(tmp_path_factory.mktemp("model"), random_model.TINY)


@pytest.fixture
def folder(pristine, tmp_path):
    return shutil.copytree(pristine, tmp_path / "model")


def refuses(folder, error, *words):
    """Opening must raise error, with a message that holds words."""
    with pytest.raises(error) as caught:
        Checkpoint.open(folder)
    for word in words:
        assert word in str(caught.value)


def test_reads_all_that_the_hub_puts_into_a_folder(folder):
    found = Checkpoint.open(folder)

    assert found.config == random_model.TINY and found.model_type == "llama"
    assert found.generation_config["eos_token_id"] == 1
    assert found.tokenizer_config["bos_token"] == "<s>"
    assert found.tokenizer_json == folder / "tokenizer.json"
    assert found.chat_template == random_model.TEMPLATE
    assert found.tensors["model.norm.weight"].shape == (96,)


@pytest.mark.parametrize("dtype", random_model.DTYPES.values())
def test_tensors_are_what_was_saved(folder, dtype):
    rng = np.random.default_rng(0)
    saved = {"a": rng.standard_normal((3, 5)).astype(dtype), "b": np.zeros((0, 4), dtype),
             "c": rng.standard_normal(9).astype(dtype)}
    save_file(saved, folder / "model.safetensors")

    tensors = Checkpoint.open(folder).tensors

    assert tensors.keys() == saved.keys()
    for name, array in saved.items():
        found = tensors[name].array()
        assert found.dtype == dtype and np.array_equal(found, array)
        assert not found.flags.writeable
    tensors["a"].drop()
    assert np.array_equal(tensors["a"].array(), saved["a"])


def test_a_tensor_at_an_odd_address_is_aligned(folder):
    values = np.arange(6, dtype=np.float32)
    header = json.dumps({"pad": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                         "w": {"dtype": "F32", "shape": [6], "data_offsets": [1, 25]}}).encode()
    (folder / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + b"\0" + values.tobytes())

    found = Checkpoint.open(folder).tensors["w"].array()

    assert found.flags.aligned and np.array_equal(found, values)


def test_shards_are_one_checkpoint(tmp_path, pristine):
    folder = random_model.write(tmp_path / "m", random_model.TINY, shards=3)
    one, many = Checkpoint.open(pristine).tensors, Checkpoint.open(folder).tensors

    assert one.keys() == many.keys()
    assert all(np.array_equal(one[name].array(), many[name].array()) for name in one)


def test_what_is_optional_may_be_missing(folder):
    (folder / "generation_config.json").unlink()
    (folder / "tokenizer_config.json").unlink()

    found = Checkpoint.open(folder)

    assert (found.generation_config, found.tokenizer_config, found.chat_template) == ({}, {}, None)


TEMPLATES = [
    ({}, "from config", "from config"),
    ({}, [{"name": "default", "template": "d"}], "d"),
    ({}, [{"name": "default", "template": "d"}, {"name": "rag", "template": "r"}],
     {"default": "d", "rag": "r"}),
    ({"chat_template.jinja": "file"}, "from config", "file"),
    ({"chat_template.json": '{"chat_template": "json"}'}, "from config", "json"),
    ({"chat_template.jinja": "file", "additional_chat_templates/rag.jinja": "r"}, None,
     {"default": "file", "rag": "r"}),
    ({"additional_chat_templates/rag.jinja": "r"}, "d", {"default": "d", "rag": "r"}),
    ({}, None, None),
]


@pytest.mark.parametrize("files, in_config, want", TEMPLATES)
def test_finds_the_chat_template(folder, files, in_config, want):
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": in_config}))
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)

    assert Checkpoint.open(folder).chat_template == want


@pytest.mark.parametrize("template", [7, ["x"], [{"name": "a"}], {"default": 3}, True])
def test_refuses_a_template_of_a_wrong_type(folder, template):
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    refuses(folder, ModelError, "tokenizer_config.json", "chat_template")


def test_there_is_no_model(tmp_path, folder):
    refuses(tmp_path / "none", ModelNotFound, "none", "no such folder")
    refuses(folder / "config.json", ModelNotFound, "give the folder")
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty", ModelNotFound, "no config.json")
    with pytest.raises(FileNotFoundError):
        Checkpoint.open(tmp_path / "none")


@pytest.mark.parametrize("name, words", [
    ("tokenizer.json", ["tokenizer.json", "missing"]),
    ("model.safetensors", ["no model.safetensors"])])
def test_a_file_is_missing(folder, name, words):
    (folder / name).unlink()
    refuses(folder, ModelError, *words)


@pytest.mark.parametrize("name, word", [
    ("pytorch_model.bin", "pickle"), ("consolidated.00.pth", "pickle"), ("model.gguf", "gguf")])
def test_says_what_to_do_about_other_formats(folder, name, word):
    (folder / "model.safetensors").rename(folder / name)
    refuses(folder, ModelError, name, word)
    if word == "pickle":
        refuses(folder, ModelError, "save_pretrained")


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json"])
@pytest.mark.parametrize("content, word", [
    (b"", "JSON"), (b"{", "JSON"), (b"[1, 2]", "object"), (b"null", "object"), (b"{}x", "JSON"),
    (b'{"a": "\xff"}', "UTF-8"), (b'{"a": ' * 200_000, "deep"), (b"[" * 200_000, "deep"),
    (b'{"a": ' + b"9" * 5000 + b"}", "JSON")])
def test_json_is_broken(folder, name, content, word):
    (folder / name).write_bytes(content)
    refuses(folder, ModelError, name, word)


def test_config_says_no_family(folder):
    for model_type in (None, 7, ["llama"]):
        (folder / "config.json").write_text(json.dumps({"model_type": model_type}))
        with pytest.raises(ModelError, match="config.json: model_type"):
            _ = Checkpoint.open(folder).model_type


@pytest.mark.parametrize("weight_map, word", [
    (None, "weight_map"), ([], "weight_map"), ({}, "weight_map"), ({"w": 7}, "weight_map.w"),
    ({"w": "../model.safetensors"}, "weight_map.w"), ({"w": "/etc/passwd"}, "weight_map.w"),
    ({"w": ""}, "weight_map.w"), ({"w": ".."}, "weight_map.w"), ({"w": "a\0b"}, "weight_map.w"),
    ({"w": "gone.safetensors"}, "gone.safetensors: missing"),
    ({"other": "part.safetensors"}, "no tensor other")])
def test_the_index_is_wrong(folder, weight_map, word):
    (folder / "model.safetensors").rename(folder / "part.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    refuses(folder, ModelError, word)


def test_the_index_says_which_of_two_tensors_of_a_name(tmp_path):
    folder = random_model.write(tmp_path, random_model.TINY, shards=2)
    first, second = sorted(folder.glob("*.safetensors"))
    name = min(load_file(first))
    save_file(load_file(second) | {name: np.zeros(7, np.float32), "unlisted": np.ones(3)}, second)

    tensors = Checkpoint.open(folder).tensors

    assert np.array_equal(tensors[name].array(), load_file(first)[name])
    assert "unlisted" in tensors


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_a_pipe_or_a_folder_is_no_file(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)
    refuses(folder, ModelError, name)
    (folder / name).unlink()
    (folder / name).mkdir()
    refuses(folder, MinichatError, name)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(folder):
    (folder / "config.json").chmod(0)
    refuses(folder, NativeError, "config.json")


def with_header(folder, header, data=b"", n=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    n = len(text) if n is None else n
    (folder / "model.safetensors").write_bytes(n.to_bytes(8, "little") + text + data)


def entry(start, end, shape=None, dtype="U8"):
    return {"dtype": dtype, "shape": [end - start] if shape is None else shape,
            "data_offsets": [start, end]}


@pytest.mark.parametrize("header, data", [
    ({"a": entry(0, 8), "b": entry(4, 12)}, 12),                # overlap
    ({"a": entry(0, 8), "b": entry(0, 8)}, 8),
    ({"a": entry(0, 8), "b": entry(9, 12)}, 12),                # a hole
    ({"a": entry(0, 8)}, 7),                                    # past the end
    ({"a": entry(0, 8)}, 9),                                    # bytes left over
    ({"a": entry(8, 0, [8])}, 8),                               # end before start
    ({"a": entry(0, 8, [9])}, 8),                               # shape does not fit
    ({"a": entry(0, 8, [1 << 63, 2])}, 8),                      # a product that wraps
    ({"a": entry(0, 8, [1 << 32, 1 << 32, 8])}, 8),
    ({"a": entry(0, 8, [-8])}, 8),
    ({"a": entry(0, 8, dtype="F1024")}, 8),
    ({"a": entry(1 << 64, (1 << 64) + 8, [8])}, 8),
    ({"a": {"dtype": "U8", "shape": [8], "data_offsets": [0]}}, 8),
    ({"a": {"shape": [8]}}, 8),
    ({"a": 7}, 8),
    ([], 8),
])
def test_offsets_and_shapes_are_hostile(folder, header, data):
    with_header(folder, header, bytes(data))
    refuses(folder, ModelError, "model.safetensors")


@pytest.mark.parametrize("n", [1, 1 << 20, 100_000_001, 1 << 40, (1 << 63) - 1, (1 << 64) - 1])
def test_the_size_of_the_header_is_absurd(folder, n):
    with_header(folder, {"a": entry(0, 8)}, bytes(8), n)
    refuses(folder, ModelError, "model.safetensors")


def test_a_header_that_nests_deeply(folder):
    with_header(folder, b'{"a":' * 100_000)
    refuses(folder, ModelError, "model.safetensors")


def test_every_prefix_of_a_file_is_refused(folder):
    path = folder / "model.safetensors"
    save_file({"a": np.ones(3, np.float32), "b": np.ones((2, 2), np.float16)}, path)
    whole = path.read_bytes()
    for end in range(len(whole)):
        path.write_bytes(whole[:end])
        refuses(folder, ModelError, "model.safetensors", "download it again")


def test_a_pointer_of_git_lfs_says_so(folder):
    (folder / "model.safetensors").write_text("version https://git-lfs.github.com/spec/v1\n")
    refuses(folder, ModelError, "Git LFS")


@settings(max_examples=300, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_crashes(folder, data):
    """Whatever bytes of a file say: an error of ours, or arrays that can be read to the end."""
    path = folder / "model.safetensors"
    save_file({"a": np.ones(3, np.float32), "b": np.ones((2, 2), ml_dtypes.bfloat16)}, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        tensors = Checkpoint.open(folder).tensors
        for tensor in tensors.values():
            tensor.array().tobytes()
    except MinichatError as e:
        assert "model.safetensors" in str(e)


def test_a_file_that_changes_before_it_is_mapped(folder):
    found = Checkpoint.open(folder)
    save_file({"model.norm.weight": np.ones(96, np.float32)}, folder / "model.safetensors")
    with pytest.raises(ModelError, match="changed while"):
        found.tensors["model.norm.weight"].array()
