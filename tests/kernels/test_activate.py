"""csrc/kernels/*/activate.c"""
import numpy as np
import pytest

from .bits import EXTREMES, LENGTHS, inputs, same
from .fence import fenced

WIDE = np.concatenate([np.linspace(-90, 90, 400_001), np.geomspace(1e-30, 1, 1000),
                       -np.geomspace(1e-30, 1, 1000)]).astype(np.float32)


def apply(kernels, act, gate, up=None):
    out = fenced(np.empty_like(gate))
    kernels.activate(out, gate, up, act)
    return out


def exact(act, x):
    x = x.astype(np.float64)
    if act == "relu":
        return np.maximum(x, 0)
    slope = 1 if act == "silu" else 2 * np.sqrt(2 / np.pi) * (1 + 0.044715 * x * x)
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-slope * x))


# gelu's argument grows as x^3, and its rounding with it: in the far tail digits are lost.
@pytest.mark.parametrize("act, bound, tail_bound",
                         [("silu", 2e-7, 2e-7), ("gelu_tanh", 2e-7, 1.2e-5), ("relu", 0, 0)])
def test_agrees_with_float64(ref, act, bound, tail_bound):
    got, want = apply(ref, act, WIDE), exact(act, WIDE)

    assert np.all(abs(got - want) <= np.where(WIDE > -1, bound, tail_bound) * abs(want) + 1e-36)


@pytest.mark.parametrize("act", ["silu", "gelu_tanh", "relu"])
def test_huge_values_do_not_leak(kernels, act):
    got = apply(kernels, act, np.array([-100, -1e30, 1e30, np.inf, np.nan], np.float32))

    assert got[:2].tolist() == [0, 0]
    assert got[2] == np.float32(1e30) and got[3] == np.inf and np.isnan(got[4])


@pytest.mark.parametrize("act", ["silu", "gelu_tanh", "relu"])
def test_equals_ref(kernels, ref, act):
    rng = np.random.default_rng(0)
    for n in LENGTHS:
        for i, gate in enumerate(map(fenced, inputs(rng, n))):
            up = fenced(rng.standard_normal(n, np.float32)) if i % 2 else None
            want = apply(ref, act, gate, up)
            assert same(apply(kernels, act, gate, up), want), n
            kernels.activate(gate, gate, up, act)
            assert same(gate, want), f"in place, {n}"
    for gate in (WIDE, EXTREMES, np.linspace(-89, -86, 50_001, dtype=np.float32)):
        assert same(apply(kernels, act, gate), apply(ref, act, gate))
