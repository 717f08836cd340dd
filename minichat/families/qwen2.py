"""Qwen2 and 2.5: Llama with biases on q, k and v; windows in the last layers, if asked for."""
import math
from dataclasses import replace
from typing import Any

from . import llama
from .config import Keys, read, windows
from .spec import Architecture, Family, Layer

DEFAULTS = llama.DEFAULTS | {
    "max_position_embeddings": 32768,
    "use_sliding_window": False, "sliding_window": 4096, "max_window_layers": 28,
}


def architecture(c: Keys, **attention: Any) -> Architecture:
    """Returns an architecture whose layers differ in their windows only."""
    if not c.flag("use_sliding_window"):
        c.values["sliding_window"] = None
    first = c.size("max_window_layers", least=0) if "sliding_window" in c else math.inf
    mixer, ffn = llama.attention(c, **attention), llama.mlp(c)
    return llama.architecture(c, [Layer(replace(mixer, window=window), ffn)
                                  for window in windows(c, lambda i: i >= first)])


FAMILY = Family("qwen2", lambda c: architecture(read(c, DEFAULTS), bias=True, out_bias=False),
                llama.TENSORS)
