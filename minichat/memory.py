"""How much memory this process may still take."""
import os
import re
from pathlib import Path
from typing import NamedTuple

from .errors import RequestError

UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9,
         "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


class Room(NamedTuple):
    """What a model may take: so many bytes, None where nothing says, and the positions for which
    they have to suffice."""
    n_bytes: int | None
    positions: int = 1


def budget() -> int | None:
    """Returns the bytes that all models together may take, by MINICHAT_MEMORY ("8GB", "500MiB",
    "1000000"); None where it does not say."""
    given = os.environ.get("MINICHAT_MEMORY", "").strip()
    if not given:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-z]*)", given.lower())
    if not found or found[2] not in UNITS:
        raise RequestError(f"MINICHAT_MEMORY: found {given[:50]!r}; bytes are allowed, as in 8GB, "
                           "500MiB or 1000000")
    return int(float(found[1]) * UNITS[found[2]])


def available(proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Returns bytes: the least of what the system and each enclosing cgroup have left.

    Pages of files count as free, as they can be read again.  None where nothing says.
    """
    found = [system(proc), *map(left_in, groups(proc, cgroup))]
    known = [left for left in found if left is not None]
    return max(0, min(known)) if known else None


def system(proc: Path) -> int | None:
    try:
        for line in (proc / "meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def groups(proc: Path, cgroup: Path) -> list[Path]:
    """Returns the folders of this process's memory cgroup, of version 2 or 1, and its parents."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers in ("", "memory"):
            root = cgroup / controllers
            group = root / path.lstrip("/")
            found += [group, *(up for up in group.parents if up == root or root in up.parents)]
    return found


def left_in(group: Path) -> int | None:
    for limit, used, cached in (("memory.max", "memory.current", ("active_file", "inactive_file")),
                                ("memory.limit_in_bytes", "memory.usage_in_bytes",
                                 ("total_active_file", "total_inactive_file"))):
        try:
            most = int((group / limit).read_text())
            now = int((group / used).read_text())
            pairs = (line.split() for line in (group / "memory.stat").read_text().splitlines())
            return most - now + sum(int(value) for name, value in pairs if name in cached)
        except (OSError, ValueError):       # no such file, or "max"
            continue
    return None
