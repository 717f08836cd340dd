"""lookup.py, and that guesses change no token: whichever are right, wherever an answer ends."""
from random import Random

import pytest

from minichat import _native, lookup
from minichat.engine import End, Engine
from minichat.lookup import COST, CREDIT, MOST, TRICKLE, Lookup
from minichat.sequence import Sequence

from .test_engine import PROMPT, VOCAB, folder, ids, native, run  # noqa: F401


def settled(right):
    """A Lookup that has guessed well before."""
    made = Lookup()
    for _ in range(20):
        made.learn(MOST, right)
    return made


def test_what_followed_before_is_guessed():
    said = [1, 2, 3, 4, 5, 6, 7, 9, 1, 2, 3]
    assert settled(MOST).guess(said, 20) == [4, 5, 6, 7, 9][:MOST]
    assert settled(MOST).guess(said, 2) == [4, 5]
    assert settled(MOST).guess(said, 0) == []
    assert settled(MOST).guess([1, 2, 4, 1, 2], 5) == []
    assert settled(MOST).guess([1, 2], 5) == []


def test_the_last_time_counts():
    made = settled(MOST)
    assert made.guess([1, 2, 3, 4, 1, 2, 3], 1) == [4]
    assert made.guess([1, 2, 3, 4, 1, 2, 3, 5, 1, 2, 3], 1) == [5]


def test_guesses_grow_while_they_are_right():
    made, said = Lookup(), [*range(50)] * 2
    lengths = []
    for _ in range(8):
        guess = made.guess(said, 20)
        made.learn(len(guess), len(guess))
        lengths.append(len(guess))
    assert lengths[0] == 1 and lengths[-1] == MOST and lengths == sorted(lengths)


def test_wrong_guesses_cost_what_may_be_lost():
    made, said, guessed = Lookup(), [1, 2, 3, 4] * 10, 0
    for _ in range(2000):
        guess = made.guess(said, 20)
        made.learn(len(guess), 0)
        guessed += len(guess)
    assert 0 < guessed * COST <= CREDIT + 2000 * TRICKLE


@pytest.fixture
def engine(folder):  # noqa: F811
    made = Engine(native(folder), 40)
    yield made
    made.close()


CASES = {
    "plain": {}, "greedy": {"temperature": 0.0}, "one": {"num_predict": 1},
    "limit": {"num_predict": 33}, "penalties": {"repeat_penalty": 1.3, "presence_penalty": .5},
    "shift": {"num_ctx": 170, "num_predict": 120}, "no shift": {"num_ctx": 180, "shift": False},
    "long": {"long_after": 171}, "threads": {"threads": 3}, "small batches": {"batch": 3}}


@pytest.mark.parametrize("arguments", CASES.values(), ids=CASES.keys())
def test_no_guess_changes_an_answer(engine, monkeypatch, arguments):
    arguments = {"num_predict": 60, **arguments}
    monkeypatch.setattr(Lookup, "guess", lambda self, said, most: [])
    want = [*run(engine, **arguments)]
    assert isinstance(want.pop(), End)
    assert ids(run(engine, **arguments, end=[want[-1].id]))[-1] == want[-1].id
    answer, counts, guess = [token.id for token in want], [], Sequence.guess
    for seed in range(6):
        random = Random(seed)

        def knowing(self, most):
            self.lookup.answered = self.answered
            guess(self, most)

        def oracle(self, said, most, random=random):
            """What will be drawn, with a mistake here and there."""
            right = answer[self.answered:self.answered + min(most, random.randint(0, MOST))]
            return [id if random.random() < .8 else (id + 1) % VOCAB for id in right]

        monkeypatch.setattr(Sequence, "guess", knowing)
        monkeypatch.setattr(Lookup, "guess", oracle)
        steps = counted(monkeypatch)
        *got, ended = run(fresh := Engine(engine.model, 40), **arguments)
        fresh.close()
        assert [(token.id, token.shifted_tokens) for token in got] == [
            (token.id, token.shifted_tokens) for token in want]
        assert ended.done_reason == "length"
        counts.append(len(steps))
    if len(answer) > 30 and arguments.get("batch", 9) > 3:
        assert max(counts) < .8 * len(answer)


def counted(monkeypatch):
    """The steps that are made from now on."""
    steps, real = [], _native.Workspace

    class Workspace(real):
        def step(self, shares, n_threads):
            steps.append(len(shares))
            real.step(self, shares, n_threads)

    monkeypatch.setattr(_native, "Workspace", Workspace)
    return steps


def test_a_text_that_repeats_takes_fewer_steps(engine, monkeypatch):
    prompt = PROMPT[:20] * 5
    monkeypatch.setattr(Lookup, "guess", lambda self, said, most: [])
    want = ids(run(engine, prompt, num_predict=300, temperature=0.0))
    monkeypatch.undo()
    fresh = Engine(engine.model, 40)
    steps = counted(monkeypatch)
    assert ids(run(fresh, prompt, num_predict=300, temperature=0.0)) == want
    fresh.close()
    assert len({*zip(want, want[1:], want[2:])}) < 150      # it does repeat itself
    assert len(steps) < 250


def test_in_company_nobody_guesses(engine, monkeypatch):
    asked = []
    monkeypatch.setattr(Lookup, "guess", lambda self, said, most: asked.append(most) or [])
    both = [run(engine, num_predict=30), run(engine, PROMPT[::-1], num_predict=30)]
    streams = [iter(each) for each in both]
    for _ in range(20):
        for each in streams:
            next(each)
    for each in both:
        each.close()
    assert len(asked) < 30


def test_a_lookup_is_as_cheap_as_it_should_be():
    assert lookup.COST * lookup.MOST <= lookup.CREDIT_MOST
