"""residency.py: several models in little memory; who goes, and who does not."""
import gc
import signal
import threading
import time
import weakref
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

import minichat
from minichat import api as api_module
from minichat import memory
from minichat.errors import NativeError, OutOfMemory, RequestError
from minichat.residency import chatting

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


def test_a_cache_is_never_more_than_can_be_used(folders, monkeypatch):
    """Of large memory a small model leaves the most to others."""
    monkeypatch.setattr(memory, "available", lambda: 1 << 33)
    say(folders["a"])
    _, most = api_module._residency._residents[folders["a"].resolve(), "q4"].model.memory()
    assert most < 1 << 28


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


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.002)


class Stub:
    """What the residency wants of a model."""

    def __init__(self, size=1):
        self.engine, self.size, self.closed = self, size, False
        self.close = lambda: None

    def memory(self):
        return 0, self.size


def key(name):
    return Path(name), "q4"


@contextmanager
def interrupted(after):
    """Ctrl-C, so many seconds from here: as a signal, wherever the main thread is then."""
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, after)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# One that comes in a destructor is lost.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_wherever_it_comes_leaves_nothing_that_others_wait_for():
    residency, random = api_module.Residency(), Random(5)

    def ask(results):
        results.append(residency.acquire(key("a"), lambda room: Stub(), chatting(None)))

    for _ in range(300):
        try:
            with interrupted(random.random() * 2e-4 + 1e-6):
                for _ in range(20):
                    residency.acquire(key("a"), lambda room: Stub(), chatting(None))
                    residency._residents.pop(key("a"))
        except KeyboardInterrupt:
            pass
        other = threading.Thread(target=ask, args=(found := [],), daemon=True)
        other.start()
        other.join(5)
        assert found, "a model that will never be loaded is waited for"
        residency._residents.clear()


def test_ctrl_c_while_another_loads_gives_up_the_wait_alone():
    residency, loading, go = api_module.Residency(), threading.Event(), threading.Event()

    def slowly(room):
        loading.set()
        assert go.wait(10)
        return Stub()

    other = threading.Thread(target=residency.acquire, args=(key("a"), slowly, chatting(None)))
    other.start()
    assert loading.wait(10)
    for name in ("b", "a"):                 # waits for its turn; for that one
        with pytest.raises(KeyboardInterrupt), interrupted(0.05):
            residency.acquire(key(name), lambda room: Stub(), chatting(None))
    assert residency.ps() == []             # it is not there yet
    go.set()
    other.join(10)
    [resident] = residency._residents.values()
    assert resident.key == key("a") and resident.users == 1


def test_a_model_expires_while_another_loads():
    residency, gone, loading = api_module.Residency(), threading.Event(), threading.Event()
    model = Stub()
    model.close = gone.set
    resident = residency.acquire(key("a"), lambda room: model, chatting(0.05))
    residency.release(resident)
    residency.acquire(key("b"), lambda room: gone.wait(10) and loading.set() or Stub(),
                      chatting(None))
    assert loading.is_set() and [*residency._residents] == [key("b")]


def test_who_loads_waits_for_the_memory_of_who_goes(monkeypatch):
    """Not as if the memory was still taken, nor as if it was free already."""
    residency, closing, go, rooms = api_module.Residency(), threading.Event(), threading.Event(), []
    monkeypatch.setattr(memory, "available", lambda: 0 if closing.is_set() else 100)
    model = Stub()

    def slowly():
        closing.set()
        assert go.wait(10)
        closing.clear()

    model.close = slowly
    residency.release(residency.acquire(key("a"), lambda room: model, chatting(0.01)))
    assert closing.wait(10)                 # the keeper has begun
    threading.Timer(0.1, go.set).start()
    residency.acquire(key("b"), lambda room: rooms.append(room.n_bytes) or Stub(), chatting(None))
    assert rooms == [100]


def test_who_becomes_idle_while_another_loads_makes_room():
    residency, tries = api_module.Residency(), []
    first = residency.acquire(key("a"), lambda room: Stub(), chatting(None))

    def load(room):
        tries.append(room.positions)
        if len(tries) == 1:
            residency.release(first)
            raise OutOfMemory("the cache: no room")
        return Stub()

    residency.acquire(key("b"), load, chatting(None))
    assert tries == [1, 1] and [*residency._residents] == [key("b")]


def test_who_is_taken_while_another_loads_stays():
    residency, tries = api_module.Residency(), []
    residency.release(residency.acquire(key("a"), lambda room: Stub(), chatting(None)))

    def load(room):
        tries.append(room.positions)
        if len(tries) == 1:
            residency.acquire(key("a"), load, chatting(None))
            raise OutOfMemory("the cache: no room for so many")
        return Stub()

    residency.acquire(key("b"), load, chatting(None))
    assert tries[0] > 1 and tries[1] == 1
    assert [*residency._residents] == [key("a"), key("b")]


def test_without_a_thread_for_the_keeper_nothing_is_loaded(monkeypatch):
    residency = api_module.Residency()

    def none(thread):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", none)
        with pytest.raises(NativeError, match="no thread"):
            residency.acquire(key("a"), lambda room: Stub(), chatting(None))
    assert not residency._residents
    residency.release(residency.acquire(key("a"), lambda room: Stub(), chatting(0)))
    wait_until(lambda: not residency._residents)


def test_of_who_made_room_nothing_is_left(folders, whole, monkeypatch):
    monkeypatch.setenv("MINICHAT_MEMORY", str(whole))
    threads = threading.active_count()
    stream = minichat.chat(folders["a"], HELLO, options=SHORT)
    said = [chunk.message for chunk in stream]
    [resident] = api_module._residency._residents.values()
    gone = weakref.ref(resident.model), weakref.ref(resident.model.engine)
    store = resident.model.engine.store
    del resident
    gc.collect()
    gc.disable()
    try:
        say(folders["b"])
        wait_until(lambda: not any(each() for each in gone))    # though the stream is still there
    finally:
        gc.enable()
    assert store.made == 0
    assert [chunk.message for chunk in minichat.chat(folders["a"], HELLO, options=SHORT)] == said
    assert threading.active_count() <= threads + 2              # its engine's, the keeper


@pytest.mark.parametrize("seed", range(3))
def test_models_come_and_go_in_any_order(seed):
    """Threads that ask, pin, unload and wait: no two of one model, never more than there is room
    for, and in the end all are gone."""
    residency, random, there = api_module.Residency(), Random(seed), []
    room, failed, lock = 2, [], threading.Lock()

    def load(name):
        def loaded(_):
            with lock:
                if len(there) == room:
                    raise OutOfMemory("no room")
                assert name not in there
                there.append(name)
            time.sleep(0.0005)
            model = Stub()
            model.close = lambda: there.remove(name)
            return model
        return loaded

    def work(random):
        try:
            for _ in range(60):
                name = random.choice("abcd")
                try:
                    resident = residency.acquire(key(name), load(name),
                                                 chatting(random.choice([0, 0.001, 5, None])))
                except OutOfMemory:
                    continue
                time.sleep(random.random() * 0.001)
                assert name in there
                residency.release(resident)
                if random.random() < 0.2:
                    residency.unload(Path(random.choice("abcd")), None)
                len(residency._residents)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(Random(random.random()),)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert not failed and not any(thread.is_alive() for thread in threads)
    for name in "abcd":
        residency.unload(Path(name), None)
    wait_until(lambda: not residency._residents and not there and residency._keeper is None)
