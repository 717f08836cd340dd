"""families/*.py: the data that they make of a config.json describe what transformers computes."""
import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from minichat import families

from . import forward

GOLDEN = sorted(Path(__file__).parent.glob("golden/*"))


def test_every_family_has_a_golden_file():
    assert [folder.name for folder in GOLDEN] == families.names()


@pytest.mark.parametrize("folder", GOLDEN, ids=lambda folder: folder.name)
def test_agrees_with_transformers(folder):
    family = families.family(folder.name)
    architecture = family.architecture(json.loads((folder / "config.json").read_text()))
    weights = forward.load(folder / "model.safetensors", family, architecture)
    expected = load_file(folder / "expected.safetensors")
    ids, positions, want = (expected[name] for name in ("ids", "positions", "logits"))
    for position, row in zip(positions, want):
        got = forward.logits(architecture, weights, ids[:position + 1])
        assert np.abs(got - row).max() <= 1e-4 * np.abs(row).max(), f"after position {position}"
