"""minichat/memory.py, on imitations of /proc and /sys/fs/cgroup."""
import pytest

from minichat import memory


@pytest.fixture
def system(tmp_path):
    """Writes files of /proc and of the cgroups' tree; returns what is available by them."""
    def available(meminfo="MemTotal: 99 kB\nMemAvailable: 1000 kB\n", groups="", **files):
        proc, cgroup = tmp_path / "proc", tmp_path / "cgroup"
        (proc / "self").mkdir(parents=True, exist_ok=True)
        if meminfo is not None:
            (proc / "meminfo").write_text(meminfo)
        (proc / "self/cgroup").write_text(groups)
        for name, content in files.items():
            path = cgroup / name.replace("__", "/").replace("_DOT_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return memory.available(proc, cgroup)
    return available


def group(folder, limit, used, cached=0):
    return {f"{folder}memory_DOT_max": limit, f"{folder}memory_DOT_current": used,
            f"{folder}memory_DOT_stat": f"anon 7\nactive_file {cached}\ninactive_file {cached}\n"}


def test_the_system_alone(system):
    assert system() == 1000 * 1024


@pytest.mark.parametrize("meminfo", [None, "", "MemAvailable:\n", "MemAvailable: x kB\n"])
def test_nothing_says(system, meminfo):
    assert system(meminfo) is None


def test_a_cgroup_has_less(system):
    assert system(groups="0::/a\n", **group("a__", "5000\n", "3000\n")) == 2000


def test_pages_of_files_count_as_free(system):
    assert system(groups="0::/a\n", **group("a__", "5000\n", "3000\n", cached=400)) == 2800


def test_a_group_around_it_has_less(system):
    assert system(groups="0::/a/b\n", **group("a__b__", "max\n", "3000\n"),
                  **group("a__", "9000\n", "8000\n")) == 1000


def test_no_limit_is_no_limit(system):
    assert system(groups="0::/\n", **group("", "max\n", "3000\n")) == 1000 * 1024


def test_more_used_than_allowed_is_nothing_left(system):
    assert system(groups="0::/\n", **group("", "3000\n", "5000\n")) == 0


def test_version_1(system):
    files = {"memory__c__memory_DOT_limit_in_bytes": "700",
             "memory__c__memory_DOT_usage_in_bytes": "300",
             "memory__c__memory_DOT_stat": "total_active_file 20\ntotal_inactive_file 30\n"}
    assert system(groups="5:memory:/c\n4:cpu:/d\n", **files) == 450


def test_this_machine():
    assert memory.available() is None or memory.available() > 1 << 20
