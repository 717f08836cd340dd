"""A second reading of keys and values in 8 bits (csrc/kernels.h), in numpy."""
import numpy as np


def quantized(x, size):
    """x (rows, n) in blocks of size: (int8 (rows, blocks, size), scales (rows, blocks))."""
    rows, n = x.shape
    blocks = -(-n // size)
    x = np.pad(x, [(0, 0), (0, blocks * size - n)]).reshape(rows, blocks, size)
    largest = abs(x).max(-1, keepdims=True)
    with np.errstate(all="ignore"):
        scale = np.where(largest < 1e-30, np.float32(0), largest / np.float32(127))
        q = np.rint(x * (np.float32(127) / largest))
    finite = np.isfinite(x).all(-1, keepdims=True)
    q = np.where(finite & (scale > 0), q, 0).astype(np.int8)
    return q, np.where(finite, scale, np.float32(np.nan))[..., 0].astype(np.float32)


def restored(x, size):
    """x (rows, n) as its 8 bits say, in float64."""
    q, scale = quantized(x, size)
    return (q * scale[..., None].astype(np.float64)).reshape(len(x), -1)[:, :x.shape[1]]


def keys(k):
    """A page's bytes of keys k (64, head_dim); NaN is a position that nobody has written."""
    q, scale = quantized(k, 32)
    quads = -(-k.shape[1] // 4)
    q = (q.reshape(64, -1)[:, :quads * 4].astype(np.int16) + 128).astype(np.uint8)
    return np.concatenate([q.reshape(64, quads, 4).swapaxes(0, 1).ravel(),
                           np.ascontiguousarray(scale.T).view(np.uint8).ravel()])


def values(v):
    """A page's bytes of values v (64, head_dim)."""
    head_dim = v.shape[1]
    q, scale = quantized(v, head_dim)
    q = np.pad(q.reshape(64, head_dim), [(0, 0), (0, -head_dim % 16)])
    pairs = q.reshape(32, 2, -1).swapaxes(1, 2)
    return np.concatenate([np.ascontiguousarray(pairs).view(np.uint8).ravel(),
                           np.ascontiguousarray(scale[:, 0]).view(np.uint8)])
