"""Gemma 2: norms on both sides, capped scores and logits, every other layer with a window."""
import math
from typing import Any

from . import llama
from .config import Keys, read, windows
from .spec import Architecture, Config, Family, Layer, Source

DEFAULTS = llama.DEFAULTS | {
    "hidden_activation": "gelu_pytorch_tanh", "max_position_embeddings": 8192,
    "tie_word_embeddings": True, "num_key_value_heads": 4, "head_dim": 256,
    "query_pre_attn_scalar": 256, "sliding_window": 4096,
    "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
}

# Norm weights are stored minus one.
TENSORS = llama.TENSORS | {"final_norm": Source(("model.norm.weight",), offset=1.0)} \
    | llama.per_layer({
        "attn_norm": ["input_layernorm.weight"],
        "attn_post_norm": ["post_attention_layernorm.weight"],
        "ffn_norm": ["pre_feedforward_layernorm.weight"],
        "ffn_post_norm": ["post_feedforward_layernorm.weight"],
    }, offset=1.0)

STOP = ("<end_of_turn>",)       # early files of generation_config.json leave it out


def cap(c: Keys, key: str) -> float | None:
    return c.number(key) if key in c else None


def layer(c: Keys, **attention: Any) -> Layer:
    mixer = llama.attention(c, softcap=cap(c, "attn_logit_softcapping"),
                            scale=1 / math.sqrt(c.number("query_pre_attn_scalar")), **attention)
    return Layer(mixer, llama.mlp(c, "hidden_activation"), post_norms=True)


def outside(c: Keys, layers: list[Layer]) -> Architecture:
    """Returns layers with what stands around them."""
    return llama.architecture(c, layers, embed_scale=math.sqrt(c.size("hidden_size")),
                              logit_softcap=cap(c, "final_logit_softcapping"))


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS)
    return outside(c, [layer(c, window=window) for window in windows(c, lambda i: i % 2 == 0)])


FAMILY = Family("gemma2", architecture, TENSORS, stop=STOP)
