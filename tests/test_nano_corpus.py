"""benchmarks/nano/corpus.py: dialogues in rows, and what of them is learned."""
from concurrent.futures import Future
from itertools import islice
from pathlib import Path
from random import Random

import numpy as np
import pytest
from tokenizers import Tokenizer

from benchmarks.nano import corpus
from benchmarks.nano.corpus import Lesson
from benchmarks.nano.dialogues.dialogue import Dialogue, assistant, user
from minichat.hub import IN_THE_BOX

TOKENIZER = str(IN_THE_BOX["nano"] / "tokenizer.json")


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.from_file(TOKENIZER)


def learned(tokenizer, dialogue, others=0.):
    (ids,), (learned,) = corpus.encoded([dialogue], TOKENIZER, others, np.random.default_rng(0))
    return tokenizer.decode(ids[learned].tolist(), skip_special_tokens=False)


def test_answers_are_learned(tokenizer):
    dialogue = Dialogue([user("How are you?"), assistant("Fine."),
                         user("Why?"), {**assistant("No reason."), "given": True},
                         user("Really?"), assistant("Yes.", thinking="Hm.")], think=True)
    assert learned(tokenizer, dialogue) == \
        "Fine.<|im_end|>Hm.\n</think>\n\nYes.<|im_end|>"
    everything = learned(tokenizer, dialogue, others=1.)
    assert everything == corpus.rendered(dialogue)


def test_rows_are_full_and_lose_nothing():
    random = Random(1)
    sizes = [random.choice([5, 40, 100, 250, 256, 300, 768]) for _ in range(500)]
    rows = corpus.packed(sizes)
    assert sorted(i for several in rows.values() for row in several for i in row) == [*range(500)]
    for length, several in rows.items():
        for row in several:
            assert sum(sizes[i] for i in row) <= length
            shorter = [each for each in corpus.LENGTHS if each < length]
            assert sizes[row[0]] > max(shorter, default=0)
    taken = sum(len(several) * length for length, several in rows.items())
    assert sum(sizes) > .95 * taken


def test_batches_hold_the_dialogues(monkeypatch, tokenizer):
    monkeypatch.setattr(corpus, "SHARD", 300)
    texts = {corpus.rendered(each) for each in corpus.made("world", 3, 300)}
    lesson = Lesson("world", 0, 1, batch_tokens=4096)
    made = corpus.made_batches(lesson, 3, TOKENIZER)
    assert len(made) > 5 and {batch.ids.shape[1] for batch in made} == {*corpus.LENGTHS}
    for batch in made:
        assert len(batch.ids) % corpus.ROWS == 0
        for ids, owners in zip(batch.ids, batch.owners):
            for owner in range(owners.max() + 1):
                said = tokenizer.decode(ids[owners == owner].tolist(), skip_special_tokens=False)
                assert said in texts
        flat, owners = batch.ids.ravel(), batch.owners.ravel()
        assert (flat[batch.learned + 1] == batch.targets).all()
        assert (owners[batch.learned + 1] == owners[batch.learned]).all()
    again = corpus.made_batches(lesson, 3, TOKENIZER)
    assert all((a.ids == b.ids).all() and (a.targets == b.targets).all()
               for a, b in zip(made, again))


def test_a_second_read_comes_some_shards_later(monkeypatch):
    class Now:
        """An executor that does the work at once."""
        def __init__(self, *_):
            pass

        def submit(self, make, lesson, seed, _):
            done = Future()
            done.set_result([f"{seed}a", f"{seed}b"])
            return done

        def shutdown(self, **_):
            pass

    monkeypatch.setattr(corpus, "ProcessPoolExecutor", Now)
    monkeypatch.setattr(corpus, "APART", 2)
    lesson = Lesson("world", 0, 1)

    def read(n, *rest):
        return [batch for _, _, batch in islice(corpus.batches(lesson, Path(), *rest), n)]

    assert read(6, 0, 0) == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert read(12, 0, 0, 2) == ["0a", "0b", "1a", "1b", "2a", "2b", "0a", "0b", "3a", "3b",
                                 "1a", "1b"]
    assert read(3, 1, 1) == ["1b", "2a", "2b"]
