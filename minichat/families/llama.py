"""Llama 2 and 3, and the pieces that most families start from."""
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from . import rope
from .config import Keys, read
from .spec import MLP, Act, Architecture, Attention, Family, Layer, Source

ACTS: dict[str, Act] = {
    "silu": "silu", "swish": "silu", "relu": "relu",
    "gelu_pytorch_tanh": "gelu_tanh", "gelu_new": "gelu_tanh", "gelu_fast": "gelu_tanh",
}

DEFAULTS = {
    "hidden_act": "silu", "rms_norm_eps": 1e-6, "max_position_embeddings": 2048,
    "rope_theta": 1e4, "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": False,
}


def per_layer(theirs: Mapping[str, Sequence[str]], prefix: str = "model.layers.{i}.",
              **how: Any) -> dict[str, Source]:
    """Returns the sources of tensors that every layer has: the engine's name -> theirs."""
    return {f"layers.{{i}}.{ours}": Source(tuple(prefix + name for name in names), **how)
            for ours, names in theirs.items()}


TENSORS = {
    "embed": Source(("model.embed_tokens.weight",)),
    "final_norm": Source(("model.norm.weight",)),
    "head": Source(("lm_head.weight",)),
} | per_layer({
    "attn_norm": ["input_layernorm.weight"],
    "qkv": [f"self_attn.{p}_proj.weight" for p in "qkv"],
    "qkv_bias": [f"self_attn.{p}_proj.bias" for p in "qkv"],
    "attn_out": ["self_attn.o_proj.weight"],
    "attn_out_bias": ["self_attn.o_proj.bias"],
    "ffn_norm": ["post_attention_layernorm.weight"],
    "gate_up": ["mlp.gate_proj.weight", "mlp.up_proj.weight"],
    "gate_up_bias": ["mlp.gate_proj.bias", "mlp.up_proj.bias"],
    "down": ["mlp.down_proj.weight"],
    "down_bias": ["mlp.down_proj.bias"],
})


def heads(c: Keys) -> tuple[int, int, int]:
    """Returns the number of query heads, of key heads, and their size."""
    queries = c.count("num_attention_heads")
    keys = c.count("num_key_value_heads") if "num_key_value_heads" in c else queries
    if queries % keys:
        c.fail("num_key_value_heads", f"a divisor of num_attention_heads, which is {queries}")
    if "head_dim" in c:
        return queries, keys, c.count("head_dim")
    if c.size("hidden_size") % queries:
        c.fail("hidden_size", f"a multiple of num_attention_heads, which is {queries}")
    return queries, keys, c.size("hidden_size") // queries


def attention(c: Keys, **changes: Any) -> Attention:
    queries, keys, head_dim = heads(c)
    bias = c.flag("attention_bias")
    given: dict[str, Any] = {"bias": bias, "out_bias": bias} | changes
    if "rope" not in given:
        given["rope"] = rope.read(c, head_dim)
    return Attention(queries, keys, head_dim, **given)


def mlp(c: Keys, act: str = "hidden_act") -> MLP:
    return MLP(c.size("intermediate_size"), c.choice(act, ACTS), bias=c.flag("mlp_bias"))


def architecture(c: Keys, layers: Iterable[Layer], **changes: Any) -> Architecture:
    given: dict[str, Any] = {"norm_eps": c.number("rms_norm_eps")} | changes
    return Architecture(
        c.size("vocab_size"), c.size("hidden_size"), tuple(layers),
        c.size("max_position_embeddings"), c.flag("tie_word_embeddings"), **given)


def uniform(c: Keys, **attention_changes: Any) -> Architecture:
    """Returns an architecture whose layers are all alike."""
    layer = Layer(attention(c, **attention_changes), mlp(c))
    return architecture(c, [layer] * c.count("num_hidden_layers"))


FAMILY = Family("llama", lambda config: uniform(read(config, DEFAULTS)), TENSORS)
