"""csrc/kernels/*/attention.c: decoding is bound by GB/s of cache, prefill by GFLOP/s.

Each is given beside how often a second one thread of this machine could do as much at most."""
import numpy as np

from benchmarks.harness import report
from benchmarks.limits import gops, operations, read_gb_s
from minichat import _native

# (tokens, group, head_dim, position): a token decoded, a few, prefills.
SIZES = [(1, 1, 128, 2047), (1, 2, 128, 2047), (1, 4, 64, 2047), (1, 8, 64, 2047),
         (1, 2, 128, 8191), (16, 2, 128, 2032), (512, 1, 128, 0), (512, 2, 128, 0),
         (512, 4, 64, 1536), (512, 3, 80, 0)]


def measure(isa, tokens, group, head_dim, position, gflops, gb_s):
    rng, kernels = np.random.default_rng(0), _native.Kernels(isa)
    pages, padded = (position + tokens + 63) // 64, -(-head_dim // 16) * 16
    data = rng.standard_normal((pages, 64 * (head_dim + padded)), np.float32).astype(np.float16)
    keys = data[:, :64 * head_dim].reshape(pages, head_dim, 64)
    values = data[:, 64 * head_dim:].reshape(pages, 64, padded)
    q = rng.standard_normal((tokens, group, head_dim), np.float32)
    out = np.empty_like(q)
    seen = sum(position + t + 1 for t in range(tokens))
    gigaflop, gigabytes = 4e-9 * seen * group * head_dim, data.nbytes / 1e9
    repeat = max(1, round(0.2 / gigaflop))
    report(f"attention/{isa}/{tokens}x{group},d={head_dim},at={position}",
           lambda: kernels.attention(out, q, keys, values, position, repeat=repeat),
           GFLOP=repeat * gigaflop, peaks=repeat * gigaflop / gflops,
           GB=repeat * gigabytes, reads=repeat * gigabytes / gb_s)


def main():
    fma = {name: gops(limit, 1) for name, limit in operations().items() if "fp32 fma" in name}
    gb_s = read_gb_s(1)
    for isa in _native.isas()[1:]:
        peak = fma.get(f"fp32 fma {512 if '512' in isa else 256}", max(fma.values()))
        for size in SIZES:
            measure(isa, *size, peak, gb_s)


if __name__ == "__main__":
    main()
