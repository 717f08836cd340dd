"""csrc/kernels/*/kv_write.c, and the half precision of kernels/half.h."""
import numpy as np
import pytest

from minichat import _native

from . import in_8_bits
from .bits import EXTREMES, same, spiked
from .fence import fenced

HEAD_DIMS = [1, 8, 15, 16, 48, 64, 80, 128, 130]


def page(head_dim, dtype, fill):
    padded = -(-head_dim // 16) * 16
    if dtype == np.uint8:
        return [fenced(np.full(size, fill, dtype)) for size in _native.kv_bytes(head_dim)]
    return [fenced(np.full(shape, fill, dtype)) for shape in ((head_dim, 64), (64, padded))]


def halves(kernels, x):
    """x (n) as the kernel converts it."""
    x = np.ascontiguousarray(x)
    keys, values = page(len(x), np.float16, 0)
    kernels.kv_write(keys, values, 0, x, x)
    assert same(keys[:, 0], values[0, :len(x)])
    return keys[:, 0].copy()


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_writes_its_slot_only(kernels, head_dim, dtype):
    k, v = np.random.default_rng(0).standard_normal((2, head_dim), np.float32)
    keys, values = page(head_dim, dtype, 7)

    kernels.kv_write(keys, values, 63, fenced(k), fenced(v))

    assert np.array_equal(keys[:, 63], k.astype(dtype)) and np.all(keys[:, :63] == 7)
    assert np.array_equal(values[63, :head_dim], v.astype(dtype)) and np.all(values[:63] == 7)
    assert not values[63, head_dim:].any()


@pytest.mark.parametrize("head_dim", HEAD_DIMS)
def test_8_bits_are_those_of_numpy(kernels, head_dim):
    rng = np.random.default_rng(2)
    k, v = spiked(rng, (2, 64, head_dim))
    k[:50] = rng.standard_normal((50, head_dim), np.float32)
    v[10:] = rng.standard_normal((54, head_dim), np.float32)
    keys, values = page(head_dim, np.uint8, 7)
    for slot in rng.permutation(64):
        kernels.kv_write(keys, values, slot, fenced(k[slot]), fenced(v[slot]))
    assert np.array_equal(keys, in_8_bits.keys(k))
    assert np.array_equal(values, in_8_bits.values(v))


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.uint8])
def test_equals_ref(kernels, ref, dtype):
    rng = np.random.default_rng(1)
    for head_dim in HEAD_DIMS:
        k, v = spiked(rng, (2, head_dim))
        got, want = page(head_dim, dtype, 1), page(head_dim, dtype, 1)
        kernels.kv_write(*got, 5, fenced(k), fenced(v))
        ref.kv_write(*want, 5, k, v)
        assert same(got[0], want[0]) and same(got[1], want[1]), head_dim


def test_halves_are_those_of_ieee(kernels):
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = np.sort(every[np.isfinite(every)].astype(np.float64))
    between = (finite[1:] + finite[:-1]) / 2
    exact = np.concatenate([finite, between]).astype(np.float32)
    nudged = np.concatenate([np.nextafter(exact, np.float32(side)) for side in (-1e9, 1e9)])
    x = np.concatenate([exact, nudged, EXTREMES])

    with np.errstate(over="ignore"):
        want = x.astype(np.float16)
    infinite = np.isinf(want)
    want[infinite] = np.copysign(np.float16(65504), want[infinite])
    assert same(halves(kernels, x), want)
