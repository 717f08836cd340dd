"""chat.py, api.py, residency.py: ends, interrupts, forks, leaks; what the host program does."""
import asyncio
import ctypes
import ctypes.util
import gc
import os
import subprocess
import threading
import time
from pathlib import Path

import pytest

import minichat
from minichat import api as api_module
from minichat import cpus
from minichat.engine import Engine

from .process import python
from .random_model import TINY, write

HELLO = [{"role": "user", "content": "hello"}]
FIXED = {"seed": 1, "temperature": 1.0, "num_predict": 24}
ENDLESS = {"num_predict": 100000}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write(tmp_path_factory.mktemp("models") / "tiny", TINY)


@pytest.fixture(autouse=True)
def residency(monkeypatch):
    made = api_module.Residency()
    monkeypatch.setattr(api_module, "_residency", made)
    yield made
    for resident in list(made._residents.values()):
        resident.model.engine.close()


def resident(residency):
    (only,) = residency._residents.values()
    return only


def wait_until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.005)


def test_nothing_comes_after_close(folder):
    stream = minichat.chat(folder, HELLO, options=ENDLESS)
    next(stream)
    stream.close()
    assert list(stream) == []
    unread = minichat.chat(folder, HELLO, options=FIXED)
    unread.close()
    assert list(unread) == []


def test_a_reader_whose_stream_is_closed_elsewhere_is_told_no_end(folder):
    stream, read = minichat.chat(folder, HELLO, options=ENDLESS), []
    reader = threading.Thread(target=lambda: read.extend(stream))
    reader.start()
    wait_until(lambda: read)
    stream.close()
    reader.join(10)
    assert not reader.is_alive() and not any(chunk.done for chunk in read)


def test_a_closed_stream_keeps_no_model(folder, residency):
    stream = minichat.chat(folder, HELLO, options=ENDLESS, keep_alive=0)
    next(stream)
    model = resident(residency).model
    stream.close()
    wait_until(lambda: not residency._residents)
    assert not [frame for frame in gc.get_referrers(model) if hasattr(frame, "f_code")
                and frame.f_code.co_name == "answer"]


def test_many_closes_at_once_release_once(folder, residency):
    for _ in range(20):
        stream = minichat.chat(folder, HELLO, options=ENDLESS)
        closers = [threading.Thread(target=stream.close) for _ in range(4)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join()
        assert resident(residency).users == 0


def test_a_model_is_closed_by_its_keeper_not_by_who_lets_go(folder, monkeypatch):
    """Who lets go may be the collector, on any thread, with any lock."""
    closers, real = [], Engine.close

    def close(engine):
        closers.append(threading.current_thread().name)
        real(engine)

    monkeypatch.setattr(Engine, "close", close)
    minichat.chat(folder, HELLO, options=FIXED, keep_alive=0, stream=False)
    wait_until(lambda: closers)
    assert closers == ["minichat-keeper"]


def test_what_load_alone_held_goes_with_its_close(folder):
    with minichat.load(folder):
        assert minichat.ps()
    wait_until(lambda: not minichat.ps())
    minichat.chat(folder, HELLO, options=FIXED, stream=False)
    with minichat.load(folder):
        pass
    time.sleep(0.05)
    assert minichat.ps(), "the chat's five minutes are not over"


def test_an_interrupt_while_another_thread_loads_leaves_no_user(folder, residency, monkeypatch):
    loading, go, real = threading.Event(), threading.Event(), api_module.loading.load

    def slowly(*arguments):
        loading.set()
        go.wait(10)
        return real(*arguments)

    monkeypatch.setattr(api_module.loading, "load", slowly)
    other = threading.Thread(target=lambda: minichat.chat(folder, HELLO, options=FIXED,
                                                          stream=False))
    other.start()
    loading.wait(10)

    def interrupted(timeout=None):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(residency._changed, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt):
            minichat.chat(folder, HELLO)
    go.set()
    other.join(20)
    assert resident(residency).users == 0


def test_an_interrupted_load_is_taken_over_by_who_waits_for_it(folder, monkeypatch):
    loading, go, real, answers = threading.Event(), threading.Event(), api_module.loading.load, []

    def first(*arguments):
        monkeypatch.setattr(api_module.loading, "load", real)
        loading.set()
        go.wait(10)
        raise KeyboardInterrupt

    def interrupted():
        with pytest.raises(KeyboardInterrupt):
            minichat.chat(folder, HELLO)

    monkeypatch.setattr(api_module.loading, "load", first)
    threads = [threading.Thread(target=interrupted), threading.Thread(
        target=lambda: answers.append(minichat.chat(folder, HELLO, options=FIXED, stream=False)))]
    threads[0].start()
    loading.wait(10)
    threads[1].start()
    time.sleep(0.05)
    go.set()
    for thread in threads:
        thread.join(20)
    assert [answer.done for answer in answers] == [True]


def test_a_cancelled_task_ends_the_answer_that_it_wanted_whole(folder, residency):
    async def main():
        task = asyncio.create_task(minichat.achat(folder, HELLO, options=ENDLESS, stream=False))
        while not (residency._residents and resident(residency).users):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    wait_until(lambda: resident(residency).users == 0)
    wait_until(lambda: not resident(residency).model.engine._running)


def test_achat_leaves_the_program_the_threads_of_its_event_loop(folder, residency):
    """Which are few, and which other libraries of the program wait for."""
    async def main():
        streams = [await minichat.achat(folder, HELLO, options=ENDLESS) for _ in range(40)]
        with residency._changed:        # in whose midst they cannot go on
            engine = resident(residency).model.engine
        engine._changed.acquire()
        try:
            tasks = [asyncio.create_task(anext(stream)) for stream in streams]
            await asyncio.sleep(0.1)
            await asyncio.wait_for(asyncio.to_thread(int), 5)
            assert not any(task.done() for task in tasks)
        finally:
            engine._changed.release()
        await asyncio.gather(*tasks)
        for stream in streams[1:]:
            await stream.aclose()

    asyncio.run(main())
    wait_until(lambda: "minichat-reader" not in {t.name for t in threading.enumerate()})


def test_achat_in_a_thread_though_the_program_s_is_there(folder):
    program = python("""
        import asyncio, sys, threading, time, minichat

        async def talk():
            async for chunk in await minichat.achat(sys.argv[1], [{"role": "user", "content": "x"}],
                                                    options={"num_predict": 3}):
                print(chunk.done)

        def chat():
            threading.main_thread().join()
            time.sleep(0.1)
            asyncio.run(talk())

        threading.Thread(target=chat).start()
        """.replace("\n        ", "\n"), folder)
    ran = subprocess.run(program, text=True, capture_output=True, timeout=60)
    assert (ran.returncode, ran.stdout[-5:], ran.stderr) == (0, "True\n", "")


def test_achat_joins_loads_and_checks(folder):
    async def main():
        whole = await minichat.achat(folder, HELLO, options=FIXED, stream=False)
        loaded = await minichat.achat(folder, stream=False)
        with pytest.raises(minichat.RequestError, match="stream"):
            await minichat.achat(folder, HELLO, stream="no")
        return whole, loaded

    whole, loaded = asyncio.run(main())
    assert whole.message.content == minichat.chat(folder, HELLO, options=FIXED,
                                                  stream=False).message.content
    assert isinstance(loaded, minichat.Chunk) and loaded.done_reason == "load"


def test_a_model_that_was_loaded_before_a_fork_answers_in_the_child(folder):
    with minichat.load(folder) as model:
        want = model.chat(HELLO, options=FIXED, stream=False).message.content
        running = model.chat(HELLO, options=ENDLESS)
        next(running)
        child = os.fork()
        if child == 0:
            status = 1
            try:
                got = model.chat(HELLO, options=FIXED, stream=False).message.content
                status = 0 if got == want else 2
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        assert model.chat(HELLO, options=FIXED, stream=False).message.content == want
        running.close()


def test_the_hosts_rounding_and_flushing_change_no_answer_and_stay(tmp_path):
    """With a mode of its own set before the first load, packing included."""
    libm = ctypes.CDLL(ctypes.util.find_library("m"))
    upward = {"x86_64": 0x800, "aarch64": 0x400000}[os.uname().machine]
    answers = []
    for mode in (0, upward):
        folder = write(tmp_path / str(mode), TINY)
        libm.fesetround(mode)
        try:
            answers.append(minichat.chat(folder, HELLO, options=FIXED | {"num_thread": 2},
                                         stream=False).message.content)
            assert libm.fegetround() == mode
        finally:
            libm.fesetround(0)
    assert answers[0] == answers[1]


def test_threads_are_no_more_than_the_cpus_and_change_no_answer(folder, residency):
    """A pool that grew to hundreds would slow down every step from then on."""
    answers = {minichat.chat(folder, HELLO, options=FIXED | {"num_thread": n}, stream=False)
               .message.content for n in (1, 4096, 2)}
    assert len(answers) == 1
    model = resident(residency).model
    request = minichat.request.Request.parse("m", HELLO, options={"num_thread": 4096})
    assert model.work(request)[0].num_thread == cpus.available()


def rss():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_hundreds_of_chats_leave_nothing(folder, residency):
    def chats(n):
        for i in range(n):
            stream = minichat.chat(folder, [{"role": "user", "content": f"{i} " * (i % 50 + 1)}],
                                   options=FIXED | {"num_predict": 20})
            for _ in range(i % 10):
                next(stream, None)
            if i % 3:
                stream.close()

    with minichat.load(folder) as model:
        model.engine.store.limit = model.engine.store.idle_limit = 20
        chats(200)
        gc.collect()
        before, threads = rss(), threading.active_count()
        chats(300)
        gc.collect()
        assert rss() - before < 4e6 and threading.active_count() == threads
        wait_until(lambda: not model.engine._running)
        assert model.engine.store.made == len(list(model.engine.store)) <= 20
    assert resident(residency).users == 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc")
def test_crowds_of_every_kind_leave_nothing():
    """500 at once, three times, tools and formats among them, most of them given up."""
    program = python("from benchmarks import crowd\ncrowd.main()", "--rounds", 3)
    ran = subprocess.run(program, text=True, capture_output=True, timeout=300,
                         env={**os.environ, "MALLOC_ARENA_MAX": "1"})
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    memory, threads = zip(*((float(cells[3]), int(cells[4])) for cells in
                            (line.split("|") for line in ran.stdout.splitlines()[2:])))
    assert memory[2] - memory[1] < 20 and threads[-1] == 1


@pytest.mark.parametrize("options", [
    {"num_ctx": 10**9}, {"num_ctx": 2**70}, {"num_batch": 2**31}, {"num_thread": 10**9},
    {"top_k": 2**31}, {"seed": 2**64}, {"repeat_last_n": 2**40}, {"num_keep": -2},
    {"stop": ["\ud800"]}, {"num_ctx": 1}, {"num_ctx": float("nan")}, {"temperature": "hot"}])
def test_hostile_options_are_errors_of_the_request(folder, options):
    with pytest.raises(minichat.RequestError):
        minichat.chat(folder, HELLO, options=options)


@pytest.mark.parametrize("options", [
    {"num_batch": 2**31 - 1}, {"num_thread": 4096}, {"top_k": 2**31 - 1}, {"num_keep": 2**31 - 1},
    {"repeat_last_n": 2**31 - 1}, {"num_predict": 3, "stop": [f"{i}" * 50 for i in range(5000)]},
    {"num_batch": 1, "num_ctx": 40, "num_keep": 39, "num_predict": 60},
    dict.fromkeys(["num_ctx", "stop", "seed", "temperature", "num_thread"])])
def test_extreme_options_are_answered(folder, options):
    last = minichat.chat(folder, HELLO, options={"num_predict": 3} | options, stream=False)
    assert last.done and last.eval_count == options.get("num_predict", 3)


def test_ten_thousand_messages_are_fitted_in_time(folder):
    roles = ["user", "assistant"] * 5000
    messages = [{"role": role, "content": "" if i % 7 else "x\x00"}
                for i, role in enumerate([*roles, "user"])]
    started = time.monotonic()
    last = minichat.chat(folder, messages, options=FIXED, stream=False)
    assert last["dropped_messages"] > 9000 and time.monotonic() - started < 20
