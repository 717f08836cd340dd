"""csrc/kernels/*/add_scaled.c"""
import numpy as np

from .bits import LENGTHS, inputs, same
from .fence import fenced


def test_rounds_once(kernels):
    x, y = np.full(17, -1, np.float32), np.full(17, 1 + 2.0 ** -12, np.float32)

    kernels.add_scaled(x, y, 1 - 2.0 ** -12)

    assert np.all(x == np.float32(-(2.0 ** -24)))


def test_equals_ref(kernels, ref):
    rng = np.random.default_rng(0)
    for n in LENGTHS:
        for scale, x, y in zip([1, 0.2, -3e38, 1e-40, 0, 1.7], inputs(rng, n), inputs(rng, n),
                               strict=True):
            got, want = fenced(x), x.copy()
            kernels.add_scaled(got, fenced(y), scale)
            ref.add_scaled(want, y, scale)
            assert same(got, want), n
