"""csrc/kernels/*/matmul_*.c: decoding is bound by GB/s of weights, prefill by GMAC/s.

A few tokens run over a matrix larger than the last-level cache, on one core and on all, beside
how often a second the same cores could read as much; many tokens run over one that fits, on one
core, beside how often it could multiply as much from registers.  Both are read again for each
figure, because a busy machine has less of them from minute to minute.

    python -m benchmarks.kernels.bench_matmul [ISA ...] [FORMAT ...]"""
import os
import sys

import numpy as np

from benchmarks.harness import report
from benchmarks.limits import gops, operations, read_gb_s, together
from minichat import _native

FORMATS = ["q4", "q8", "bf16", "f32"]
DECODE = (65536, 2048)
PREFILL = [(4096, 2048), (1536, 576), (2048, 8192)]
FEW, MANY = (1, 2, 4, 8), (16, 64, 512)
# The multiply-adds that an ISA's 8-bit products are made of, as limits.c calls them.
INT8 = {"avx2": "int8 maddubs 256", "avxvnni": "int8 vpdpbusd 256", "neon": "int8 sdot 128",
        "avx512vnni": "int8 vpdpbusd 512", "avx512vbmi": "int8 vpdpbusd 512", "amx": "int8 amx"}
FLOAT = {"avx2": "fp32 fma 256", "avxvnni": "fp32 fma 256", "neon": "fp32 fma 128"}


def rows(kernels, format, m, k):
    x = np.random.default_rng(m).standard_normal((m, k), np.float32)
    return kernels.quantize(x) if format in ("q4", "q8") else x


def packed(format, n, k):
    """Bytes of which every float is a normal one, and no product slower than another."""
    data = _native.aligned(_native.packed_bytes(format, n, k))
    data[:] = np.random.default_rng(n).integers(0x30, 0x40, data.size, np.uint8)
    return data


def decode(isa, format, threads):
    kernels, (n, k) = _native.Kernels(isa), DECODE
    weights, panels = packed(format, n, k), n // _native.TILE_ROWS
    for m in FEW:
        x, out = rows(kernels, format, m, k), np.empty((m, n), np.float32)

        def run(thread):
            kernels.matmul(out, x, weights, format, n, k, panels * thread // threads,
                           panels * (thread + 1) // threads)

        gb = weights.nbytes / 1e9
        report(f"matmul_{format}/{isa}/m={m},n={n},k={k}/{threads}T",
               lambda: together(threads, run), GB=gb, reads=gb / read_gb_s(threads))


def prefill(isa, format, limits):
    kernels = _native.Kernels(isa)
    limit = limits.get((INT8 if format in ("q4", "q8") else FLOAT).get(isa, "fp32 fma 512"))
    for n, k in PREFILL:
        weights = packed(format, n, k)
        for m in MANY:
            x, out = rows(kernels, format, m, k), np.empty((m, n), np.float32)
            gmac = m * n * k / 1e9
            peaks = {"peaks": 2 * gmac / gops(limit, 1)} if limit else {}
            report(f"matmul_{format}/{isa}/m={m},n={n},k={k}",
                   lambda: kernels.matmul(out, x, weights, format, n, k), GMAC=gmac, **peaks)


def main():
    limits, chosen = operations(), sys.argv[1:]
    isas = [isa for isa in _native.isas()[1:] if isa in chosen] or _native.isas()[1:]
    formats = [format for format in FORMATS if format in chosen] or FORMATS
    for isa in isas:
        for format in formats:
            for threads in sorted({1, len(os.sched_getaffinity(0))}):
                decode(isa, format, threads)
            prefill(isa, format, limits)


if __name__ == "__main__":
    main()
