"""What a model is made of: the closed vocabulary between families and engine.

A family file builds these values from a config.json; the engine runs them and
never learns a family's name.  Field names are the keys of config.json where it
has one; sizes are in elements.
"""
from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Config = Mapping[str, Any]
Act = Literal["silu", "gelu_tanh", "relu"]


@dataclass(frozen=True)
class Rope:
    """Rotary positions, rotate-half pairing: the angle of pair i at p is p * inv_freq[i]."""
    inv_freq: tuple[float, ...]             # float32, as the angle; twice as many dims are rotated
    attention_factor: float = 1.0           # of cos and sin
    long: Rope | None = None                # instead, for prompts longer than long_after
    long_after: int | None = None           # original_max_position_embeddings


@dataclass(frozen=True)
class Attention:
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    rope: Rope | None                       # None: no positions in this layer (NoPE)
    bias: bool = False                      # on q, k and v
    out_bias: bool = False
    qk_norm: Literal["head", "full"] | None = None  # RMSNorm of each head, or of all heads at once
    window: int | None = None               # keys seen, the query's own included; None: all
    scale: float | None = None              # of q @ k; None: head_dim ** -0.5
    softcap: float | None = None            # cap * tanh(score / cap)


@dataclass(frozen=True)
class MLP:
    """down(act(gate(x)) * up(x)), or down(act(up(x))) when not gated."""
    intermediate_size: int
    act: Act = "silu"
    gated: bool = True
    bias: bool = False                      # on all of its matrices


@dataclass(frozen=True)
class Layer:
    mixer: Attention
    ffn: MLP
    pre_norms: bool = True                  # norms before mixer and ffn
    post_norms: bool = False                # norms of what mixer and ffn add
    residual_multiplier: float = 1.0        # of what mixer and ffn add


@dataclass(frozen=True)
class Architecture:
    vocab_size: int
    hidden_size: int
    layers: tuple[Layer, ...]
    max_position_embeddings: int
    tie_word_embeddings: bool
    norm: Literal["rms", "layer"] = "rms"
    norm_bias: bool = False                 # layer norms only
    norm_eps: float = 1e-6
    learned_positions: bool = False         # an embedding a position, added to the token's
    embed_scale: float = 1.0
    logit_scale: float = 1.0
    logit_softcap: float | None = None

    @property
    def n_params(self) -> int:
        """Parameters of the checkpoint, tied ones once."""
        return sum(math.prod(shape) for shape in shapes(self).values())


def shapes(architecture: Architecture) -> dict[str, tuple[int, ...]]:
    """Returns every tensor that the engine reads, and its shape."""
    a = architecture
    found: dict[str, tuple[int, ...]] = {"embed": (a.vocab_size, a.hidden_size)}
    if a.learned_positions:
        found["positions"] = (a.max_position_embeddings, a.hidden_size)
    for i, layer in enumerate(a.layers):
        for name, shape in layer_shapes(layer, a.hidden_size, a.norm_bias).items():
            found[f"layers.{i}.{name}"] = shape
    found["final_norm"] = (a.hidden_size,)
    if a.norm_bias:
        found["final_norm_bias"] = (a.hidden_size,)
    if not a.tie_word_embeddings:
        found["head"] = (a.vocab_size, a.hidden_size)
    return found


def layer_shapes(layer: Layer, d: int, norm_bias: bool) -> dict[str, tuple[int, ...]]:
    """Returns the tensors of one layer in a model of d hidden elements."""
    mixer, ffn = layer.mixer, layer.ffn
    q = mixer.num_attention_heads * mixer.head_dim
    kv = mixer.num_key_value_heads * mixer.head_dim
    rows = ffn.intermediate_size * (1 + ffn.gated)
    up = "gate_up" if ffn.gated else "up"
    found: dict[str, tuple[int, ...]] = {
        "qkv": (q + 2 * kv, d), "attn_out": (d, q),
        up: (rows, d), "down": (d, ffn.intermediate_size)}
    if mixer.bias:
        found["qkv_bias"] = (q + 2 * kv,)
    if mixer.out_bias:
        found["attn_out_bias"] = (d,)
    if mixer.qk_norm:
        found["q_norm"] = (mixer.head_dim if mixer.qk_norm == "head" else q,)
        found["k_norm"] = (mixer.head_dim if mixer.qk_norm == "head" else kv,)
    if ffn.bias:
        found |= {f"{up}_bias": (rows,), "down_bias": (d,)}
    norms = ["attn_norm", "ffn_norm"] * layer.pre_norms
    norms += ["attn_post_norm", "ffn_post_norm"] * layer.post_norms
    found |= {name: (d,) for name in norms}
    found |= {f"{name}_bias": (d,) for name in norms if norm_bias}
    return found


@dataclass(frozen=True)
class Source:
    """Where a tensor of the engine comes from in the checkpoint.

    names are stacked along the rows, in this order; {i} is the layer.
    """
    names: tuple[str, ...]
    transposed: bool = False                # stored (in, out), as GPT-2's Conv1D
    offset: float = 0.0                     # added while loading: norm weights stored minus one


@dataclass(frozen=True)
class Family:
    """One model_type of config.json: how to read it, and how it talks."""
    model_type: str
    architecture: Callable[[Config], Architecture]
    tensors: Mapping[str, Source]           # the engine's name -> where it is
    prefixes: tuple[str, ...] = ("model.", "")      # of names in tensors, and what may replace it
    unused: tuple[str, ...] = ("rotary_emb.inv_freq",)  # parts of names of tensors to pass over
    thinking: tuple[str, str] | None = None         # tags around reasoning
    tool_calls: str | None = None           # of tool_calls/table.py, where templates do not tell
    stop: tuple[str, ...] = ()              # end-of-turn tokens beyond generation_config.json

    def find(self, name: str, checkpoint: Container[str]) -> str | None:
        """Returns what one name of a Source is in this checkpoint, None if it is not there."""
        usual, *others = self.prefixes
        spellings = [name, *(other + name.removeprefix(usual) for other in others)]
        return next((spelling for spelling in spellings if spelling in checkpoint), None)
