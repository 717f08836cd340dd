"""How many CPUs this process may use."""
from __future__ import annotations

import math
import os
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def quota(cgroup: Path = CGROUP, process: Path = Path("/proc/self/cgroup")) -> float | None:
    """Returns the CPUs that the process's cgroups grant, None where they set no limit.

    Reads cpu.max of version 2, from the process's group up to the root, and
    cpu.cfs_quota_us of version 1.
    """
    limits = []
    try:
        lines = process.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        number, controllers, path = line.split(":", 2)
        if number == "0":
            folder = cgroup / path.lstrip("/")
            for place in [folder, *folder.parents]:
                limits.append(ratio(place / "cpu.max"))
                if place == cgroup:
                    break
        elif "cpu" in controllers.split(","):
            for place in (cgroup / "cpu" / path.lstrip("/"), cgroup / "cpu"):
                limits.append(ratio(place / "cpu.cfs_quota_us", place / "cpu.cfs_period_us"))
    return min((limit for limit in limits if limit is not None), default=None)


def ratio(*files: Path) -> float | None:
    try:
        quota_us, period_us = " ".join(file.read_text().strip() for file in files).split()
        return int(quota_us) / int(period_us) if int(quota_us) > 0 else None
    except (OSError, ValueError):       # no such file, or "max"
        return None


def available() -> int:
    """Returns the CPUs of this process: its affinity, within its cgroup's quota; at least 1."""
    has_affinity = hasattr(os, "sched_getaffinity")
    there = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    granted = quota()
    return max(1, there if granted is None else min(there, math.ceil(granted)))
