"""Which models can be named here, and what is known of them before they are loaded.

What is returned are the fields of the endpoint's /api/tags, /api/ps and /api/show, as far as
they mean something here.
"""
from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from . import families, hub
from .checkpoint import Checkpoint, read_object
from .chunks import created_at
from .errors import MinichatError, ModelError, ModelNotFound, RequestError
from .families.spec import Architecture, Family
from .options import of_model
from .prompt import Template
from .tool_calls.origin import infer

LEVELS = {"bfloat16": "BF16", "float16": "F16", "float32": "F32"}
NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*){0,2}(:[\w.-]+)?", re.ASCII)


@dataclass(frozen=True)
class Entry:
    """A model that can be named, and its folder."""
    name: str
    path: Path

    @cached_property
    def config(self) -> Mapping[str, Any]:
        return read_object(self.path / "config.json")

    @cached_property
    def family(self) -> Family:
        """Raises Unsupported, or ModelError, where this is no model for a chat."""
        return families.family(str(self.config.get("model_type")))

    @cached_property
    def architecture(self) -> Architecture:
        return self.family.architecture(self.config)

    @cached_property
    def weights(self) -> list[tuple[str, int, int]]:
        """Names, sizes and times of change in ns, by name."""
        try:
            found = [(file, file.stat()) for file in sorted(self.path.glob("*.safetensors"))]
        except OSError as e:
            raise ModelError(f"{self.path}: cannot be read: {e.strerror}") from None
        return [(file.name, known.st_size, known.st_mtime_ns) for file, known in found]

    def details(self) -> dict[str, Any]:
        family = self.family.model_type
        stored = str(self.config.get("dtype") or self.config.get("torch_dtype"))
        return {"parent_model": "", "format": "safetensors", "family": family,
                "families": [family], "parameter_size": parameter_size(self.architecture.n_params),
                "quantization_level": LEVELS.get(stored, "")}

    def modified_at(self) -> str:
        return created_at(max((changed for _, _, changed in self.weights), default=0))

    def digest(self) -> str:
        """Tells one state of the files from another; their content is not read."""
        return hashlib.sha256(repr(self.weights).encode()).hexdigest()


def entries(folders: Iterable[Path] = ()) -> list[Entry]:
    """Returns the model in the box, those in folders, and those in the Hugging Face cache.

    In folders a model is a folder with a config.json, called by its name, or a level deeper,
    called "org/name".  Of several of one name the first is meant.
    """
    found = dict(hub.IN_THE_BOX)
    for folder in folders:
        for config in sorted([*folder.glob("*/config.json"), *folder.glob("*/*/config.json")]):
            found.setdefault(config.parent.relative_to(folder).as_posix(), config.parent)
    for repository in sorted(hub.hub_cache().glob("models--*")):
        name = repository.name.removeprefix("models--").replace("--", "/")
        if snapshot := hub.main_snapshot(repository):
            found.setdefault(name, snapshot)
    return [Entry(name, path) for name, path in found.items() if hub.REPOSITORY.fullmatch(name)]


def find(model: str, folders: Sequence[Path] = ()) -> Entry:
    """Returns the entry that model names, in any case, with or without ":latest".

    A path is no name.  Raises RequestError and ModelNotFound.
    """
    name = model.strip()
    if not name:
        raise RequestError("model: nothing; the name of a model is needed",
                           error="model is required")
    if not NAME.fullmatch(name):
        raise RequestError(f"model: found {model[:80]!a}; a name as in the list of models is "
                           "allowed, no path", error="invalid model name")
    there = entries(folders)
    for wanted in (name, name.removesuffix(":latest")):
        for same in (str, str.lower):
            for entry in there:
                if same(entry.name) == same(wanted):
                    return entry
    raise ModelNotFound(f"model: found {name}; {', '.join(e.name for e in there)} are there",
                        error=f"model '{model}' not found")


def tags(folders: Sequence[Path] = ()) -> list[dict[str, Any]]:
    """Returns the models that can be named and, by their config.json, run."""
    listed = []
    for entry in entries(folders):
        try:
            listed.append({
                "name": entry.name, "model": entry.name, "modified_at": entry.modified_at(),
                "size": sum(size for _, size, _ in entry.weights), "digest": entry.digest(),
                "details": entry.details()})
        except MinichatError:
            continue            # as a cache holds models for much else than chats
    return listed


def running(models: Iterable[Mapping[str, Any]],
            folders: Sequence[Path] = ()) -> list[dict[str, Any]]:
    """Returns what api.ps() says, under the names that chats give the models."""
    by_folder = {entry.path.resolve().name: entry for entry in entries(folders)}
    shown = []
    for model in models:
        entry = by_folder.get(model["name"])
        name = entry.name if entry else model["name"]
        size = model["details"]["parameter_size"]
        shown.append({**model, "name": name, "model": name, "size_vram": 0,
                      "digest": entry.digest() if entry else "",
                      "details": {**model["details"], "format": "safetensors",
                                  "parameter_size": parameter_size(size)}})
    return shown


def show(path: Path) -> dict[str, Any]:
    """Returns what the folder of a model says of it.  Raises ModelError and Unsupported."""
    entry, checkpoint = Entry(path.name, path), Checkpoint.open(path)
    made, kind = entry.architecture, entry.family.model_type
    template = Template(checkpoint.chat_template)
    text = template.text() if template.source else ""
    parameters = [f"{name:30} {value}" for name, value in of_model(
        checkpoint.generation_config).items() for value in
        (value if isinstance(value, tuple) else (value,))]
    return {"template": text, "parameters": "\n".join(parameters),
            "details": entry.details(), "modified_at": entry.modified_at(),
            "capabilities": capabilities(entry.family, checkpoint, template),
            "model_info": {
                "general.architecture": kind,
                "general.parameter_count": made.n_params,
                f"{kind}.context_length": made.max_position_embeddings,
                f"{kind}.embedding_length": made.hidden_size,
                f"{kind}.block_count": len(made.layers),
                f"{kind}.vocab_size": made.vocab_size}}


def capabilities(family: Family, checkpoint: Checkpoint, template: Template) -> list[str]:
    """Returns what a chat may ask of a model, as the endpoint calls it."""
    calls = infer(checkpoint.tokenizer_config, template, family.tool_calls)
    thinks = family.thinking or template.source and (
        template.thinking() or "enable_thinking" in template.variables())
    return ["completion", *(["tools"] if calls else []), *(["thinking"] if thinks else [])]


def parameter_size(count: int) -> str:
    """Returns a number of parameters as people say it: 5.77M, 135M, 70.6B."""
    unit, letter = next(((unit, letter) for unit, letter in
                         ((10**9, "B"), (10**6, "M"), (10**3, "K")) if count >= unit), (1, ""))
    places = 3 - len(str(count // unit)) if letter else 0
    return f"{count / unit:.{places}f}{letter}"
