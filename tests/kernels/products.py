"""What every matmul is held to; test_matmul_<format>.py runs it."""
import numpy as np

from . import panels
from .bits import same
from .fence import fenced

# k: padded, a short last block, whole blocks, several.  n: padding rows, odd counts of panels.
SHAPES = [(n, k) for n in (1, 16, 20, 48, 80) for k in (64, 100, 240, 256, 320)] + [
    (48, 1024), (960, 576)]
TOKENS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 33, 65]


def random_rows(rng, format, m, k):
    """Activations as quantize returns them, extremes among them, or float32."""
    width = panels.padded(k)
    if format in ("bf16", "f32"):
        x = rng.standard_normal((m, width), np.float32) * np.float32(10.0 ** rng.integers(-3, 3))
        x[:, k:] = 0
        return fenced(x)
    q = rng.integers(-127, 128, (m, width), np.int8)
    q[rng.random(m) < 0.2] = rng.choice([-127, 127])
    q[:, k:] = 0
    scale = rng.standard_normal((m, len(panels.blocks(k))), np.float32)
    scale[rng.random(scale.shape) < 0.1] = 0
    starts = np.arange(0, width, 256)
    return fenced(q), fenced(scale), fenced(np.add.reduceat(q, starts, axis=1, dtype=np.int32))


def check_equals_ref(kernels, ref, format, n, k):
    """Every count of tokens, over weights that end at a fence."""
    rng = np.random.default_rng([n, k])
    packed = fenced(panels.random_packed(rng, format, n, k))
    width = -(-n // 16) * 16
    for m in TOKENS if n < 960 else (1, 6, 21):
        x = random_rows(rng, format, m, k)
        out, want = (fenced(np.full((m, width), np.nan, np.float32)) for _ in range(2))
        ref.matmul(want, x, packed, format, n, k)
        kernels.matmul(out, x, packed, format, n, k)
        assert same(out, want), m


def check_writes_only_its_columns(kernels, ref, format):
    rng = np.random.default_rng(0)
    n, k = 16 * 7, 320
    packed = panels.random_packed(rng, format, n, k)
    for m in (1, 5, 20):
        x = random_rows(rng, format, m, k)
        want = np.empty((m, n), np.float32)
        ref.matmul(want, x, packed, format, n, k)
        for first in range(7):
            for last in range(first, 8):
                out = np.full((m, n + 16), np.nan, np.float32)
                kernels.matmul(out, x, packed, format, n, k, first, last)
                inside = slice(16 * first, 16 * last)
                assert same(out[:, inside], want[:, inside])
                assert np.isnan(np.delete(out, inside, axis=1)).all()


def check_agrees_with_float64(ref, format, n, k):
    """Within the roundings of one chain, by the sum of the terms' sizes."""
    rng = np.random.default_rng([n, k])
    packed = panels.random_packed(rng, format, n, k)
    values, scales = panels.unpack(packed, format, n, k)
    x = random_rows(rng, format, 3, k)
    out = np.empty((3, len(values)), np.float32)

    ref.matmul(out, x, packed, format, n, k)

    sizes = panels.blocks(k)
    w = values * np.repeat(scales, sizes, axis=1)
    if format in ("bf16", "f32"):
        x = x.astype(np.float64)
        roundings = panels.padded(k)
    else:
        x = x[0].astype(np.float64) * np.repeat(x[1].astype(np.float64), sizes, axis=1)
        roundings = len(sizes) + 2
    assert np.all(abs(out - x @ w.T) <= roundings * 2.0 ** -24 * (abs(x) @ abs(w).T))
