"""residency.py: several models in little memory; who goes, and who does not."""
import threading

import pytest

import minichat
from minichat import api as api_module
from minichat import memory
from minichat.errors import OutOfMemory, RequestError

from .random_model import TINY, write

HELLO = [{"role": "user", "content": "hello"}]
SHORT = {"num_predict": 3}
NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    return {name: write(root / name, TINY, seed=i) for i, name in enumerate(NAMES)}


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    monkeypatch.setattr(api_module, "_residency", api_module.Residency())


@pytest.fixture(scope="module")
def whole(folders):
    """Bytes that one of the models wants: weights, a step, a cache for its 512 positions."""
    with minichat.load(folders["a"]) as model:
        native = model.engine.model
        step = native.workspace_bytes(256, 64)
        return model.size_bytes + step + int(native.page_bytes * 8 / .75) + native.page_bytes


def there():
    return sorted(model["name"] for model in minichat.ps())


def say(folder, **more):
    return minichat.chat(folder, HELLO, options=SHORT, stream=False, **more)


def test_all_stay_where_there_is_room(folders):
    for folder in folders.values():
        say(folder)
    assert there() == [*NAMES]


def test_who_would_go_soonest_makes_room(folders, whole, monkeypatch):
    monkeypatch.setenv("MINICHAT_MEMORY", str(2 * whole))
    say(folders["a"], keep_alive="20m")
    monkeypatch.setattr(api_module._residency, "_room", room_for(whole, two=True))
    say(folders["b"], keep_alive="10m")
    assert there() == ["a", "b"]
    said = say(folders["c"], keep_alive="30m")
    assert there() == ["a", "c"]
    monkeypatch.undo()
    assert said.message == say(folders["c"]).message


def room_for(whole, two):
    """Room for two of the models, as if each took no more than it wants."""
    def room(positions):
        n = sum(1 for each in api_module._residency._residents.values() if each.model)
        return memory.Room(whole * (1 + two - n), positions)
    return room


def test_one_in_use_never_goes(folders, whole, monkeypatch):
    monkeypatch.setenv("MINICHAT_MEMORY", str(whole))
    alone = say(folders["a"]).message
    stream = minichat.chat(folders["a"], HELLO, options=SHORT)
    with pytest.raises(OutOfMemory, match="bytes of memory are available"):
        say(folders["b"])
    assert there() == ["a"]
    assert "".join(chunk.message.content for chunk in stream) == alone.content
    assert say(folders["b"]).done and there() == ["b"]
    with minichat.load(folders["b"]):
        with pytest.raises(OutOfMemory):
            say(folders["c"])
    assert say(folders["c"]).done and there() == ["c"]


def test_one_for_ever_goes_last(folders, whole, monkeypatch):
    say(folders["a"], keep_alive=-1)
    monkeypatch.setattr(api_module._residency, "_room", room_for(whole, two=True))
    say(folders["b"])
    say(folders["c"])
    assert there() == ["a", "c"]


def test_a_cache_may_be_small_where_nobody_is_in_the_way(folders, whole, monkeypatch):
    with minichat.load(folders["a"]) as model:
        least = whole - int(model.engine.model.page_bytes * 7 / .75)
    monkeypatch.setattr(api_module, "_residency", api_module.Residency())
    monkeypatch.setenv("MINICHAT_MEMORY", str(least))
    assert say(folders["a"]).done and there() == ["a"]
    assert say(folders["b"]).done and there() == ["b"]


def test_memory_of_the_system_counts_what_models_may_yet_take(folders, whole, monkeypatch):
    memory_there = int(1.2 * whole)
    monkeypatch.setattr(memory, "available", lambda: memory_there)
    say(folders["a"])
    taken, most = api_module._residency._residents[folders["a"].resolve(), "q4"].model.memory()
    assert 0 < taken < most <= memory_there
    assert api_module._residency._room(1).n_bytes == memory_there - (most - taken)
    say(folders["b"])
    assert there() == ["b"]


def test_many_at_once_share_what_there_is(folders, whole, monkeypatch):
    monkeypatch.setenv("MINICHAT_MEMORY", str(whole))
    failed = []

    def run(name):
        for _ in range(4):
            try:
                assert say(folders[name]).done
            except OutOfMemory:
                failed.append(name)

    threads = [threading.Thread(target=run, args=(name,)) for name in NAMES]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert len(there()) <= 1 and len(failed) < 12


@pytest.mark.parametrize("given, n_bytes", [
    ("", None), (" ", None), ("1000000", 10**6), ("8GB", 8 * 10**9), ("0.5 gib", 1 << 29),
    ("500MiB", 500 << 20), ("2kb", 2000), ("7B", 7)])
def test_the_budget_is_read(monkeypatch, given, n_bytes):
    monkeypatch.setenv("MINICHAT_MEMORY", given)
    assert memory.budget() == n_bytes


@pytest.mark.parametrize("given", ["much", "-1", "1TB2", "8 G B", "nan", "1e9"])
def test_a_wrong_budget_says_so(monkeypatch, folders, given):
    monkeypatch.setenv("MINICHAT_MEMORY", given)
    with pytest.raises(RequestError, match="MINICHAT_MEMORY: found"):
        say(folders["a"])
    assert there() == []
