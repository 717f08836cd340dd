"""catalog.py: which models can be named, and what is told of them unloaded."""
import json

import pytest

import minichat
from minichat import catalog
from minichat.errors import ModelNotFound, RequestError

from .random_model import TINY, write


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def cached(cache, name, config=TINY, revision="0123abcd"):
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs/main").write_text(revision)
    return write(folder / "snapshots" / revision, config)


def names(folders=()):
    return [entry.name for entry in catalog.entries(folders)]


def test_where_models_are_found(tmp_path, cache):
    assert names() == ["nano"] == names([tmp_path / "none"])
    snapshot = cached(cache, "org/model")
    cached(cache, "gpt2")
    for name in ("model", "org/model", "a/b/c", ".hidden"):
        (tmp_path / "here" / name).mkdir(parents=True)
        (tmp_path / "here" / name / "config.json").write_text("{}")
    assert sorted(names()) == ["gpt2", "nano", "org/model"]
    assert sorted(names([tmp_path / "here"])) == ["gpt2", "model", "nano", "org/model"]
    assert catalog.find("org/model").path == snapshot
    assert catalog.find("org/model", [tmp_path / "here"]).path == tmp_path / "here/org/model"


def test_names_are_found_in_any_case_the_same_one_first(tmp_path):
    for name in ("Model", "model"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    for given, found in (("Model", "Model"), ("model", "model"), ("MODEL", "Model"),
                         ("model:latest", "model"), (" NANO:latest ", "nano")):
        assert catalog.find(given, [tmp_path]).name == found


@pytest.mark.parametrize("name, error", [
    ("", "model is required"), ("  ", "model is required"), ("/x", "invalid model name"),
    ("../nano", "invalid model name"), ("a//b", "invalid model name"),
    ("n\u00e4no", "invalid model name"), ("x" * 5000, None), ("nano:7b", None), ("a/b/c", None)])
def test_what_is_no_name(name, error):
    with pytest.raises((RequestError, ModelNotFound)) as caught:
        catalog.find(name)
    assert caught.value.error == (error or f"model '{name}' not found")
    assert caught.value.status_code == (400 if error else 404)


def test_tags_list_what_can_chat(tmp_path, cache):
    cached(cache, "org/model", {**TINY, "torch_dtype": "bfloat16"})
    cached(cache, "org/whisper", revision="1").joinpath("config.json").write_text(
        json.dumps({"model_type": "whisper"}))
    cached(cache, "org/torn", revision="2").joinpath("config.json").write_text("{")
    nano, model = catalog.tags()
    assert (nano["name"], model["name"], model["model"]) == ("nano", "org/model", "org/model")
    assert model["size"] == (catalog.find("org/model").path / "model.safetensors").stat().st_size
    assert model["details"]["family"] == "llama" and model["details"]["format"] == "safetensors"
    assert model["details"]["quantization_level"] == "BF16"
    assert model["modified_at"].endswith("Z") and len(model["digest"]) == 64 != nano["digest"]


def test_running_models_have_the_names_that_chats_give_them(cache):
    cached(cache, "org/model", revision="4567cdef")
    with minichat.load("org/model"):
        [model] = [each for each in catalog.running(minichat.ps()) if each["name"] == "org/model"]
    assert model["model"] == "org/model"
    assert model["details"]["parameter_size"] and model["digest"] == catalog.tags()[1]["digest"]


def test_show(tmp_path):
    folder = write(tmp_path / "model", TINY)
    (folder / "generation_config.json").write_text(
        json.dumps({"temperature": 0.5, "stop_strings": ["a", "b"]}))
    shown = catalog.show(folder)
    assert [line.split() for line in shown["parameters"].splitlines()] == [
        ["temperature", "0.5"], ["stop", "a"], ["stop", "b"]]
    assert shown["capabilities"] == ["completion"] and "role" in shown["template"]
    assert catalog.show(catalog.find("nano").path)["capabilities"] == ["completion", "tools",
                                                                       "thinking"]
    named = {"default": "{{ messages }}", "tool_use": "{{ tools }}{{ enable_thinking }}"}
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": [
        {"name": name, "template": text} for name, text in named.items()]}))
    shown = catalog.show(folder)
    assert shown["capabilities"] == ["completion", "tools"]
    assert shown["template"] == named["default"]
    assert shown["model_info"]["llama.context_length"] == TINY["max_position_embeddings"]


@pytest.mark.parametrize("count, said", [
    (999, "999"), (5_771_264, "5.77M"), (134_515_008, "135M"), (12_345, "12.3K"),
    (1_235_814_400, "1.24B"), (70_553_706_496, "70.6B")])
def test_sizes_as_people_say_them(count, said):
    assert catalog.parameter_size(count) == said
