"""A second reading of csrc/kernels/panels.h, in numpy: random matrices and their values."""
import ml_dtypes
import numpy as np

from minichat import _native

BOOK = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113]
STEPS = [BOOK,
         [-97, -79, -63, -49, -37, -27, -17, -8, 1, 10, 19, 29, 40, 52, 68, 86],
         [-73, -60, -48, -38, -28, -20, -13, -6, 1, 8, 14, 22, 31, 40, 51, 65],
         [-56, -46, -36, -29, -22, -15, -10, -4, 0, 6, 11, 17, 23, 30, 39, 50]]
BOOKS = np.array([sign * np.array(step) for step in STEPS for sign in (1, -1)])


def padded(k):
    return -(-k // 64) * 64


def blocks(k):
    """The sizes of a row's blocks."""
    return [min(256, padded(k) - start) for start in range(0, padded(k), 256)]


def random_scales(rng):
    """32 bytes: bf16 of both signs and many sizes, some of them zero."""
    scales = rng.standard_normal(16) * 10.0 ** rng.integers(-6, 3, 16)
    scales[rng.random(16) < 0.1] = rng.choice([0.0, -0.0])
    return scales.astype(ml_dtypes.bfloat16).view(np.uint8)


def random_packed(rng, format, n, k):
    """Bytes of a packed matrix (n, k): every code, selector and value occurs."""
    panels = []
    for _ in range(-(-n // 16)):
        if format in ("bf16", "f32"):
            values = rng.standard_normal((padded(k), 16)) * 10.0 ** rng.integers(-3, 3, 16)
            dtype = np.float32 if format == "f32" else ml_dtypes.bfloat16
            panels.append(values.astype(dtype).reshape(-1).view(np.uint8))
            continue
        for size in blocks(k):
            panels.append(random_scales(rng))
            if format == "q8":
                panels.append(np.full(32, 0xa5, np.uint8))      # unused: may hold anything
                panels.append(rng.integers(0, 256, 16 * size, np.uint8))
            else:
                panels.append(rng.integers(0, 256, 96 + 8 * size, np.uint8))
    joined = np.concatenate(panels)
    packed = _native.aligned(joined.size)
    packed[:] = joined
    return packed


def unpack(packed, format, n, k):
    """Returns (values (16 * panels, padded k), scales (16 * panels, blocks)) in float64, so
    that a weight is value * scale; the scales of floats are 1."""
    rows = []
    at = 0

    def take(count):
        nonlocal at
        at += count
        return packed[at - count:at]

    for _ in range(-(-n // 16)):
        if format in ("bf16", "f32"):
            dtype, width = (np.float32, 4) if format == "f32" else (ml_dtypes.bfloat16, 2)
            values = take(padded(k) * 16 * width).view(dtype).reshape(-1, 16)
            rows.append((values.T.astype(np.float64), np.ones((16, len(blocks(k))))))
            continue
        values, scales = [], []
        for size in blocks(k):
            scales.append(take(32).view(ml_dtypes.bfloat16).astype(np.float64))
            quads = quads_q8(take, size) if format == "q8" else quads_q4(take, size)
            values.append(quads.reshape(-1, 16, 4).transpose(1, 0, 2).reshape(16, size))
        rows.append((np.hstack(values), np.stack(scales, 1)))
    assert at == len(packed)
    return np.vstack([values for values, _ in rows]), np.vstack([scales for _, scales in rows])


def quads_q8(take, size):
    take(32)
    return take(16 * size).astype(np.float64) - 128


def quads_q4(take, size):
    bits = np.unpackbits(take(96), bitorder="little").reshape(32, 2, 4, 3)
    selectors = (bits @ [1, 2, 4])[:size // 8]                  # (lines, quads, groups)
    lines = take(8 * size).reshape(-1, 1, 64)
    codes = np.concatenate([lines & 15, lines >> 4], 1)         # (lines, quads, 64)
    return BOOKS[np.repeat(selectors, 16, axis=2), codes].astype(np.float64)
