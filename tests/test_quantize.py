"""csrc/quantize.c, through native/pack.pxi."""
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np
import pytest

from minichat import _native
from minichat.errors import ModelError
from tests import packer
from tests.kernels.fence import fenced
from tests.kernels.panels import BOOKS, random_packed, unpack

FORMATS = ["q4", "q8", "bf16", "f32"]
DTYPES = [np.float32, np.float16, ml_dtypes.bfloat16]
# A single weight, partial panels, groups, tiles and blocks, several of each.
SHAPES = [(1, 1), (3, 5), (16, 64), (17, 66), (20, 255), (33, 257), (48, 700)]


def packed(w, format, sources=None):
    n, k = w.shape
    out = np.full(_native.packed_bytes(format, n, k), 0xa5, np.uint8)
    _native.pack(out, format, n, k, sources or [("w", w)])
    return out


def unpacked(data, format, n, k):
    """The weights, exactly, in float64."""
    values, scales = unpack(data, format, n, k)
    return (values * np.repeat(scales, 256, 1)[:, :values.shape[1]])[:n, :k]


def weights(rng, n, k):
    """Rows of very different sizes, with outliers, zeros and whole rows of nothing."""
    w = rng.standard_normal((n, k)) * 10.0 ** rng.integers(-4, 3, (n, 1))
    w *= np.where(rng.random((n, k)) < 0.01, 20, 1)
    w[rng.random((n, k)) < 0.05] = 0
    w[rng.random(n) < 0.1] = 0
    return w.astype(np.float32)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("n, k", SHAPES)
def test_equals_a_second_packer(format, n, k):
    w = weights(np.random.default_rng([n, k]), n, k)

    assert np.array_equal(packed(w, format), packer.pack(w, format))


@pytest.mark.parametrize("format", ["q4", "q8"])
@pytest.mark.parametrize("size", [3e38, 1e20, 1e-20, 1.0001e-30, 0.9999e-30, 1e-40])
def test_equals_a_second_packer_at_the_ends_of_float(format, size):
    w = np.random.default_rng(1).standard_normal((16, 256))
    w = (w * (size / np.abs(w).max(1, keepdims=True))).astype(np.float32)

    assert np.array_equal(packed(w, format), packer.pack(w, format))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_gathers_stacked_and_transposed_rows_of_every_dtype(format, dtype):
    rng = np.random.default_rng(2)
    w = weights(rng, 40, 300).astype(dtype)
    w = np.where(np.isfinite(w), w, dtype(1))
    want = packed(w.astype(np.float32), format)

    stacked = [("q", fenced(w[:17])), ("k", w[17:18]), ("v", fenced(w[18:]))]
    transposed = [("t", np.ascontiguousarray(w.T).T)]

    assert np.array_equal(packed(w, format, stacked), want)
    assert np.array_equal(packed(w, format, transposed), want)


@pytest.mark.parametrize("format", FORMATS)
def test_threads_write_their_panels_and_no_others(format):
    w = weights(np.random.default_rng(3), 100, 320)
    want = packed(w, format)
    panel = len(want) // 7
    out = np.full_like(want, 0xa5)

    _native.pack(out, format, 100, 320, [("w", w)], 2, 5)
    assert (out[:2 * panel] == 0xa5).all() and (out[5 * panel:] == 0xa5).all()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda p: _native.pack(out, format, 100, 320, [("w", w)], p, p + 1),
                      range(7)))
    assert np.array_equal(out, want)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("n, k", SHAPES)
def test_a_row_comes_back_exactly(format, n, k):
    data = random_packed(np.random.default_rng([n, k]), format, n, k)
    want = unpacked(data, format, n, k).astype(np.float32)

    rows = [_native.matrix_row(fenced(data), format, n, k, row) for row in range(n)]

    assert np.array_equal(rows, want)


@pytest.mark.parametrize("format, draw, most", [
    ("q4", "gaussian", 0.0745), ("q4", "student", 0.0870), ("q8", "gaussian", 0.0071)])
def test_relative_error(format, draw, most):
    rng = np.random.default_rng(4)
    w = rng.standard_normal((256, 1024)) if draw == "gaussian" else \
        rng.standard_t(5, (256, 1024))
    w = w.astype(np.float32)

    error = unpacked(packed(w, format), format, *w.shape) - w

    assert np.sqrt((error ** 2).mean() / (w ** 2).mean()) <= most


@pytest.mark.parametrize("seed", range(3))
def test_rows_unlike_any_that_was_trained(seed):
    """A few large weights among many small ones: the search helps, it never gets lost."""
    rng = np.random.default_rng(seed)
    many = 10.0 ** -rng.integers(0, 4, (64, 1))
    w = rng.standard_normal((64, 256)) * np.where(rng.random((64, 256)) < 0.01, 1, many)
    w[::3] = np.where(rng.random((22, 256)) < 0.5, many[::3], 0)
    w[:, 0] = 1
    w = w.astype(np.float32)
    scale = packer.first_scale(w)[:, None]
    book = np.array(BOOKS[0])
    start = book[np.abs(w[..., None] / scale[..., None] - book).argmin(-1)] * scale

    error = unpacked(packed(w, "q4"), "q4", 64, 256) - w

    strips = [(e ** 2).reshape(16, -1).sum(1) for e in (error, start - w)]
    assert (strips[0] < strips[1]).all()


def test_a_small_row_among_large_ones():
    """Its books are the others' choice; its scale must find values that suit it all the same."""
    w = np.where(np.random.default_rng(0).random((4, 256)) < 0.5, 1, -1).astype(np.float32)
    w[3] = 7.5e-3 / 127
    w[3, 0] = 1e-3

    found = unpacked(packed(w, "q4"), "q4", 4, 256)[3]

    assert np.sqrt(((found - w[3]) ** 2).sum() / (w[3] ** 2).sum()) < 0.4


def test_q8_is_within_half_a_step_and_never_clips():
    w = weights(np.random.default_rng(5), 64, 512)
    values, scales = unpack(packed(w, "q8"), "q8", 64, 512)
    step = np.repeat(scales, 256, 1)

    assert np.abs(values * step - w).max(initial=0, where=step == 0) == 0
    assert (np.abs(values * step - w) <= step / 2 * (1 + 1e-6)).all()
    assert np.abs(values).max() <= 127


def test_padding_does_not_change_a_weight():
    """The last block, of 70, and the last strip, of 2 rows, fare as if they were alone."""
    w = weights(np.random.default_rng(6), 18, 256 + 70)
    whole = unpacked(packed(w, "q4"), "q4", 18, 326)

    assert np.array_equal(whole[:, 256:], unpacked(packed(w[:, 256:].copy(), "q4"), "q4", 18, 70))
    assert np.array_equal(whole[16:], unpacked(packed(w[16:], "q4"), "q4", 2, 326))


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_names_the_row_that_is_not_finite(format, dtype, bad):
    w = weights(np.random.default_rng(7), 40, 300).clip(-9, 9).astype(dtype)
    w[37, 299] = bad

    with pytest.raises(ModelError, match="^second: row 7: a weight is inf, NaN"):
        packed(w, format, [("first", w[:30]), ("second", w[30:])])


def test_bf16_refuses_what_would_round_to_inf():
    w = np.ones((1, 64), np.float32)
    w[0, 3] = 3.3962e38
    with pytest.raises(ModelError, match="w: row 0"):
        packed(w, "bf16")
    w[0, 3] = ml_dtypes.finfo(ml_dtypes.bfloat16).max
    assert np.array_equal(packed(w, "bf16"), packer.pack(w, "bf16"))


@pytest.mark.parametrize("sources", [
    [], [("w", np.zeros((16, 63), np.float32))], [("w", np.zeros((15, 64), np.float32))],
    [("w", np.zeros((16, 64), np.float32)[:, ::-1])], [("w", np.zeros(1024, np.float32))]])
def test_the_door_refuses_what_does_not_fit(sources):
    out = np.zeros(_native.packed_bytes("q8", 16, 64), np.uint8)
    with pytest.raises(ValueError):
        _native.pack(out, "q8", 16, 64, sources)
    with pytest.raises(ValueError):
        _native.pack(out[1:], "q8", 16, 64, [("w", np.zeros((16, 64), np.float32))])
