"""csrc/kernels/*/attention.c"""
import numpy as np
import pytest

from . import in_8_bits
from .bits import same, spiked
from .fence import fenced

# (tokens, group, head_dim, position, window, softcap): one row and tiles of all heights,
# blocks of rows, heads of odd sizes, borders of pages on either side, windows.
SHAPES = [
    (1, 1, 64, 0, 0, 0), (1, 1, 128, 63, 0, 0), (1, 2, 64, 64, 0, 0), (1, 3, 80, 127, 0, 50),
    (1, 4, 48, 128, 0, 0), (1, 5, 8, 200, 0, 0), (1, 6, 1, 100, 0, 0), (1, 7, 128, 191, 64, 0),
    (1, 8, 256, 192, 65, 0), (2, 1, 130, 63, 0, 0), (5, 1, 64, 62, 3, 30), (7, 3, 24, 120, 1, 0),
    (64, 1, 16, 0, 0, 0), (65, 1, 16, 63, 0, 0), (130, 2, 32, 1, 0, 0), (130, 1, 8, 61, 70, 20),
    (100, 3, 17, 129, 128, 0), (49, 4, 64, 15, 16, 0),
    # Borders of segments (256) on either side, windows across them, more heads than fit a block.
    (1, 2, 64, 255, 0, 0), (1, 2, 64, 256, 0, 0), (1, 3, 80, 1100, 0, 20), (1, 1, 16, 900, 300, 0),
    (90, 2, 32, 200, 0, 0), (3, 1, 64, 510, 0, 0), (140, 1, 8, 400, 150, 0),
    (9, 7, 33, 508, 257, 0), (2, 5, 1030, 300, 0, 0),
]
DTYPES = [np.float32, np.float16, np.uint8]         # of the keys


def cache(keys, values, dtype):
    """Pages of keys and values (positions, head_dim), of which the last holds NaN at its end."""
    n, head_dim = keys.shape
    pages, padded = -(-n // 64), -(-head_dim // 16) * 16
    k, v = np.full((pages * 64, head_dim), np.nan), np.full((pages * 64, padded), np.nan)
    k[:n], v[:n] = keys, np.pad(values, [(0, 0), (0, padded - head_dim)])
    if dtype == np.uint8:
        k, v = (x.reshape(pages, 64, -1).astype(np.float32) for x in (k, v[:, :head_dim]))
        keys = np.array([in_8_bits.keys(page) for page in k])
        data = fenced(np.hstack([keys, [in_8_bits.values(page) for page in v]]))
        return data[:, :keys.shape[1]], data[:, keys.shape[1]:]
    k = k.reshape(pages, 64, head_dim).swapaxes(1, 2)
    data = fenced(np.hstack([k.reshape(pages, -1), v.reshape(pages, -1)]).astype(dtype))
    split = head_dim * 64
    return data[:, :split].reshape(k.shape), data[:, split:].reshape(pages, 64, padded)


def attend(kernels, q, pages, position, window=0, softcap=0.0, apart=False):
    out = fenced(np.full(q.shape, np.nan, np.float32))
    kernels.attention(out, fenced(q), *pages, position, window, None, softcap, apart=apart)
    return out


def softmax_attention(q, keys, values, position, window, softcap):
    """Attention as the books have it, in float64."""
    tokens, _, head_dim = q.shape
    keys, values = keys.astype(np.float64), values.astype(np.float64)
    scores = np.einsum("tgd,jd->tgj", q.astype(np.float64), keys) * head_dim ** -0.5
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    at, j = position + np.arange(tokens)[:, None, None], np.arange(len(keys))
    scores[np.broadcast_to((j > at) | ((j <= at - window) & (window > 0)), scores.shape)] = -np.inf
    p = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("tgj,jd->tgd", p / p.sum(-1, keepdims=True), values)


def case(shape, dtype, spread=1.0):
    tokens, group, head_dim, position, window, softcap = shape
    rng = np.random.default_rng(list(map(int, shape)))
    q = spread * rng.standard_normal((tokens, group, head_dim), np.float32)
    keys, values = rng.standard_normal((2, position + tokens, head_dim), np.float32)
    if dtype != np.uint8:
        keys, values = keys.astype(dtype), values.astype(dtype)
    return q, keys, values, (position, window, softcap)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_ref_agrees_with_float64(ref, shape, dtype):
    q, keys, values, where = case(shape, dtype, spread=3.0)

    out = attend(ref, q, cache(keys, values, dtype), *where)

    error = 1e-5
    if dtype == np.uint8:               # and weights in 15 bits
        error = 4e-4
        q = in_8_bits.restored(q.reshape(-1, q.shape[-1]), 32).reshape(q.shape)
        keys, values = in_8_bits.restored(keys, 32), in_8_bits.restored(values, q.shape[-1])
    assert np.all(abs(out - softmax_attention(q, keys, values, *where)) <= error)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_ref(kernels, ref, shape, dtype):
    q, keys, values, where = case(shape, dtype)
    pages = cache(keys, values, dtype)
    for wide in (q, 40 * q):
        assert same(attend(kernels, wide, pages, *where), attend(ref, wide, pages, *where))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_segments_apart_make_the_same(kernels, ref, shape, dtype):
    q, keys, values, where = case(shape, dtype)
    pages = cache(keys, values, dtype)
    assert same(attend(kernels, q, pages, *where, apart=True), attend(ref, q, pages, *where))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[3] > 60], ids=str)
def test_equals_ref_where_values_are_extreme(kernels, ref, shape, dtype):
    q, keys, values, where = case(shape, dtype)
    rng = np.random.default_rng(0)
    with np.errstate(over="ignore"):
        keys, values = (np.where(rng.random(x.shape) < 0.01, spiked(rng, x.shape),
                                 x).astype(x.dtype) for x in (keys, values))
    pages = cache(keys, values, dtype)

    assert same(attend(kernels, q, pages, *where), attend(ref, q, pages, *where))


@pytest.mark.parametrize("window", [0, 50])
def test_a_row_is_the_same_in_any_company(kernels, window):
    q, keys, values, _ = case((90, 2, 48, 70, window, 0), np.float16)
    pages = cache(keys, values, np.float16)

    together = attend(kernels, q, pages, 70, window)
    alone = [attend(kernels, q[t:t + 1, g:g + 1], pages, 70 + t, window)
             for t in range(90) for g in range(2)]

    assert same(together.reshape(180, 48), np.concatenate(alone).reshape(180, 48))


def test_unseen_positions_do_not_matter(kernels):
    q, keys, values, _ = case((1, 4, 32, 150, 0, 0), np.float32)
    pages, junk = cache(keys, values, np.float32), cache(keys, values, np.float32)
    junk[0][0], junk[1][0] = np.nan, np.inf
    junk[0][1, :, :36], junk[1][1, :36] = np.inf, np.nan
    junk[0][2, :, 23:], junk[1][2, 23:] = 3, -np.inf

    assert same(attend(kernels, q, junk, 150, 51), attend(kernels, q, pages, 150, 51))
    assert np.isfinite(attend(kernels, q, junk, 150, 51)).all()
