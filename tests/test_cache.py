"""minichat/cache.py: packed weights on disk, used only when they are exactly what was asked for."""
import fcntl
import json
import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

from minichat import cache, weights
from minichat.errors import NativeError
from tests import random_model
from tests.process import python
from tests.test_weights import load


@pytest.fixture
def folder(tmp_path):
    return random_model.write(tmp_path / "model", random_model.TINY, shards=2)


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache"


@pytest.fixture
def want(folder):
    return {name: tensor.data.copy() for name, tensor in load(folder, cache_dir="").items()}


def packs(folder, kept, quantization="q8", **options):
    """Loads, and says whether that packed; whether the right bytes came out is checked always."""
    calls = []
    found = load(folder, quantization, cache_dir=kept, progress=lambda *call: calls.append(call),
                 **options)
    for name, tensor in load(folder, quantization, cache_dir="").items():
        assert np.array_equal(found[name].data, tensor.data), name
    return bool(calls)


def test_the_second_load_packs_nothing(folder, kept):
    assert packs(folder, kept)
    [file] = kept.iterdir()
    written = file.stat().st_mtime_ns

    assert not packs(folder, kept) and not packs(folder, kept, verify=True)
    assert file.stat().st_mtime_ns == written


def test_the_second_load_takes_milliseconds(folder, kept):
    load(folder, cache_dir=kept)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        load(folder, cache_dir=kept)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.02


def test_a_file_is_valid_safetensors_with_aligned_tensors(folder, kept):
    found = load(folder, cache_dir=kept)
    with safe_open(found.path, framework="numpy") as file:
        assert set(file.keys()) == {*found, cache.CHECKSUMS}
        assert file.metadata()["quantization"] == "q8"
        for name, tensor in found.items():
            raw = tensor.data.reshape(-1).view(np.uint8)
            assert np.array_equal(file.get_tensor(name)[:len(raw)], raw)
    content = found.path.read_bytes()
    start = 8 + int.from_bytes(content[:8], "little")
    entries = json.loads(content[8:start])
    assert all((start + entries[name]["data_offsets"][0]) % 64 == 0 for name in found)


def test_quantizations_and_folders_keep_files_of_their_own(folder, kept, tmp_path):
    other = shutil.copytree(folder, tmp_path / "elsewhere/model")
    for _ in range(2):
        for model in (folder, other):
            for quantization in weights.QUANTIZATIONS:
                load(model, quantization, cache_dir=kept)
    assert len(list(kept.iterdir())) == 8
    assert not packs(folder, kept, "q4") and not packs(other, kept, "q4")


def rewrite_config(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"rope_theta": 5000.0}))


def touch_shard(folder):
    shard = min(folder.glob("*.safetensors"))
    os.utime(shard, ns=(0, shard.stat().st_mtime_ns + 1))


def replace_shard(folder):
    """The same size, time and header, but another inode and other weights."""
    shard = sorted(folder.glob("*.safetensors"))[1]
    before, content = shard.stat(), bytearray(shard.read_bytes())
    content[-2] ^= 1
    shard.rename(folder / "old")        # keeps the inode from being given again
    shard.write_bytes(content)
    os.utime(shard, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("change", [rewrite_config, touch_shard, replace_shard])
def test_other_sources_are_packed_anew(folder, kept, change):
    packs(folder, kept)
    change(folder)

    assert packs(folder, kept)
    assert len(list(kept.iterdir())) == 1


def test_another_layout_is_packed_anew(folder, kept, monkeypatch):
    packs(folder, kept)
    monkeypatch.setattr(weights, "LAYOUT", weights.LAYOUT + 1)
    assert packs(folder, kept)


def regions(file):
    """Byte positions all over a file: its size field, header, start, middle and end of data."""
    header = 8 + int.from_bytes(file.read_bytes()[:8], "little")
    size = file.stat().st_size
    return {"size field": [0, 1, 7], "header": range(8, header, 97), "data": [header, size // 2],
            "checksums": [size - 64 * 32]}


@pytest.mark.parametrize("region", ["size field", "header", "data", "checksums"])
def test_damage_is_found_and_repaired(folder, kept, region):
    path = load(folder, cache_dir=kept).path
    for position in regions(path)[region]:
        content = bytearray(path.read_bytes())
        content[position] ^= 0x10
        path.write_bytes(content)

        assert packs(folder, kept, verify=region in ("data", "checksums"))
        assert not packs(folder, kept, verify=True)


@pytest.mark.parametrize("length", [0, 1, 7, 8, 100, -64, -1, 64])
def test_another_length_is_found_and_repaired(folder, kept, length):
    path = load(folder, cache_dir=kept).path
    size = path.stat().st_size
    os.truncate(path, length if 0 <= length <= 100 else size + length)
    assert packs(folder, kept)
    os.truncate(path, size + abs(length) + 1)
    assert packs(folder, kept)
    assert path.stat().st_size == size


def test_something_else_in_its_place(folder, kept):
    path = load(folder, cache_dir=kept).path
    path.unlink()
    path.mkdir()
    with pytest.raises(NativeError, match="set MINICHAT_CACHE"):
        load(folder, cache_dir=kept)


def test_weights_that_are_mapped_survive_a_new_file(folder, kept, want):
    old = load(folder, cache_dir=kept)
    touch_shard(folder)
    load(folder, cache_dir=kept)
    assert all(np.array_equal(old[name].data, want[name]) for name in want)


LOAD = """
import sys
from tests.test_weights import load
print("ready", flush=True)
sys.stdin.readline()
load(sys.argv[1], "q4", cache_dir=sys.argv[2])
"""


def started(folder, kept, code=LOAD):
    process = subprocess.Popen(python(code, folder, kept), text=True, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    assert process.stdout.readline() == "ready\n"
    return process


def test_processes_may_pack_at_the_same_time(folder, kept):
    processes = [started(folder, kept) for _ in range(4)]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()

    assert [process.wait(60) for process in processes] == [0] * 4
    assert len(list(kept.iterdir())) == 1
    assert not packs(folder, kept, "q4", verify=True)


KILLED = """
import os, signal, sys
from tests.test_weights import load
print("ready", flush=True)
load(sys.argv[1], "q4", cache_dir=sys.argv[2],
     progress=lambda *_: os.kill(os.getpid(), signal.SIGKILL))
"""


def test_what_a_killed_process_left_is_swept(folder, kept):
    assert started(folder, kept, KILLED).wait(60) < 0
    [left] = kept.iterdir()
    assert left.name.endswith(".tmp")

    assert packs(folder, kept, "q4")
    assert [path.suffix for path in kept.iterdir()] == [".safetensors"]


def test_a_file_that_is_swept_before_it_is_locked(folder, kept, monkeypatch):
    """Another process may sweep between our creating a file and locking it: we make another."""
    lock, swept = fcntl.flock, []

    def late(file, operation):
        if operation == fcntl.LOCK_EX and not swept:
            swept.append(file.name)
            Path(file.name).unlink()
        return lock(file, operation)

    monkeypatch.setattr(fcntl, "flock", late)
    assert packs(folder, kept) and swept
    assert not packs(folder, kept, verify=True)


def test_what_a_living_process_writes_is_not_swept(folder, kept):
    path = load(folder, cache_dir=kept).path
    with (kept / f".{path.name}.1.aa.tmp").open("wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        touch_shard(folder)
        assert packs(folder, kept)
        assert Path(other.name).exists()
    touch_shard(folder)
    assert packs(folder, kept)
    assert not Path(other.name).exists()


def test_no_room_on_disk_is_found_before_the_work(folder, kept):
    """A limit on the size of files stands in for a full disk: room is asked for the same way."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))
    calls = []
    try:
        with pytest.raises(NativeError, match=f"{kept}: .* bytes .* File too large; set MINICHAT"):
            load(folder, cache_dir=kept, progress=lambda *c: calls.append(c))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert calls == [] and list(kept.iterdir()) == []


def test_where_room_cannot_be_reserved_it_is_counted(folder, kept, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate")
    assert packs(folder, kept) and not packs(folder, kept, verify=True)
    touch_shard(folder)
    room = os.statvfs_result((4096, 4096, 100, 30, 20, *[0] * 5))       # 80 KiB free
    monkeypatch.setattr(os, "fstatvfs", lambda fd: room)
    with pytest.raises(NativeError, match="No space left on device; set MINICHAT_CACHE"):
        load(folder, cache_dir=kept)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(folder, kept):
    kept.mkdir(mode=0o500)
    with pytest.raises(NativeError, match=f"{kept}: .*Permission denied; set MINICHAT_CACHE"):
        load(folder, cache_dir=kept)
