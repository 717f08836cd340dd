"""SmolLM3: Llama with no positions in every fourth layer."""
from dataclasses import replace

from . import llama
from .config import Keys, read, windows
from .spec import Architecture, Config, Family, Layer

DEFAULTS = llama.DEFAULTS | {
    "max_position_embeddings": 32768, "rope_theta": 2e6, "tie_word_embeddings": True,
    "num_key_value_heads": 4, "no_rope_layer_interval": 4,
    "use_sliding_window": False, "sliding_window": None,
}


def rotated(c: Keys) -> list[bool]:
    """Returns which layers have positions; no_rope_layers has a 1 for those, despite its name."""
    n, given = c.count("num_hidden_layers"), c.values.get("no_rope_layers")
    if given is None:
        interval = c.size("no_rope_layer_interval")
        return [(i + 1) % interval != 0 for i in range(n)]
    if not isinstance(given, list) or len(given) < n or any(one not in (0, 1) for one in given):
        c.fail("no_rope_layers", f"a list of {n} times 1, rope, or 0, none")
    return [bool(one) for one in given[:n]]


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS)
    ropes, slide = rotated(c), c.flag("use_sliding_window") and "sliding_window" in c
    mixer, ffn = llama.attention(c), llama.mlp(c)
    return llama.architecture(c, [
        Layer(replace(mixer, rope=mixer.rope if ropes[i] else None, window=window), ffn)
        for i, window in enumerate(windows(c, lambda i: slide and not ropes[i]))])


FAMILY = Family("smollm3", architecture, llama.TENSORS, thinking=("<think>", "</think>"))
