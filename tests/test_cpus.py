"""cpus.py: affinity and cgroups."""
import os

import pytest

from minichat import cpus


def group(root, **files):
    for path, text in files.items():
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)


def test_version_2_takes_the_least_on_the_way_up(tmp_path):
    process = tmp_path / "cgroup"
    process.write_text("0::/a/b\n")
    root = tmp_path / "fs"
    group(root, **{"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 100000\n",
                   "cpu.max": "400000 100000\n"})
    assert cpus.quota(root, process) == 1.5


def test_version_1(tmp_path):
    process = tmp_path / "cgroup"
    process.write_text("4:cpu,cpuacct:/x\n2:memory:/x\n")
    root = tmp_path / "fs"
    group(root, **{"cpu/x/cpu.cfs_quota_us": "-1\n", "cpu/x/cpu.cfs_period_us": "100000\n",
                   "cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"})
    assert cpus.quota(root, process) == 3.0


@pytest.mark.parametrize("text", ["", "nonsense", "max 100000", "5"])
def test_no_limit_is_none(tmp_path, text):
    process = tmp_path / "cgroup"
    process.write_text("0::/\n")
    group(tmp_path / "fs", **{"cpu.max": text})
    assert cpus.quota(tmp_path / "fs", process) is None
    assert cpus.quota(tmp_path, tmp_path / "missing") is None


def test_no_more_than_the_affinity(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    for granted, expected in ((None, 3), (1.2, 2), (0.1, 1), (64.0, 3)):
        monkeypatch.setattr(cpus, "quota", lambda granted=granted: granted)
        assert cpus.available() == expected
