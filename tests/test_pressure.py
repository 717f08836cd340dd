"""engine.py where there is too little: pages, memory, readers; no reader waits for ever."""
import random
import threading

import pytest

from minichat import _native
from minichat import engine as engine_module
from minichat.engine import AHEAD, End, Engine, Token
from minichat.errors import MinichatError, NativeError, OutOfMemory

from .test_engine import PROMPT, folder, ids, native, run  # noqa: F401  (folder is a fixture)


@pytest.fixture
def made(folder):  # noqa: F811
    """Makes engines of so many pages, and closes them."""
    engines, model = [], native(folder)

    def make(pages):
        engines.append(Engine(model, pages))
        return engines[-1]

    yield make
    for engine in engines:
        engine.close()


def within(seconds, job):
    """Returns what job returns, on a thread of its own; fails if that takes too long."""
    found = []

    def work():
        try:
            found.append(job())
        except BaseException as error:
            found.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, "it waits for ever"
    if isinstance(found[0], BaseException):
        raise found[0]
    return found[0]


def settled(engine):
    """Nothing runs, and every page is in the tree, idle."""
    within(10, lambda: ids(run(engine, PROMPT[:3], num_predict=1)))
    assert not engine._running and not engine._arrived
    assert not any(node.users for node in engine.store)
    assert engine.store.made == len(list(engine.store)) <= engine.store.limit


def test_one_that_fails_for_want_of_pages_wakes_those_that_waited(made):
    engine = made(4)
    greedy, patient = run(engine, num_predict=400), run(engine, PROMPT[7:], num_predict=20)
    next(greedy)
    next(patient)

    def rest():
        with pytest.raises(OutOfMemory, match="num_ctx"):
            list(greedy)

    reader = threading.Thread(target=rest, daemon=True)
    reader.start()
    assert len(within(20, lambda: ids(patient))) == 19
    reader.join(10)
    settled(engine)


def test_a_slow_reader_with_all_the_pages_holds_nobody_up(made):
    engine = made(4)
    slow, quick = run(engine, num_predict=80), run(engine, PROMPT[7:], num_predict=80)
    first = next(slow).id
    assert len(within(20, lambda: ids(quick))) == 80
    rest = within(20, lambda: ids(slow))
    assert [first, *rest] == ids(run(made(40), num_predict=80))
    settled(engine)


def test_two_slow_readers_may_take_turns(made):
    engine = made(4)
    runs = [run(engine, num_predict=100), run(engine, PROMPT[7:], num_predict=100)]
    answers = [[], []]

    def turns():
        for _ in range(50):
            for answer, each in zip(answers, runs, strict=True):
                answer += [next(each).id, next(each).id]

    within(60, turns)
    fresh = made(40)
    assert answers == [ids(run(fresh, num_predict=100)),
                       ids(run(fresh, PROMPT[7:], num_predict=100))]


def test_more_streams_than_a_step_holds_may_be_read_in_turn_by_one_thread(made, monkeypatch):
    monkeypatch.setattr(engine_module, "MAX_SEQUENCES", 3)
    engine = made(40)
    runs = [run(engine, PROMPT[i:20], num_predict=2 * AHEAD) for i in range(8)]
    tokens = within(30, lambda: [[next(each) for each in runs] for _ in range(2 * AHEAD)])
    assert all(isinstance(token, Token) for each in tokens for token in each)


def refusing(monkeypatch, engine, *, after):
    """The page after so many is refused."""
    real, count = engine.store.new_page, iter(range(10**9))

    def new_page(copy_of):
        if next(count) == after:
            raise OutOfMemory("planted")
        return real(copy_of)

    monkeypatch.setattr(engine.store, "new_page", new_page)


@pytest.mark.parametrize("after", range(8))
def test_memory_that_is_refused_is_no_end_of_the_others(made, monkeypatch, after):
    engine = made(5)
    refusing(monkeypatch, engine, after=after)
    outcomes = []

    def chat(n):
        try:
            outcomes.append(len(ids(run(engine, PROMPT[n:], num_predict=60))))
        except MinichatError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=chat, args=(n,), daemon=True) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(outcomes) == 3 and not engine.closed
    assert sum(outcome == 60 for outcome in outcomes) >= 2
    settled(engine)


@pytest.mark.parametrize("place", ["Workspace", "Share"])
def test_a_failure_in_the_engine_reaches_every_reader(made, monkeypatch, place):
    engine = made(40)

    def broken(*_):
        raise MemoryError("planted")

    monkeypatch.setattr(_native, place, broken)
    for _ in range(2):
        failing = run(engine)
        with pytest.raises((MemoryError, MinichatError)):
            within(10, lambda each=failing: next(each))
        with pytest.raises(StopIteration):
            within(10, lambda each=failing: next(each))


def test_a_step_without_memory_ends_its_sequences_and_not_the_engine(made, monkeypatch):
    engine, real = made(40), _native.Workspace

    def refused(*_):
        raise OutOfMemory("planted")

    monkeypatch.setattr(_native, "Workspace", refused)
    with pytest.raises(OutOfMemory, match="planted"):
        within(10, lambda: ids(run(engine)))
    monkeypatch.setattr(_native, "Workspace", real)
    assert len(within(10, lambda: ids(run(engine)))) == 40
    settled(engine)


def test_a_huge_batch_takes_no_more_memory_than_a_step_may(made):
    engine = made(40)
    run(engine, PROMPT * 3, batch=2**31 - 1, num_predict=1).__next__()
    assert engine._workspace.max_tokens == engine_module.STEP_TOKENS


def test_a_thread_that_the_system_refuses_is_an_error(made, monkeypatch):
    engine = made(40)

    def refused(_):
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refused)
        failing = run(engine)
        with pytest.raises(NativeError, match="thread"):
            next(failing)
    with pytest.raises(StopIteration):
        within(5, lambda: next(failing))
    assert len(within(10, lambda: ids(run(engine)))) == 40


@pytest.mark.parametrize("seed", range(12))
def test_random_chats_under_pressure_have_the_answers_that_they_have_alone(made, seed):
    """Closed at random, read at random speeds, in all too few pages."""
    rng = random.Random(seed)
    wanted = [(PROMPT[rng.choice((0, 0, 5, 70)):rng.randrange(80, 150)], rng.randrange(1, 120),
               dict(num_ctx=rng.choice((160, 512)), num_keep=rng.randrange(0, 90),
                    long_after=rng.choice((None, 100, 170)), batch=rng.choice((1, 9, 64, 512)),
                    threads=rng.choice((1, 1, 2))))
              for _ in range(10)]
    fresh = made(100)
    alone = [ids(run(fresh, prompt, num_predict=n, **options)) for prompt, n, options in wanted]
    engine = made(rng.randrange(5, 9))
    readers = [[run(engine, prompt, num_predict=n, **options), [], rng.randrange(0, 150)]
               for prompt, n, options in wanted]
    open_ones = list(range(len(readers)))

    def read():
        while open_ones:
            i = rng.choice(open_ones)
            each, answer, closes_at = readers[i]
            for _ in range(rng.randrange(1, 2 * AHEAD)):
                if len(answer) >= closes_at:
                    each.close()
                item = next(each, None)
                if item is None or isinstance(item, End):
                    open_ones.remove(i)
                    break
                answer.append(item.id)

    within(60, read)
    for (_, answer, closes_at), whole in zip(readers, alone, strict=True):
        assert answer == whole[:closes_at]
    settled(engine)
