"""Packed weights on disk: one file for a model and quantization, replaced as a whole.

A file is used only if it starts with exactly the header that would be written now,
which names the sources, their sizes and times, and the layout; and has its full length.
"""
import errno
import fcntl
import hashlib
import json
import mmap
import os
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import IO

from .aside import Aside
from .errors import NativeError

ALIGNMENT = 64          # of every tensor, in the file and so in memory
CHECKSUMS = "checksums"         # the last tensor: SHA-256 of each of the others
REMEDY = ("set MINICHAT_CACHE to a folder that can be written, "
          "or to an empty string to pack the weights at every load")


def folder(given: str | os.PathLike[str] | None = None) -> Path | None:
    """Returns where packed weights are kept; None where the caller wants them nowhere ("")."""
    if given is None:
        given = os.environ.get("MINICHAT_CACHE")
    if given is not None:
        return Path(given).expanduser() if os.fspath(given) else None
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "minichat"


@dataclass(frozen=True)
class Layout:
    """What a file of packed weights must be, to the byte, but for the weights themselves."""
    sizes: Mapping[str, int]            # of tensors, in bytes, multiples of 64, in their order
    metadata: Mapping[str, str]

    @property
    def checksum_bytes(self) -> int:
        return 32 * len(self.sizes) + -32 * len(self.sizes) % ALIGNMENT

    @cached_property
    def header(self) -> bytes:
        """The head of a safetensors file of byte tensors, which start aligned."""
        entries: dict[str, object] = {"__metadata__": dict(self.metadata)}
        start = 0
        for name, n_bytes in {**self.sizes, CHECKSUMS: self.checksum_bytes}.items():
            entries[name] = {"dtype": "U8", "shape": [n_bytes],
                             "data_offsets": [start, start + n_bytes]}
            start += n_bytes
        text = json.dumps(entries, separators=(",", ":")).encode()
        text += b" " * (-(8 + len(text)) % ALIGNMENT)
        return len(text).to_bytes(8, "little") + text

    @cached_property
    def starts(self) -> list[int]:
        """Where each tensor starts in the file, and where the last one ends."""
        return list(accumulate(self.sizes.values(), initial=len(self.header)))

    @property
    def checksums_start(self) -> int:
        return self.starts[-1]

    @property
    def n_bytes(self) -> int:
        return self.checksums_start + self.checksum_bytes


def load(path: Path, layout: Layout, fill: Callable[[mmap.mmap], None], *,
         verify: bool = False, threads: int = 1) -> mmap.mmap:
    """Maps the file at path, made anew by fill if it is not what layout says.

    With verify, its checksums are compared too, which reads all of it.
    """
    found = open_valid(path, layout)
    if found is not None and verify and not sums_fit(found, layout, threads):
        found = None
    return found or write(path, layout, fill, threads)


def open_valid(path: Path, layout: Layout) -> mmap.mmap | None:
    try:
        with path.open("rb") as file:
            if (os.fstat(file.fileno()).st_size != layout.n_bytes
                    or file.read(len(layout.header)) != layout.header):
                return None
            return mmap.mmap(file.fileno(), layout.n_bytes, access=mmap.ACCESS_READ)
    except FileNotFoundError:
        return None
    except OSError as e:
        raise NativeError(f"{path}: cannot be read: {e.strerror}; {REMEDY}") from None


def write(path: Path, layout: Layout, fill: Callable[[mmap.mmap], None],
          threads: int) -> mmap.mmap:
    """Writes a file beside path, then puts it in path's place; returns it, mapped.

    Its room on disk is taken before fill is called.  Others may write the same path at
    the same time: each writes a file of its own, and the last one stays.
    """
    with told(path.parent, layout):
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path)
        temporary, file = locked_beside(path)
    with file:
        try:
            with told(path.parent, layout):
                reserve(file.fileno(), layout.n_bytes)
                new = mmap.mmap(file.fileno(), layout.n_bytes)
            new[:len(layout.header)] = layout.header
            fill(new)
            sums = b"".join(checksums(new, layout, threads))
            new[layout.checksums_start:layout.checksums_start + len(sums)] = sums
            with told(path.parent, layout):
                new.flush()
                os.fsync(file.fileno())
                os.replace(temporary, path)
                sync_folder(path.parent)
                return mmap.mmap(file.fileno(), layout.n_bytes, access=mmap.ACCESS_READ)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def reserve(fd: int, n_bytes: int) -> None:
    """Takes room on disk: where that runs out under a mapping, the process ends."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, n_bytes)
        return
    room = os.fstatvfs(fd)                      # macOS
    if room.f_bavail * room.f_frsize < n_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.ftruncate(fd, n_bytes)


@contextmanager
def told(place: Path, layout: Layout) -> Iterator[None]:
    """Says of a refusal where it was, what was wanted and what to do."""
    try:
        yield
    except OSError as e:
        raise NativeError(f"{place}: {layout.n_bytes} bytes of packed weights cannot be kept "
                          f"there: {e.strerror}; {REMEDY}") from None


def checksums(mapped: mmap.mmap, layout: Layout, threads: int) -> list[bytes]:
    view = memoryview(mapped)
    parts = [view[start:start + size] for start, size in zip(layout.starts, layout.sizes.values())]
    with Aside("minichat-checksums", threads) as crew:
        return list(crew.each(lambda part: hashlib.sha256(part).digest(), parts))


def sums_fit(mapped: mmap.mmap, layout: Layout, threads: int) -> bool:
    sums = b"".join(checksums(mapped, layout, threads))
    return mapped[layout.checksums_start:layout.checksums_start + len(sums)] == sums


def locked_beside(path: Path) -> tuple[Path, IO[bytes]]:
    """Creates a file for the one that will take path's place; its lock says that we live."""
    while True:
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
        file = temporary.open("xb+")
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_nlink:
            return temporary, file
        file.close()            # another process swept it before it was locked


def sweep(path: Path) -> None:
    """Removes what writers of path left behind that were killed: their locks are gone."""
    for left in path.parent.glob(f".{path.name}.*.tmp"):
        try:
            with left.open("rb+") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                left.unlink(missing_ok=True)
        except OSError:
            continue


def sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
