"""csrc/kernels/*/rmsnorm.c"""
import numpy as np
import pytest

from .bits import LENGTHS, inputs, same
from .fence import fenced


@pytest.mark.parametrize("n", [1, 31, 64, 1024])
def test_agrees_with_float64(ref, n):
    rng = np.random.default_rng(n)
    x, weight = rng.standard_normal((2, n), np.float32)
    out = np.empty(n, np.float32)

    ref.rmsnorm(out, x, weight, 1e-6)

    want = x * weight.astype(np.float64) / np.sqrt(np.mean(x.astype(np.float64) ** 2) + 1e-6)
    np.testing.assert_allclose(out, want, rtol=1e-6)


def test_equals_ref(kernels, ref):
    rng = np.random.default_rng(0)
    for n in LENGTHS:
        weight = fenced(rng.standard_normal(n, np.float32))
        for x in map(fenced, inputs(rng, n)):
            out, want = fenced(np.empty(n, np.float32)), np.empty(n, np.float32)
            ref.rmsnorm(want, x, weight, 1e-6)
            kernels.rmsnorm(out, x, weight, 1e-6)
            assert same(out, want), n
            kernels.rmsnorm(x, x, weight, 1e-6)
            assert same(x, want), f"in place, {n}"
