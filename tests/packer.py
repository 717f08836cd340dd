"""A second packer of weights, in numpy: what csrc/quantize.h promises, to the bit."""
import ml_dtypes
import numpy as np

from tests.kernels.panels import BOOKS, padded

F = np.float32
TINY, X_MAX = F(1e-30), 320


def pack(w, format):
    """Returns the bytes of w (n, k), float32, packed as format."""
    n, k = w.shape
    rows = np.zeros((-(-n // 16) * 16, k), F)
    rows[:n] = w
    with np.errstate(all="ignore"):
        return np.concatenate([pack_panel(panel, format) for panel in rows.reshape(-1, 16, k)])


def pack_panel(w, format):
    k = w.shape[1]
    if format in ("f32", "bf16"):
        full = np.pad(w, ((0, 0), (0, padded(k) - k))).T
        dtype = F if format == "f32" else ml_dtypes.bfloat16
        return np.ascontiguousarray(full).astype(dtype).reshape(-1).view(np.uint8)
    block = block_q8 if format == "q8" else block_q4
    return np.concatenate([block(w[:, start:start + 256]) for start in range(0, k, 256)])


def bf16_above(x):
    """The least bfloat16 that is at least x, for x >= 0, as float32."""
    near = x.astype(ml_dtypes.bfloat16)
    up = np.nextafter(near, ml_dtypes.bfloat16(np.inf))
    return np.where(near.astype(F) < x, up, near).astype(F)


def first_scale(w):
    amax = np.abs(w).max(-1)
    return np.where(amax < TINY, F(0), bf16_above(amax / F(127)))


def scale_bytes(scale):
    return scale.astype(ml_dtypes.bfloat16).view(np.uint8).reshape(-1)


def quads(values):
    """Reorders (16, size) as bytes of quads: (size / 4, 16 rows, 4)."""
    return values.reshape(16, -1, 4).transpose(1, 0, 2).reshape(-1, 64)


def block_q8(w):
    scale = first_scale(w)
    q = np.rint(w / np.where(scale > 0, scale, F(1))[:, None])
    q = np.pad(q, ((0, 0), (0, padded(w.shape[1]) - w.shape[1])))
    return np.concatenate([scale_bytes(scale), np.zeros(32, np.uint8),
                           (quads(q) + 128).astype(np.uint8).reshape(-1)])


def nearest(x):
    """Returns (entry, code) of every book for integers x, in halves; of two as near, the lower."""
    order = np.argsort(BOOKS, axis=1)                           # ascending
    entries = np.take_along_axis(BOOKS, order, 1)
    best = np.abs(x[..., None, None] - 2 * entries).argmin(-1)  # the first of equals
    book = np.arange(8)
    return entries[book, best], order[book, best]


NEAREST = nearest(np.arange(-X_MAX, X_MAX + 1))


def block_q4(w):
    """Four rounds of books for the scales, then scales for the values."""
    size, room = w.shape[1], padded(w.shape[1])
    strips = w.reshape(4, 4, size)
    exists = np.arange(room) < size
    d = first_scale(strips)                                     # (strip, row)
    for last in (False, False, False, True):
        divisor = np.where(d > 0, d / F(2), F(1))[..., None]
        x = np.rint(np.clip(strips / divisor, -X_MAX, X_MAX)).astype(int)
        x = np.pad(x, ((0, 0), (0, 0), (0, room - size)))
        entry, code = (table[x + X_MAX] for table in NEAREST)   # (strip, row, k, book)
        error = ((x[..., None] - 2 * entry) ** 2 * exists[:, None]).astype(F)
        error = error.reshape(4, 4, room // 4, 4, 8).sum(3)     # exact: small integers
        largest = d.max(1, keepdims=True)
        ratio = np.where(largest > 0, d / np.where(largest > 0, largest, F(1)), F(0))
        weighted = error * (ratio * ratio)[:, :, None, None]
        total = ((weighted[:, 0] + weighted[:, 1]) + weighted[:, 2]) + weighted[:, 3]
        key = (total.view(np.uint32) & ~np.uint32(7)) | np.arange(8, dtype=np.uint32)
        book = key.argmin(-1)                                   # (strip, group)
        chosen = np.repeat(book, 4, axis=1)[:, None, :, None]
        value = np.take_along_axis(entry, chosen, 3)[..., 0] * exists
        code = np.take_along_axis(code, chosen, 3)[..., 0]
        product, square = (x * value).sum(-1), (value * value).sum(-1)
        fit = product.astype(F) / (F(2) * square.astype(F))
        far = np.clip(F(1) + F(4) * (fit - F(1)), F(0.9), F(1.2))
        moved = d * (fit if last else far)
        d = np.where(product > 0, moved.astype(ml_dtypes.bfloat16).astype(F), d)
    return assemble_q4(d.reshape(16), book, code.reshape(16, room))


def assemble_q4(d, book, code):
    lines = quads(code).reshape(-1, 2, 64).astype(np.uint8)     # even quads, odd quads
    selectors = book.T.reshape(-1, 2, 4, 1) >> np.arange(3) & 1     # (lines, quads, strips, bits)
    bits = np.packbits(selectors.astype(np.uint8).reshape(-1), bitorder="little")
    return np.concatenate([scale_bytes(d), bits, np.zeros(96 - len(bits), np.uint8),
                           (lines[:, 0] | lines[:, 1] << 4).reshape(-1)])
