"""The engine in float32 computes what transformers computes: prompts whole, and step by step."""
import numpy as np
import pytest

from minichat import _native, weights

from . import golden

PROMPT = 84


@pytest.fixture(scope="module", params=golden.FOLDERS, ids=lambda folder: folder.name)
def case(request):
    """A model, its architecture, ids and the logits after some of their positions."""
    folder = request.param
    family, architecture = golden.read(folder)
    packed = weights.load(golden.checkpoint(folder), family, architecture, "f32", cache_dir="")
    return _native.Model(architecture, packed, kv="f32"), architecture, *golden.expected(folder)


class Sequence:
    """One sequence alone on a model."""
    def __init__(self, model, architecture, n):
        self.share, self.room = _native.Share(), _native.Workspace(model, n, n)
        self.share.place([_native.Page(model) for _ in range(-(-n // _native.PAGE))])
        ropes = [layer.mixer.rope for layer in architecture.layers if layer.mixer.rope]
        self.long_after = next((rope.long_after for rope in ropes if rope.long), n)
        self.n = 0

    def feed(self, ids, n_logits):
        long = self.n + len(ids) > self.long_after
        self.share.feed(ids, self.n, n_logits=n_logits, long_rope=long)
        self.room.step([self.share], 2)
        self.n += len(ids)
        return self.share.logits


def assert_close(got, want, position):
    assert np.abs(got - want).max() <= 1e-4 * np.abs(want).max(), f"after position {position}"


def test_a_prompt_at_once(case):
    model, architecture, ids, want = case
    for position, row in want.items():
        sequence = Sequence(model, architecture, position + 1)
        assert_close(sequence.feed(ids[:position + 1], 1)[0], row, position)


def test_every_position_of_a_prompt(case):
    model, architecture, ids, want = case
    sequence = Sequence(model, architecture, len(ids))
    logits = sequence.feed(ids, len(ids))
    for position, row in want.items():
        if position >= sequence.long_after or sequence.long_after == len(ids):
            assert_close(logits[position], row, position)


def test_step_by_step_the_answer_is_the_same(case):
    model, architecture, ids, want = case
    sequence = Sequence(model, architecture, len(ids))
    logits = sequence.feed(ids[:PROMPT], 1)
    for position in range(PROMPT - 1, len(ids) - 1):
        assert_close(logits[0], want[position], position)
        assert logits[0].argmax() == ids[position + 1]
        logits = sequence.feed(ids[position + 1:position + 2], 1)
