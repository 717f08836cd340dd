"""Mistral: Llama, with a window in every layer if there is one."""
from . import llama
from .config import read
from .spec import Architecture, Config, Family

DEFAULTS = llama.DEFAULTS | {
    "num_key_value_heads": 8, "max_position_embeddings": 131072, "sliding_window": 4096,
}


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS).without("layer_types")
    window = c.size("sliding_window") if "sliding_window" in c else None
    return llama.uniform(c, window=window)


FAMILY = Family("mistral", architecture, llama.TENSORS)
