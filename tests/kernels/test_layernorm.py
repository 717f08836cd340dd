"""csrc/kernels/*/layernorm.c"""
import numpy as np
import pytest

from .bits import LENGTHS, inputs, same
from .fence import fenced


@pytest.mark.parametrize("n", [2, 31, 64, 1024])
def test_agrees_with_float64(ref, n):
    rng = np.random.default_rng(n)
    x, weight, bias = rng.standard_normal((3, n), np.float32)
    x += 3
    out = np.empty(n, np.float32)

    ref.layernorm(out, x, weight, bias, 1e-5)

    wide = x.astype(np.float64)
    d = (wide - wide.mean()) / np.sqrt(wide.var() + 1e-5)
    assert np.all(abs(out - (d * weight + bias)) <= 2e-6 * (1 + abs(d * weight) + abs(bias)))


def test_equals_ref(kernels, ref):
    rng = np.random.default_rng(0)
    for n in LENGTHS:
        weight, some_bias = map(fenced, rng.standard_normal((2, n), np.float32))
        for i, x in enumerate(map(fenced, inputs(rng, n))):
            bias = some_bias if i % 2 else None
            out, want = fenced(np.empty(n, np.float32)), np.empty(n, np.float32)
            ref.layernorm(want, x, weight, bias, 1e-5)
            kernels.layernorm(out, x, weight, bias, 1e-5)
            assert same(out, want), n
            kernels.layernorm(x, x, weight, bias, 1e-5)
            assert same(x, want), f"in place, {n}"
