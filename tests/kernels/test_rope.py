"""csrc/kernels/*/rope.c"""
import numpy as np
import pytest

from .bits import same, spiked
from .fence import fenced

# (heads, head_dim, half): odd sizes, less than a register, part of a head, real ones.
SHAPES = [(1, 2, 1), (3, 8, 4), (2, 48, 24), (5, 80, 40), (4, 64, 16), (2, 80, 16), (3, 96, 7),
          (16, 128, 64), (1, 256, 128)]


@pytest.mark.parametrize("heads, head_dim, half", SHAPES)
def test_rotates_pairs(ref, heads, head_dim, half):
    rng = np.random.default_rng(half)
    x, angle = rng.standard_normal((heads, head_dim), np.float32), rng.uniform(-3, 3, half)
    got = x.copy()

    ref.rope(got, np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32))

    turned = (x[:, :half] + 1j * x[:, half:2 * half]) * np.exp(1j * angle)
    want = np.concatenate([turned.real, turned.imag, x[:, 2 * half:]], axis=1)
    assert np.all(abs(got - want) <= 1e-6)


@pytest.mark.parametrize("heads, head_dim, half", SHAPES)
def test_equals_ref(kernels, ref, heads, head_dim, half):
    rng = np.random.default_rng(half)
    cos, sin = map(fenced, rng.uniform(-1, 1, (2, half)).astype(np.float32))
    for x in (rng.standard_normal((heads, head_dim), np.float32), spiked(rng, (heads, head_dim))):
        got, want = fenced(x), x.copy()
        kernels.rope(got, cos, sin)
        ref.rope(want, cos, sin)
        assert same(got, want)
