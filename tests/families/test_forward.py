"""families/*.py: the data that they make of a config.json describe what transformers computes."""
import numpy as np
import pytest

from minichat import families

from . import forward, golden


def test_every_family_has_a_golden_checkpoint():
    assert [folder.name for folder in golden.FOLDERS] == families.names()


@pytest.mark.parametrize("folder", golden.FOLDERS, ids=lambda folder: folder.name)
def test_agrees_with_transformers(folder):
    family, architecture = golden.read(folder)
    tensors = forward.load(golden.checkpoint(folder).tensors, family, architecture)
    ids, want = golden.expected(folder)
    for position, row in want.items():
        got = forward.logits(architecture, tensors, np.array(ids[:position + 1]))
        assert np.abs(got - row).max() <= 1e-4 * np.abs(row).max(), f"after position {position}"
