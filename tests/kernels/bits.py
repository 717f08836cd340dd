"""Equality bit for bit, where one NaN is as good as another, and floats that try it."""
import numpy as np

EXTREMES = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-45, -1e-45, 1e-38, 3e38, -3e38,
                     1e-20, -1e-20, 1e10, 65504, 65519.99, 65520, -65520, 6e-8, 2.9e-8, -1.0],
                    np.float32)
LENGTHS = [*range(1, 131), 172, 240, 1000, 1024]


def same(got, want):
    """True where got and want have the same bits, or are both NaN."""
    if got.dtype.kind != "f":
        return np.array_equal(got, want)
    bits = f"u{got.itemsize}"
    equal = np.ascontiguousarray(got).view(bits) == np.ascontiguousarray(want).view(bits)
    return bool(np.all(equal | (np.isnan(got) & np.isnan(want))))


def spiked(rng, shape, share=0.2):
    """Normal floats of which a share are extremes."""
    x = rng.standard_normal(shape, np.float32)
    return np.where(rng.random(shape) < share, rng.choice(EXTREMES, shape), x)


def inputs(rng, n):
    """Rows of n to try: plain, tiny, huge, zero, finite extremes, anything."""
    plain = rng.standard_normal(n, np.float32)
    finite = EXTREMES[np.isfinite(EXTREMES) & (abs(EXTREMES) < 1e15)]
    return [plain, plain * np.float32(1e-40), plain * np.float32(1e37), np.zeros(n, np.float32),
            np.where(rng.random(n) < 0.3, rng.choice(finite, n), plain), spiked(rng, n)]
