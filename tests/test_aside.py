"""aside.py: results and errors in their order, on threads that end."""
import threading
import time

import pytest

from minichat.aside import Aside


def names():
    return [thread.name for thread in threading.enumerate()]


def test_results_come_in_order_from_as_many_threads_as_there_may_be():
    together = threading.Barrier(3, timeout=10)
    with Aside("crew", 3) as crew:
        assert [*crew.each(lambda i: (together.wait(), -i)[1], range(6))] == [-i for i in range(6)]
        assert names().count("crew") == 3
    assert "crew" not in names()


def test_an_error_comes_where_its_result_would_and_the_rest_is_dropped():
    begun = []

    def work(i):
        begun.append(i)
        time.sleep(0.01)
        return 1 // (i - 2)

    with pytest.raises(ZeroDivisionError), Aside("crew") as crew:
        for _ in crew.each(work, range(1000)):
            pass
    assert len(begun) < 10 and "crew" not in names()
    time.sleep(0.05)
    assert len(begun) < 10


def test_where_no_thread_can_start_the_one_that_waits_works(monkeypatch):
    def start(thread):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with Aside("crew", 2) as crew:
        assert [*crew.each(lambda _: threading.current_thread(), "ab")] == [
            threading.current_thread()] * 2


def test_close_lets_what_was_begun_end():
    aside = Aside("crew")
    assert "crew" not in names()
    waits = aside.begin(lambda: time.sleep(0.05) or 5)
    aside.close()
    assert waits() == 5
