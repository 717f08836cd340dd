"""csrc/kernels/*/quantize_row.c"""
import numpy as np
import pytest

from .bits import LENGTHS, inputs, same
from .fence import fenced


def test_values_lie_within_half_a_step(ref):
    x = np.random.default_rng(0).standard_normal((3, 600), np.float32)

    q, scale, sums = ref.quantize(x)

    steps = np.repeat(scale, 256, axis=1)[:, :600]
    assert np.all(abs(q[:, :600] * steps - x) <= 0.5001 * steps)
    assert np.array_equal(sums[:, 0], q[:, :256].sum(1, dtype=np.int32))
    assert np.array_equal(abs(q[:, :256]).max(1), [127] * 3)


@pytest.mark.parametrize("k", [1, 16, 63, 300])
def test_padding_is_zero(kernels, k):
    q, _, _ = kernels.quantize(np.ones((2, k), np.float32))

    assert np.all(q[:, :k] == 127) and not q[:, k:].any()


def test_ties_go_to_even(kernels):
    q, _, _ = kernels.quantize(np.array([[127, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5]], np.float32))

    assert q[0, :7].tolist() == [127, 0, 2, 2, 0, -2, -2]


def test_a_block_that_is_not_finite_has_scale_nan(kernels):
    x = np.ones((1, 700), np.float32)
    x[0, 255], x[0, 512] = np.inf, np.nan

    q, scale, sums = kernels.quantize(x)

    assert np.isnan(scale[0, [0, 2]]).all() and scale[0, 1] == np.float32(1 / 127)
    assert not q[0, :256].any() and not q[0, 512:].any() and sums.tolist() == [[0, 256 * 127, 0]]


def test_a_block_of_nearly_nothing_is_zero(kernels):
    q, scale, sums = kernels.quantize(np.full((1, 20), 9e-31, np.float32))

    assert not q.any() and not scale.any() and not sums.any()


def test_equals_ref(kernels, ref):
    rng = np.random.default_rng(1)
    for n in [*LENGTHS, 256, 257, 511, 513]:
        x = np.stack(inputs(rng, n))
        for got, want in zip(kernels.quantize(fenced(x)), ref.quantize(x), strict=True):
            assert same(got, want), n
