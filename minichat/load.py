"""A model's folder -> a Model: configuration, tokenizer, packed weights, engine."""
from __future__ import annotations

import os
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from . import _native, cpus, families, memory, weights
from .aside import Aside
from .chat import Model
from .checkpoint import Checkpoint
from .engine import MAX_SEQUENCES, STEP_TOKENS, Engine
from .errors import OutOfMemory
from .forks import unforkable
from .memory import Room
from .prompt import Template
from .tokens import Tokenizer
from .tool_calls.format import Format
from .tool_calls.origin import infer

Progress = Callable[[str, int, int], object]

# Of the memory that is left beside the weights; the rest is the host program's.
CACHE_SHARE = 0.75
# Of the cache, for beginnings that no running chat uses but the next one may.
IDLE_SHARE = 0.125


def load(path: Path, quantization: str, progress: Progress | None = None,
         room: Room | None = None) -> Model:
    """Loads the model in the folder path, packing its weights if that was not done before.

    progress(stage, done, total) is told how far it is, in bytes.  MINICHAT_ISA in the
    environment forces an instruction set.  Raises OutOfMemory where room, by default all the
    memory there is, does not suffice.
    """
    with _native.DefaultRounding():     # or the host's would be in the weights, for ever
        return loaded(path, quantization, progress, room or Room(memory.available()))


def loaded(path: Path, quantization: str, progress: Progress | None, room: Room) -> Model:
    checkpoint = Checkpoint.open(path)
    with unforkable:
        family = families.family(checkpoint.model_type)
    architecture = family.architecture(checkpoint.config)
    with Aside("minichat-tokenizer") as aside:      # a large vocabulary takes a second
        opened = aside.begin(lambda: tokenizer_of(checkpoint, architecture.vocab_size))
        packed = weights.load(checkpoint, family, architecture, quantization, progress=progress,
                              threads=cpus.available())
        tokenizer = opened()
    native = _native.Model(architecture, packed, kv=weights.KV[quantization],
                           isa=os.environ.get("MINICHAT_ISA") or None)
    pages = page_limit(native, packed.n_bytes, room)

    @lru_cache(4)
    def call_format(template: Template) -> Format | None:
        return infer(checkpoint.tokenizer_config, template, family.tool_calls)

    ropes = [layer.mixer.rope for layer in architecture.layers if layer.mixer.rope]
    return Model(path.name, tokenizer=tokenizer, family=family,
                 template=Template(checkpoint.chat_template, tokenizer.special_tokens,
                                   place=f"{path}: chat template"),
                 call_format=call_format,
                 engine=Engine(native, pages, int(pages * IDLE_SHARE)),
                 generation_config=checkpoint.generation_config, config=checkpoint.config,
                 long_after=next((rope.long_after for rope in ropes if rope.long), None),
                 size_bytes=packed.n_bytes)


def tokenizer_of(checkpoint: Checkpoint, vocab_size: int) -> Tokenizer:
    with unforkable:
        return Tokenizer.open(checkpoint.tokenizer_json, checkpoint.tokenizer_config, vocab_size,
                              checkpoint.model_type)


def page_limit(native: _native.Model, weight_bytes: int, room: Room) -> int:
    """Returns how many pages of the cache the memory that is left can hold, and be of use."""
    context = native.architecture.max_position_embeddings
    most: int = MAX_SEQUENCES * -(-context // _native.PAGE)
    if room.n_bytes is None:
        return most
    left = room.n_bytes - weight_bytes - native.workspace_bytes(STEP_TOKENS, MAX_SEQUENCES)
    pages: int = int(left * CACHE_SHARE) // native.page_bytes
    if pages < -(-min(room.positions, context) // _native.PAGE):
        raise OutOfMemory(f"the cache: {room.n_bytes} bytes of memory are available, "
                          f"{weight_bytes} are the weights'; a smaller quantization leaves room")
    return min(pages, most)
