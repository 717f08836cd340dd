"""python -m benchmarks.limits: what this machine can do at most, on one thread and on all.

Reading memory far beyond the caches, and multiply-adds from registers for each instruction
that limits.c knows and this machine has.  Measured beside every benchmark: on a shared machine
a figure means something only as a share of what there was to have at that minute."""
import ctypes
import mmap
import os
import subprocess
import tempfile
import threading
import time
from functools import cache
from pathlib import Path

from benchmarks.harness import emit, machine

READ_BYTES = 1 << 29        # a thread's own; no last-level cache that one of us has holds it


class Limit(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("operations", ctypes.c_double),
                ("run", ctypes.CFUNCTYPE(None, ctypes.c_long))]


@cache
def library():
    """limits.c, compiled for this machine."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "limits.so")
        subprocess.run([os.environ.get("CC", "cc"), "-O3", "-march=native", "-shared", "-fPIC",
                        "-o", target, Path(__file__).with_suffix(".c")], check=True)
        return ctypes.CDLL(str(target))


@cache
def memory(thread):
    """READ_BYTES of memory in huge pages where the system gives them, every page there."""
    area = mmap.mmap(-1, READ_BYTES)
    area.madvise(mmap.MADV_HUGEPAGE)
    address = ctypes.addressof(ctypes.c_char.from_buffer(area))
    ctypes.memset(address, 1, READ_BYTES)
    return area, address


def together(threads, run):
    """Seconds until run(thread) has returned on as many threads, started at one moment."""
    barrier = threading.Barrier(threads + 1)

    def body(thread):
        barrier.wait()
        run(thread)

    workers = [threading.Thread(target=body, args=(thread,)) for thread in range(threads)]
    for worker in workers:
        worker.start()
    barrier.wait()
    start = time.perf_counter()
    for worker in workers:
        worker.join()
    return time.perf_counter() - start


def read_gb_s(threads, repeats=3):
    """Fastest of some reads, in GB/s of all threads together."""
    read = library().limits_read
    read.argtypes, read.restype = [ctypes.c_void_p, ctypes.c_size_t], None
    addresses = [memory(thread)[1] for thread in range(threads)]
    best = min(together(threads, lambda thread: read(addresses[thread], READ_BYTES))
               for _ in range(repeats))
    return threads * READ_BYTES / best / 1e9


def operations():
    """name -> the loop, for what this machine has."""
    limits, found = ctypes.pointer(Limit.in_dll(library(), "limits")), {}
    while limits[len(found)].name:
        limit = limits[len(found)]
        found[limit.name.decode()] = limit
    return found


def gops(limit, threads, repeats=3, iterations=2_000_000):
    """Fastest of some runs, in 1e9 operations a second of all threads together."""
    best = min(together(threads, lambda thread: limit.run(iterations)) for _ in range(repeats))
    return threads * iterations * limit.operations / best / 1e9


def main():
    facts = machine()
    for threads in sorted({1, facts["cores"]}):
        emit(f"limits/read/{threads}T", {"GB/s": read_gb_s(threads)}, facts)
        for name, limit in operations().items():
            emit(f"limits/{name}/{threads}T", {"GOPS": gops(limit, threads)}, facts)


if __name__ == "__main__":
    main()
