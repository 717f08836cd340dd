"""A checkpoint's tensors, packed as the kernels read them: once, then mapped from the cache."""
from __future__ import annotations

import hashlib
import json
import mmap
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import _native, cache, cpus, memory
from .aside import Aside
from .checkpoint import DTYPES, Checkpoint, SourceTensor
from .errors import ModelError, OutOfMemory, RequestError, Unsupported
from .families.spec import Architecture, Family, shapes

Progress = Callable[[str, int, int], object]

LAYOUT = 1              # of packed weights: raised when the same sources give other bytes
QUANTIZATIONS = ("q4", "q8", "bf16", "f32")
# What keys and values are kept as: beside weights of 4 bits, 8 bits of them make no difference.
KV = {"q4": "q8", "q8": "f16", "bf16": "f16", "f32": "f32"}
MATRICES = {"embed", "head", "qkv", "attn_out", "gate_up", "up", "down"}
CHUNK_WEIGHTS = 1 << 20         # that one thread packs in one go


@dataclass(frozen=True)
class Tensor:
    data: np.ndarray        # a matrix: uint8, packed; a vector: float32 of shape.  64-byte aligned
    format: str             # "q4", "q8", "bf16", "f32", or "vector"
    shape: tuple[int, ...]


class Weights(Mapping[str, Tensor]):
    """The engine's tensors by name.  Memory is let go with the last array of it."""

    def __init__(self, tensors: Mapping[str, Tensor], n_bytes: int, path: Path | None):
        self.tensors, self.n_bytes = tensors, n_bytes
        self.path = path        # of the mapped file; None where the weights are in memory only

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __len__(self) -> int:
        return len(self.tensors)


@dataclass(frozen=True)
class Recipe:
    """How one tensor of the engine is made, and how much room it takes."""
    name: str
    format: str
    shape: tuple[int, ...]
    sources: tuple[SourceTensor, ...]
    transposed: bool
    offset: float

    @property
    def n_bytes(self) -> int:
        """A multiple of 64: the next tensor starts aligned."""
        if self.format == "vector":
            n_bytes = 4 * int(np.prod(self.shape, dtype=np.int64))
            return n_bytes + -n_bytes % cache.ALIGNMENT
        return int(_native.packed_bytes(self.format, *self.shape))

    @property
    def source_bytes(self) -> int:
        return sum(source.n_bytes for source in self.sources)


def load(checkpoint: Checkpoint, family: Family, architecture: Architecture,
         quantization: str, *, progress: Progress | None = None,
         threads: int | None = None, cache_dir: str | os.PathLike[str] | None = None,
         verify: bool = False, available: int | None = None) -> Weights:
    """Returns the packed weights, from the cache where it has them.

    progress is called with "packing" and bytes of the sources.  cache_dir is where packed
    weights are kept, an empty string: nowhere; None: as MINICHAT_CACHE says.  verify compares
    a cached file with its checksums, which reads all of it; one that does not fit is made
    anew.  available is the memory in bytes that may be taken, None: what the system says.
    Raises ModelError, Unsupported, OutOfMemory or NativeError.
    """
    recipes = plan(checkpoint, family, architecture, quantization)
    threads = threads or cpus.available()
    sizes = {recipe.name: recipe.n_bytes for recipe in recipes}
    check_memory(checkpoint.path, quantization, sum(sizes.values()), available)
    layout = cache.Layout(sizes, metadata(checkpoint, quantization, recipes))

    def fill(buffer: mmap.mmap) -> None:
        pack(views(buffer, layout, recipes), checkpoint.path, recipes, threads, progress)

    folder = cache.folder(cache_dir)
    if folder is None:
        path, buffer = None, mmap.mmap(-1, layout.n_bytes)
        fill(buffer)
    else:
        path = folder / file_name(checkpoint.path, quantization)
        buffer = cache.load(path, layout, fill, verify=verify, threads=threads)
    return Weights(views(buffer, layout, recipes), sum(sizes.values()), path)


def plan(checkpoint: Checkpoint, family: Family, architecture: Architecture,
         quantization: str) -> list[Recipe]:
    """Returns how each tensor is made; refuses a checkpoint of which something is left over."""
    if quantization not in QUANTIZATIONS:
        raise RequestError(f"quantization: {quantization!r}; known are {', '.join(QUANTIZATIONS)}")
    if checkpoint.config.get("quantization_config"):
        raise Unsupported(f"{checkpoint.path / 'config.json'}: quantization_config: the weights "
                          f"are quantized already; use the original, in 32 or 16 bits")
    names = checkpoint.tensors
    recipes = [recipe(checkpoint, family, name, shape,
                      tensor_format(name, quantization, architecture.tie_word_embeddings))
               for name, shape in shapes(architecture).items()]
    used: set[str | None] = {source.name for made in recipes for source in made.sources}
    if architecture.tie_word_embeddings and "head" in family.tensors:
        used |= {family.find(name, names) for name in family.tensors["head"].names}
    left = [name for name in names
            if name not in used and not any(part in name for part in family.unused)]
    if left:
        raise Unsupported(f"{checkpoint.path}: {left[0]}{list(names[left[0]].shape)} and "
                          f"{len(left) - 1} other tensors are nothing that this "
                          f"{family.model_type} model is made of, by its config.json")
    return recipes


def tensor_format(name: str, quantization: str, tied: bool) -> str:
    kind = name.rpartition(".")[2]
    if kind not in MATRICES:
        return "vector"
    return "q8" if kind == "embed" and quantization == "q4" and not tied else quantization


def recipe(checkpoint: Checkpoint, family: Family, name: str, shape: tuple[int, ...],
           format: str) -> Recipe:
    """Returns how one tensor is made, its sources found and their shapes checked."""
    layer = re.fullmatch(r"layers\.(\d+)\.(\w+)", name)
    rule = family.tensors[f"layers.{{i}}.{layer[2]}" if layer else name]
    sources = []
    for theirs in rule.names:
        theirs = theirs.replace("{i}", layer[1]) if layer else theirs
        found = family.find(theirs, checkpoint.tensors)
        if found is None:
            raise ModelError(f"{checkpoint.path}: no tensor {theirs}; config.json asks for it")
        sources.append(checkpoint.tensors[found])
    made = Recipe(name, format, shape, tuple(sources), rule.transposed, rule.offset)
    check_sources(made)
    return made


def check_sources(made: Recipe) -> None:
    for source in made.sources:
        place = f"{source.shard.path}: {source.name}"
        if source.dtype not in DTYPES:
            raise ModelError(f"{place}: dtype {source.dtype}; {', '.join(DTYPES)} can be read")
        if len(source.shape) != len(made.shape):
            raise ModelError(f"{place}: shape {list(source.shape)}; config.json asks for "
                             f"{len(made.shape)} dimensions")
    given = [source.shape[::-1] if made.transposed else source.shape for source in made.sources]
    rows = sum(shape[0] for shape in given)
    if (rows, *given[0][1:]) != made.shape or len({shape[1:] for shape in given}) > 1:
        found = " and ".join(f"{s.name} {list(s.shape)}" for s in made.sources)
        wanted = list(made.shape[::-1] if made.transposed else made.shape)
        raise ModelError(f"{made.sources[0].shard.path}: shape of {found}; config.json asks for "
                         f"{wanted}")


def metadata(checkpoint: Checkpoint, quantization: str,
             recipes: list[Recipe]) -> dict[str, str]:
    """Returns what a cached file says of itself: whatever its bytes depend on is in the key."""
    key = {
        "layout": LAYOUT,
        "quantization": quantization,
        "config": checkpoint.config,
        "shards": [[os.path.realpath(shard.path), *shard.identity, shard.header_sha256]
                   for shard in checkpoint.shards],
        "recipes": [[r.name, r.format, r.shape, [s.name for s in r.sources], r.transposed, r.offset]
                    for r in recipes],
    }
    return {"layout": f"minichat {LAYOUT}", "quantization": quantization,
            "model": os.path.realpath(checkpoint.path),
            "key": hashlib.sha256(json.dumps(key).encode()).hexdigest()}


def file_name(path: Path, quantization: str) -> str:
    """Returns a name of its own for each folder and quantization, which people can tell."""
    real = Path(os.path.realpath(path))
    readable = re.sub(r"[^\w.-]", "_", real.name)[:64]
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:16]
    return f"{readable}-{digest}-{quantization}.safetensors"


def check_memory(path: Path, quantization: str, needed: int,
                 available: int | None) -> None:
    if available is None:
        available = memory.available()
    if available is not None and needed > available:
        raise OutOfMemory(f"{path}: {needed} bytes of memory are needed for the weights in "
                          f"{quantization}, {available} are free; free some, or choose a smaller "
                          f"quantization ({', '.join(QUANTIZATIONS)}) or model")


def views(buffer: mmap.mmap, layout: cache.Layout, recipes: list[Recipe]) -> dict[str, Tensor]:
    """Returns the tensors as they lie in buffer."""
    found = {}
    for made, start in zip(recipes, layout.starts):
        if made.format == "vector":
            count = int(np.prod(made.shape, dtype=np.int64))
            data = np.frombuffer(buffer, np.float32, count, start).reshape(made.shape)
        else:
            data = np.frombuffer(buffer, np.uint8, made.n_bytes, start)
        found[made.name] = Tensor(data, made.format, made.shape)
    return found


def pack(tensors: Mapping[str, Tensor], path: Path, recipes: list[Recipe], threads: int,
         progress: Progress | None) -> None:
    """Fills the tensors, one after the other, each on all threads; drops sources after use."""
    done, total = 0, sum(made.source_bytes for made in recipes)
    with Aside("minichat-packer", threads) as crew:
        for made in recipes:
            try:
                if made.format == "vector":
                    write_vector(tensors[made.name].data, made)
                else:
                    for share in pack_matrix(crew, tensors[made.name], made):
                        if progress:
                            progress("packing", done + int(share * made.source_bytes), total)
            except ModelError as e:
                raise ModelError(f"{path}: {e}") from None
            for source in made.sources:
                source.drop()
            done += made.source_bytes
            if progress:
                progress("packing", done, total)


def write_vector(out: np.ndarray, made: Recipe) -> None:
    arrays = [source.array() for source in made.sources]
    np.concatenate([a.T if made.transposed else a for a in arrays], out=out, casting="same_kind")
    out += np.float32(made.offset)
    if not np.isfinite(out).all():
        raise ModelError(f"{' and '.join(s.name for s in made.sources)}: a weight is inf or NaN")


def pack_matrix(crew: Aside, tensor: Tensor, made: Recipe) -> Iterator[float]:
    """Packs a matrix in chunks of panels; yields the share that is done."""
    n, k = made.shape
    arrays = [source.array() for source in made.sources]
    sources = [(source.name, array.T if made.transposed else array)
               for source, array in zip(made.sources, arrays)]
    panels = -(-n // _native.TILE_ROWS)
    step = max(1, CHUNK_WEIGHTS // (_native.TILE_ROWS * k))
    starts = range(0, panels, step)

    def chunk(first: int) -> float:
        last = min(first + step, panels)
        _native.pack(tensor.data, made.format, n, k, sources, first, last)
        return float(last / panels)

    yield from crew.each(chunk, starts)
