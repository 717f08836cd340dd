"""residency.py: how long a model stays; load and unload requests; processes and their ends."""
import gc
import importlib
import os
import signal
import subprocess
import textwrap
import threading
import time
import weakref

import pytest

import minichat
from minichat import api as api_module
from minichat.errors import MinichatError, ModelError

from .process import python
from .random_model import TINY, write

HELLO = [{"role": "user", "content": "hello"}]
SHORT = {"num_predict": 3}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("models") / "tiny", TINY)


@pytest.fixture(autouse=True)
def nothing_stays(monkeypatch):
    monkeypatch.setattr(api_module, "_residency", api_module.Residency())


def there():
    return [model["name"] for model in minichat.ps()]


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_load_and_unload_requests(folder):
    (loaded,) = minichat.chat(folder)
    assert loaded.done_reason == "load" and loaded.load_duration > 0 and loaded.eval_count == 0
    assert there() == ["tiny"]
    (unloaded,) = minichat.chat(folder, [], keep_alive=0)
    assert unloaded.done_reason == "unload" and there() == []
    assert minichat.chat(folder, [], keep_alive=0, stream=False).done_reason == "unload"


def test_unload(folder):
    minichat.unload(folder)             # not there: nothing to do
    minichat.chat(folder, HELLO, options=SHORT, stream=False, keep_alive=-1)
    minichat.chat(folder, HELLO, options=SHORT, stream=False, quantization="q8", keep_alive=-1)
    assert there() == ["tiny", "tiny"]
    minichat.unload(str(folder))
    assert there() == []
    with pytest.raises(minichat.ModelNotFound):
        minichat.unload("none")


def test_unload_waits_for_who_uses_the_model(folder):
    with minichat.load(folder) as model:
        stream = minichat.chat(folder, HELLO, options={"num_predict": 40}, keep_alive=-1)
        next(stream)
        minichat.unload(folder)
        assert there() == ["tiny"] and len(list(stream)) > 5
        assert model.chat(HELLO, options=SHORT, stream=False).done
    wait_until(lambda: there() == [])


def test_an_unloaded_model_is_gone_without_a_collector(folder, monkeypatch):
    trimmed = threading.Event()
    monkeypatch.setattr("minichat._native.trim_memory", trimmed.set)
    gc.disable()
    try:
        minichat.chat(folder, HELLO, options=SHORT, stream=False)
        (resident,) = api_module._residency._residents.values()
        model = weakref.ref(resident.model.engine)
        del resident
        minichat.chat(folder, [], keep_alive=0)
        assert trimmed.wait(5)
        wait_until(lambda: model() is None)
    finally:
        gc.enable()


def test_keep_alive_zero_unloads_after_the_answer(folder):
    stream = minichat.chat(folder, HELLO, keep_alive=0, options=SHORT)
    next(stream)
    assert there() == ["tiny"]
    list(stream)
    wait_until(lambda: there() == [])


def test_a_model_goes_when_its_time_is_over(folder):
    minichat.chat(folder, HELLO, keep_alive=0.2, options=SHORT, stream=False)
    assert there() == ["tiny"]
    wait_until(lambda: there() == [])


def test_a_running_chat_holds_its_model(folder):
    stream = minichat.chat(folder, HELLO, keep_alive=0.05, options={"num_predict": 100000})
    next(stream)
    time.sleep(0.3)
    assert there() == ["tiny"]
    stream.close()
    wait_until(lambda: there() == [])


def test_the_last_keep_alive_stays_in_force(folder):
    minichat.chat(folder, HELLO, keep_alive=-1, options=SHORT, stream=False)
    minichat.chat(folder, HELLO, options=SHORT, stream=False)
    assert minichat.ps()[0]["expires_at"] is None
    minichat.chat(folder, HELLO, keep_alive="1h", options=SHORT, stream=False)
    assert minichat.ps()[0]["expires_at"].endswith("Z")


def test_load_pins_until_close(folder):
    with minichat.load(folder) as model, minichat.load(folder) as other:
        assert model.engine is other.engine
        minichat.chat(folder, [], keep_alive=0)
        assert there() == ["tiny"]
        other.close()
        other.close()
        assert model.chat(HELLO, options=SHORT, stream=False).done
    wait_until(lambda: there() == [])


def test_each_quantization_is_a_model_of_its_own(folder):
    for quantization in ("q4", "q8"):
        minichat.chat(folder, [], quantization=quantization)
    assert len(there()) == 2
    minichat.chat(folder, [], keep_alive=0)
    assert there() == []


def test_many_ask_and_it_is_loaded_once(folder, monkeypatch):
    loads = []
    real = api_module.loading.load

    def slowly(*arguments):
        loads.append(arguments)
        time.sleep(0.1)
        return real(*arguments)

    monkeypatch.setattr(api_module.loading, "load", slowly)
    threads = [threading.Thread(target=lambda: list(minichat.chat(folder, HELLO, options=SHORT)))
               for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1


def test_a_failed_load_leaves_nothing_and_may_be_tried_again(folder, tmp_path):
    broken = tmp_path / "broken"
    write(broken, TINY)
    config = (broken / "config.json").read_text()
    (broken / "config.json").write_text(config.replace("96", "112", 1))
    with pytest.raises(ModelError):
        minichat.chat(broken, HELLO)
    assert there() == []
    (broken / "config.json").write_text(config)
    assert minichat.chat(broken, HELLO, options=SHORT, stream=False).done


def test_a_forked_child_loads_anew_and_its_parents_streams_end(folder):
    stream = minichat.chat(folder, HELLO, options={"num_predict": 500})
    next(stream)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            try:
                next(stream)
            except MinichatError as error:
                fresh = minichat.chat(folder, HELLO, options=SHORT, stream=False)
                status = 0 if "fork" in str(error) and fresh.done else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    *_, last = stream
    assert last.done


@pytest.mark.parametrize("place", ["load.families.family", "load.Tokenizer.open",
                                   "constrain.llguidance.LLTokenizer"])
def test_a_fork_takes_no_lock_with_it_that_a_load_holds(folder, monkeypatch, place):
    """Of an import, say, or in the tokenizers' library."""
    module, holder, name = place.split(".")
    holder = getattr(importlib.import_module(f"minichat.{module}"), holder)
    real, lock, held = getattr(holder, name), threading.Lock(), threading.Event()

    class Slowly:
        json_slices = staticmethod(lambda: None)

        def __new__(cls, *arguments, **how):
            with lock:
                held.set()
                time.sleep(0.2)
                return real(*arguments, **how)

    monkeypatch.setattr(holder, name, Slowly)
    loads = threading.Thread(target=lambda: minichat.chat(folder, HELLO, format="json",
                                                          options=SHORT, stream=False))
    loads.start()
    assert held.wait(10)
    child = os.fork()
    if child == 0:
        os._exit(0 if lock.acquire(timeout=5) else 1)
    assert os.waitpid(child, 0)[1] == 0
    loads.join(20)
    assert there() == ["tiny"]


def run(script, folder):
    return subprocess.Popen(python(textwrap.dedent(script), folder), text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_the_interpreter_exits_in_mid_stream(folder):
    process = run("""
        import sys, minichat
        stream = minichat.chat(sys.argv[1], [{"role": "user", "content": "x"}],
                               options={"num_predict": 100000})
        next(stream)
        print("leaving")
        """, folder)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "leaving\n", "")


@pytest.mark.parametrize("format", ["None", "{'type': 'array', 'items': {'type': 'null'}, "
                                               "'minItems': 200}"])
def test_a_thread_chats_to_its_end_though_the_program_s_is_there(folder, format):
    process = run(f"""
        import sys, threading, minichat
        stream = minichat.chat(sys.argv[1], [{{"role": "user", "content": "x"}}], format={format},
                               options={{"num_predict": 300, "num_ctx": 64, "seed": 1}})
        next(stream)
        threading.Thread(target=lambda: print([*stream][-1].eval_count)).start()
        """, folder)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "") and int(out) > 20


def test_a_thread_loads_a_model_though_the_program_s_is_there(folder, tmp_path):
    process = run(f"""
        import os, sys, threading, time, minichat
        os.environ["MINICHAT_CACHE"] = {str(tmp_path)!r}

        def chat():
            threading.main_thread().join()
            time.sleep(0.1)
            for how in ("packed", "mapped"):
                print(minichat.chat(sys.argv[1], [{{"role": "user", "content": "x"}}],
                                    options={{"num_predict": 3}}, stream=False).eval_count)
                minichat.unload(sys.argv[1])

        threading.Thread(target=chat).start()
        """, folder)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "3\n3\n", "")


def test_a_keep_alive_does_not_keep_the_interpreter(folder):
    process = run("""
        import sys, minichat
        minichat.chat(sys.argv[1], keep_alive="1h")
        """, folder)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")


def test_an_interrupt_ends_the_answer_and_the_model_goes_on(folder):
    process = run("""
        import sys, minichat
        hello = [{"role": "user", "content": "x"}]
        try:
            print("started", flush=True)
            while True:
                for chunk in minichat.chat(sys.argv[1], hello, options={"num_predict": 10**6}):
                    pass
        except KeyboardInterrupt:
            print(minichat.chat(sys.argv[1], hello, options={"num_predict": 2},
                                stream=False).eval_count)
        """, folder)
    assert process.stdout.readline() == "started\n"
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "2\n", "")


def test_a_child_forked_while_a_model_loads_loads_it_itself(folder, monkeypatch):
    loading, go, real = threading.Event(), threading.Event(), api_module.loading.load
    parent = os.getpid()

    def load(*arguments):
        if os.getpid() == parent:
            loading.set()
            assert go.wait(20)
        return real(*arguments)

    monkeypatch.setattr(api_module.loading, "load", load)
    loader = threading.Thread(target=minichat.chat, args=(folder,))
    loader.start()
    assert loading.wait(10)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(20)
            status = 0 if there() == [] and minichat.chat(
                folder, HELLO, options=SHORT, stream=False).done else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0
    go.set()
    loader.join(20)
    assert there() == ["tiny"]
