"""What a row costs beside the products: norms, rope, activations, quantisation.

Rows in cache: the unit is 1e9 values a second.  kv_write is too short to be timed from here."""
import numpy as np

from benchmarks.harness import report
from minichat import _native

N, ROWS = 16384, 16
HEADS, HEAD_DIM = 16, 128


def runs(kernels):
    """name -> (run(), the values it takes)."""
    rng = np.random.default_rng(0)
    x, y, weight, out = rng.standard_normal((4, N), np.float32)
    rows = rng.standard_normal((ROWS, N), np.float32)
    heads = rng.standard_normal((ROWS * HEADS, HEAD_DIM), np.float32)
    cos, sin = rng.uniform(-1, 1, (2, HEAD_DIM // 2)).astype(np.float32)
    return {
        "quantize_row": (lambda: kernels.quantize(rows), rows.size),
        "rope": (lambda: kernels.rope(heads, cos, sin), heads.size),
        "rmsnorm": (lambda: kernels.rmsnorm(out, x, weight, 1e-6), N),
        "layernorm": (lambda: kernels.layernorm(out, x, weight, y, 1e-6), N),
        "silu": (lambda: kernels.activate(out, x, y, "silu"), N),
        "gelu_tanh": (lambda: kernels.activate(out, x, y, "gelu_tanh"), N),
        "relu": (lambda: kernels.activate(out, x, y, "relu"), N),
        "add_scaled": (lambda: kernels.add_scaled(out, x, 0.0), N),
    }


def main():
    for isa in _native.isas():
        for name, (run, values) in runs(_native.Kernels(isa)).items():
            report(f"{name}/{isa}", run, Gvalues=values / 1e9)


if __name__ == "__main__":
    main()
