"""A config.json, read key by key; every value is checked where it is read."""
from __future__ import annotations

import reprlib
from collections.abc import Callable, Mapping
from typing import Any, NoReturn, TypeVar

from ..errors import ModelError, Unsupported

T = TypeVar("T")

MAX_SIZE = 2**30        # twice as many rows, gate and up, still count in an int
MAX_COUNT = 2**12       # layers, heads, head_dim: heads * head_dim counts in an int too
MAX_NUMBER = 2.0**127   # finite in float32
FULL, SLIDING = "full_attention", "sliding_attention"      # the layer_types we know
HEADS = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


class Keys:
    """The keys of a config.json over a family's defaults.

    A value that is impossible raises ModelError, one that we cannot run Unsupported;
    both name the key, what it held and what it may hold.
    """

    def __init__(self, config: Mapping[str, Any], defaults: Mapping[str, Any], place: str = ""):
        self.place = place
        self.values = {**defaults, **config}

    def __contains__(self, key: str) -> bool:
        """Whether there is a value; null counts as none."""
        return self.values.get(key) is not None

    def fail(self, key: str, allowed: str) -> NoReturn:
        raise ModelError(self.message(key, allowed))

    def message(self, key: str, allowed: str) -> str:
        found = reprlib.repr(self.values[key]) if key in self.values else "missing"
        return f"config.json: {self.place}{key}: {found}; {allowed}"

    def size(self, key: str, *, least: int = 1, most: int = MAX_SIZE) -> int:
        """Returns a number of elements."""
        value = self.values.get(key)
        if type(value) is not int or not least <= value <= most:
            self.fail(key, f"an integer from {least} to {most}")
        return value

    def count(self, key: str) -> int:
        """Returns a number of layers, of heads or of elements of a head."""
        return self.size(key, most=MAX_COUNT)

    def number(self, key: str, least: float = 0.0) -> float:
        """Returns a number above least."""
        value = plain(self.values.get(key))
        if type(value) not in (int, float) or not least < value <= MAX_NUMBER:
            self.fail(key, f"a number above {least:g}, at most {MAX_NUMBER:g}")
        return float(value)

    def numbers(self, key: str, length: int) -> list[float]:
        """Returns a list of so many positive finite numbers."""
        values = self.values.get(key)
        if not isinstance(values, list) or len(values) != length:
            self.fail(key, f"a list of {length} positive numbers")
        listed = Keys({f"{key}[{i}]": value for i, value in enumerate(values)}, {}, self.place)
        return [listed.number(name) for name in listed.values]

    def flag(self, key: str) -> bool:
        value = self.values.get(key)
        if type(value) is not bool:
            self.fail(key, "true or false")
        return value

    def choice(self, key: str, known: Mapping[str, T]) -> T:
        """Returns what known has for the value."""
        value = self.values.get(key)
        if not isinstance(value, str):
            self.fail(key, f"one of {', '.join(known)}")
        if value not in known:
            raise Unsupported(self.message(key, f"minichat runs {', '.join(known)}"))
        return known[value]

    def without(self, *keys: str) -> Keys:
        """Returns self where none of these keys asks for something; we lack what they ask for."""
        for key in keys:
            if self.values.get(key) not in (None, False):
                raise Unsupported(self.message(key, "minichat runs models without it"))
        return self

    def section(self, key: str, defaults: Mapping[str, Any]) -> Keys:
        """Returns the keys of a nested object."""
        value = self.values.get(key)
        if not isinstance(value, Mapping):
            self.fail(key, "an object")
        return Keys(value, defaults, f"{self.place}{key}.")


def read(config: Mapping[str, Any], defaults: Mapping[str, Any]) -> Keys:
    """Returns the keys of a model's config.json, which must be one that chats."""
    keys = Keys(config, defaults)
    architectures = keys.values.get("architectures") or [HEADS[0]]
    if not isinstance(architectures, list):
        keys.fail("architectures", "a list of names")
    if not any(str(name).endswith(HEADS) for name in architectures):
        raise Unsupported(keys.message("architectures", f"one that ends in {' or '.join(HEADS)}"))
    return keys.without("quantization_config", "is_encoder_decoder", "add_cross_attention",
                        "use_bidirectional_attention")


def windows(c: Keys, sliding: Callable[[int], bool]) -> list[int | None]:
    """Returns each layer's window, None where it sees everything.

    sliding says which layers have one where there is no layer_types.
    """
    n = c.count("num_hidden_layers")
    types = c.values.get("layer_types")
    if types is None:
        types = [FULL if not sliding(i) else SLIDING for i in range(n)]
    if not isinstance(types, list) or len(types) != n:
        c.fail("layer_types", f"a list of {n} types, one a layer")
    listed = Keys({f"layer_types[{i}]": kind for i, kind in enumerate(types)}, {}, c.place)
    slides = [listed.choice(name, {FULL: False, SLIDING: True}) for name in listed.values]
    return [c.size("sliding_window") if slide else None for slide in slides]


def plain(value: Any) -> Any:
    """Returns a float for the {"__float__": "Infinity"} that stands for it in strict JSON."""
    if isinstance(value, Mapping) and list(value) == ["__float__"]:
        try:
            return float(value["__float__"])
        except (TypeError, ValueError):
            return value
    return value
