"""minichat/hub.py: a model's name becomes a folder, and nothing asks the network."""
import pytest

from minichat import hub
from minichat.errors import ModelNotFound, RequestError


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty working folder, home and Hugging Face cache."""
    for name in ("work", "home"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    for name in ("HF_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def snapshot(cache, name="org--model", revision="0123abcd", ref=None):
    folder = cache / f"models--{name}"
    (folder / "snapshots" / revision).mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text(ref or revision)
    return folder / "snapshots" / revision


def test_paths(tmp_path):
    for folder in (tmp_path / "work/model", tmp_path / "home/model", tmp_path / "work/a/b"):
        folder.mkdir(parents=True)
    there = tmp_path / "work/model"

    assert hub.resolve(str(there)) == there
    for name in ("model", "./model", "../work/model"):
        assert hub.resolve(name).resolve() == there
    assert hub.resolve("~/model") == tmp_path / "home/model"
    assert hub.resolve("a/b").resolve() == tmp_path / "work/a/b"
    assert hub.resolve(".").resolve() == tmp_path / "work"


@pytest.mark.parametrize("variable, below", [
    ("HF_HUB_CACHE", ""), ("HF_HOME", "hub"), ("XDG_CACHE_HOME", "huggingface/hub"),
    (None, "home/.cache/huggingface/hub")])
def test_the_hugging_face_cache(tmp_path, monkeypatch, variable, below):
    if variable:
        monkeypatch.setenv(variable, str(tmp_path / "cache"))
    want = snapshot((tmp_path / "cache" if variable else tmp_path) / below)
    assert hub.resolve("org/model") == want


def test_a_repository_without_an_organisation(tmp_path):
    want = snapshot(tmp_path / "home/.cache/huggingface/hub", "gpt2")
    assert hub.resolve("gpt2") == want


def test_a_folder_goes_before_the_cache(tmp_path):
    snapshot(tmp_path / "home/.cache/huggingface/hub", "gpt2")
    (tmp_path / "work/gpt2").mkdir()
    assert hub.resolve("gpt2").resolve() == tmp_path / "work/gpt2"


@pytest.mark.parametrize("name", [
    "llama3.2", "llama3.2:1b", "org/model", "/no/such/folder", "~/none", "./x", "../x", "a b",
    "~nobody-here/x", "a" * 5000, "nul\0nul"])
def test_not_found_says_where_was_looked(name):
    with pytest.raises(ModelNotFound) as caught:
        hub.resolve(name)
    assert caught.value.error == f"model '{name}' not found" and caught.value.status_code == 404
    assert str(caught.value).startswith(f"{name!r}: ") and "hf download" in str(caught.value)
    assert isinstance(caught.value, FileNotFoundError)


@pytest.mark.parametrize("name", ["", "  \n"])
def test_no_name(name):
    with pytest.raises(RequestError) as caught:
        hub.resolve(name)
    assert caught.value.error == "model is required"


@pytest.mark.parametrize("ref", ["ffff", "../../..", "..", "/", "a b", "\n"])
def test_a_cache_that_points_nowhere(tmp_path, ref):
    snapshot(tmp_path / "home/.cache/huggingface/hub", ref=ref)
    with pytest.raises(ModelNotFound, match="no complete download in .*models--org--model"):
        hub.resolve("org/model")
