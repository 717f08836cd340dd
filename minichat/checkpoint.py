"""Opens a model's folder as the Hub lays it out; trusts nothing that it finds there."""
from __future__ import annotations

import hashlib
import json
import math
import mmap
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import IO, Any

import ml_dtypes
import numpy as np
from safetensors import SafetensorError, safe_open

from .errors import ModelError, ModelNotFound, NativeError

DTYPES = {"F32": np.dtype(np.float32), "F16": np.dtype(np.float16),
          "BF16": np.dtype(ml_dtypes.bfloat16)}
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl")
TEXT_BYTES_MAX = 128 << 20      # of a JSON file or a template; tokenizers reach 40 MB
ADDITIONAL_TEMPLATES = "additional_chat_templates"


class Shard:
    """One safetensors file: validated when it is opened, mapped when first read."""

    def __init__(self, path: Path):
        self.path = path
        with opened(path) as file:
            found = os.fstat(file.fileno())
            validate(path, file.read(8))
            file.seek(0)
            header = file.read(int.from_bytes(file.read(8), "little"))
        self.identity = (found.st_size, found.st_mtime_ns, found.st_ino)
        self.header_sha256 = hashlib.sha256(header).hexdigest()
        start = 8 + len(header)
        self.tensors = {
            name: SourceTensor(self, name, entry["dtype"], tuple(entry["shape"]),
                               start + entry["data_offsets"][0])
            for name, entry in json.loads(header).items() if name != "__metadata__"}

    @cached_property
    def mapped(self) -> mmap.mmap:
        with opened(self.path) as file:
            found = os.fstat(file.fileno())
            if (found.st_size, found.st_mtime_ns, found.st_ino) != self.identity:
                raise ModelError(f"{self.path}: changed while it was being read; load it again")
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@dataclass(frozen=True)
class SourceTensor:
    """A tensor where it lies in a file; nothing is read before array()."""
    shard: Shard
    name: str
    dtype: str                  # as safetensors writes it
    shape: tuple[int, ...]
    offset: int                 # in the file, in bytes

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * int(DTYPES[self.dtype].itemsize)

    def array(self) -> np.ndarray:
        """Returns the tensor, a read-only view of the mapped file where alignment allows."""
        count = self.n_bytes // DTYPES[self.dtype].itemsize
        flat = np.frombuffer(self.shard.mapped, DTYPES[self.dtype], count, self.offset)
        return np.require(flat, requirements="A").reshape(self.shape)

    def drop(self) -> None:
        """Lets go of the memory that reading the tensor took."""
        first = self.offset // mmap.PAGESIZE * mmap.PAGESIZE
        self.shard.mapped.madvise(mmap.MADV_DONTNEED, first, self.offset + self.n_bytes - first)


@dataclass(frozen=True)
class Checkpoint:
    path: Path
    config: Mapping[str, Any]
    generation_config: Mapping[str, Any]                # empty where there is none
    tokenizer_config: Mapping[str, Any]                 # empty where there is none
    tokenizer_json: Path
    chat_template: str | dict[str, str] | None          # several by name: "default", "tool_use"
    tensors: Mapping[str, SourceTensor] = field(repr=False)
    shards: tuple[Shard, ...] = field(repr=False)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Checkpoint:
        """Opens a folder with config.json, tokenizer.json and weights in safetensors.

        Raises ModelNotFound where there is no model, ModelError where a file is
        missing, damaged or not what its name says.
        """
        path = Path(path)
        if not path.is_dir():
            what = "a file; give the folder that holds it" if path.exists() else "no such folder"
            raise ModelNotFound(f"{path}: {what}", error=f"model '{path}' not found")
        if not (path / "config.json").exists():
            raise ModelNotFound(f"{path}: no config.json; a model's folder holds config.json, "
                                f"tokenizer.json and {SINGLE}{offered_instead(path)}",
                                error=f"model '{path}' not found")
        config = read_object(path / "config.json")
        tokenizer_json = path / "tokenizer.json"
        if not tokenizer_json.is_file():
            hint = "; tokenizer.model alone is not enough: load and save the tokenizer once with " \
                   "transformers" if (path / "tokenizer.model").exists() else ""
            raise ModelError(f"{tokenizer_json}: missing{hint}")
        tokenizer_config = read_object(path / "tokenizer_config.json", optional=True)
        shards, tensors = open_weights(path)
        return cls(path, config, read_object(path / "generation_config.json", optional=True),
                   tokenizer_config, tokenizer_json, read_template(path, tokenizer_config),
                   tensors, shards)

    @property
    def model_type(self) -> str:
        """What config.json says the family is."""
        found = self.config.get("model_type")
        if not isinstance(found, str):
            raise ModelError(f"{self.path / 'config.json'}: model_type: {found!r}; "
                             "must be a string")
        return found


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """Opens a regular file; a pipe or a device would block or never end."""
    try:
        with open(path, "rb", opener=lambda p, flags: os.open(p, flags | os.O_NONBLOCK)) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelError(f"{path}: no regular file")
            yield file
    except OSError as e:
        raise NativeError(f"{path}: cannot be read: {e.strerror}") from None


def validate(path: Path, head: bytes) -> None:
    try:
        with safe_open(path, framework="numpy"):
            pass
    except (SafetensorError, OSError) as e:
        hint = "it is a Git LFS pointer: fetch the file itself" if head == b"version " else \
               "download it again"
        raise ModelError(f"{path}: no valid safetensors file ({e}); {hint}") from None


def open_weights(path: Path) -> tuple[tuple[Shard, ...], dict[str, SourceTensor]]:
    """Opens model.safetensors or, without it, every shard that the index names."""
    if (path / SINGLE).exists():
        shard = Shard(path / SINGLE)
        return (shard,), shard.tensors
    index = path / INDEX
    if not index.exists():
        raise ModelError(f"{path}: no {SINGLE} and no {INDEX}{offered_instead(path)}")
    weight_map = read_object(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise ModelError(f"{index}: weight_map: must be an object of tensor names and file names")
    shards: dict[str, Shard] = {}
    tensors = {}
    for name, file in weight_map.items():
        if not isinstance(file, str) or not re.fullmatch(r"[\w.-]+\.safetensors", file):
            raise ModelError(f"{index}: weight_map.{name}: {file!r}; must be the name of a file "
                             "here, *.safetensors")
        if file not in shards:
            if not (path / file).exists():
                raise ModelError(f"{path / file}: missing; {INDEX} names it, download it")
            shards[file] = Shard(path / file)
        if name not in shards[file].tensors:
            raise ModelError(f"{path / file}: no tensor {name}; {INDEX} says it is there")
        tensors[name] = shards[file].tensors[name]
    unlisted = {name: tensor for shard in shards.values() for name, tensor in shard.tensors.items()}
    return tuple(shards.values()), unlisted | tensors


def offered_instead(path: Path) -> str:
    """Says what to do about weights in a format that is not read."""
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return ""
    for name in names:
        if name.endswith(PICKLES):
            return (f"; {name} is a pickle, which can run any code and is never opened: convert it "
                    f"with transformers, model.save_pretrained(folder)")
        if name.endswith(".gguf"):
            return f"; {name} is not read: get the model's original in safetensors"
    return ""


def read_bytes(path: Path) -> bytes:
    with opened(path) as file:
        content = file.read(TEXT_BYTES_MAX + 1)
    if len(content) > TEXT_BYTES_MAX:
        raise ModelError(f"{path}: more than {TEXT_BYTES_MAX} bytes")
    return content


def read_text(path: Path) -> str:
    try:
        return read_bytes(path).decode()
    except UnicodeDecodeError as e:
        raise ModelError(f"{path}: no UTF-8 at byte {e.start}") from None


def read_object(path: Path, *, optional: bool = False) -> dict[str, Any]:
    """Returns a file's JSON object; an empty one for an optional file that is not there."""
    if optional and not path.exists():
        return {}
    try:
        found = json.loads(read_text(path))
    except RecursionError:
        raise ModelError(f"{path}: nested too deeply") from None
    except ModelError:
        raise
    except ValueError as e:
        raise ModelError(f"{path}: no valid JSON: {e}") from None
    if not isinstance(found, dict):
        raise ModelError(f"{path}: a JSON {type(found).__name__}; must be an object")
    return found


def read_template(path: Path, tokenizer_config: Mapping[str, Any]) -> str | dict[str, str] | None:
    """Returns the chat template, or several by name, or None: files go before tokenizer_config."""
    found: Any = None
    where = path / "chat_template.jinja"
    if where.exists():
        found = read_text(where)
    elif (where := path / "chat_template.json").exists():
        found = read_object(where).get("chat_template")
    else:
        where = path / "tokenizer_config.json"
        found = tokenizer_config.get("chat_template")
    templates = named_templates(where, found)
    if (path / ADDITIONAL_TEMPLATES).is_dir():
        for file in sorted((path / ADDITIONAL_TEMPLATES).glob("*.jinja")):
            templates[file.stem] = read_text(file)
    return templates["default"] if list(templates) == ["default"] else templates or None


def named_templates(where: Path, found: Any) -> dict[str, str]:
    if found is None:
        return {}
    if isinstance(found, str):
        return {"default": found}
    if isinstance(found, dict):
        found = [{"name": name, "template": template} for name, template in found.items()]
    entries = found if isinstance(found, list) else [found]
    for entry in entries:
        if not (isinstance(entry, dict) and isinstance(entry.get("name"), str)
                and isinstance(entry.get("template"), str)):
            raise ModelError(f"{where}: chat_template: must be a string, or a list of objects "
                             f"with name and template")
    return {entry["name"]: entry["template"] for entry in entries}
