"""How much memory this process may still take."""
from pathlib import Path


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
