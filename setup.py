"""Builds minichat._native: one static library per ISA, then the Cython module.

To add an ISA: a folder in csrc/kernels/, a line in ISA_FLAGS, a row in
csrc/dispatch.c and, if it needs a new feature test, a bit in csrc/cpu.c.
"""
import os
import platform
import shlex
import subprocess
import sysconfig
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

# Each feature named here is asked for in csrc/cpu.c; tests/test_style.py compares.
AVX2 = ["-mavx2", "-mfma", "-mf16c"]
AVX512VNNI = AVX2 + ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx512vnni"]
ISA_FLAGS = {
    "x86_64": {
        "avx2": AVX2,
        "avxvnni": AVX2 + ["-mavxvnni"],
        "avx512vnni": AVX512VNNI,
        "avx512vbmi": AVX512VNNI + ["-mavx512vbmi"],
        "amx": AVX512VNNI + ["-mavx512vbmi", "-mamx-tile", "-mamx-int8"],
    },
    "aarch64": {"neon": ["-march=armv8.2-a+dotprod+fp16"]},
}
MACHINE = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
# Contraction and fast-math would change results between ISAs.
CFLAGS = ["-std=c11", "-O3", "-Wall", "-Wextra", "-Werror=implicit", "-ffp-contract=off",
          "-fno-math-errno", "-fno-lto", "-fvisibility=hidden"]
# With partial redundancy elimination gcc copies every accumulator of a matmul at every step.
GCC_CFLAGS = ["-fno-tree-pre"]
CSRC = sorted(map(str, Path("csrc").rglob("*.[ch]")))


def is_clang():
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    version = subprocess.run([*compiler, "--version"], capture_output=True, text=True, check=False)
    return "clang" in version.stdout


KERNEL_CFLAGS = CFLAGS if is_clang() else CFLAGS + GCC_CFLAGS


def kernel_library(isa, flags):
    sources = sorted(map(str, Path("csrc/kernels", isa).glob("*.c")))
    headers = [path for path in CSRC if path.endswith(".h")]
    return f"mc_{isa}", {"sources": sources, "include_dirs": ["csrc"],
                         "obj_deps": {"": headers}, "cflags": KERNEL_CFLAGS + flags}


setup(
    packages=["minichat", "minichat.families", "minichat.templates", "minichat.tool_calls"],
    libraries=[kernel_library(isa, flags)
               for isa, flags in {**ISA_FLAGS.get(MACHINE, {}), "ref": []}.items()],
    ext_modules=cythonize([Extension(
        "minichat._native",
        sources=["minichat/_native.pyx", *sorted(map(str, [*Path("csrc").glob("*.c"),
                                                           *Path("csrc/blocks").glob("*.c")]))],
        # Relink when a kernel changes.
        depends=[*CSRC, *map(str, Path("minichat/native").glob("*.pxi"))],
        include_dirs=["csrc"],
        extra_compile_args=[*CFLAGS, "-Wno-unused-function", "-Wno-unused-parameter"],
        extra_link_args=["-pthread"],
    )], compiler_directives={"language_level": 3, "boundscheck": False, "wraparound": False}),
)
