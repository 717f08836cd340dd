"""What a model is made of: the closed vocabulary between families and engine.

A family file builds these values from a config.json; the engine runs them and
never learns a family's name.  Field names are the keys of config.json where it
has one; sizes are in elements.
"""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Config = Mapping[str, Any]


@dataclass(frozen=True)
class Rope:
    """Rotary positions, rotate-half pairing: the angle of pair i at p is p * inv_freq[i]."""
    inv_freq: tuple[float, ...]             # float32 values; twice as many dims are rotated
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
    act: Literal["silu", "gelu_tanh", "relu"] = "silu"
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
        d, norm = self.hidden_size, self.hidden_size * (1 + self.norm_bias)
        total = self.vocab_size * d * (1 if self.tie_word_embeddings else 2) + norm
        total += self.max_position_embeddings * d * self.learned_positions
        for layer in self.layers:
            a, f = layer.mixer, layer.ffn
            q, kv = a.num_attention_heads * a.head_dim, a.num_key_value_heads * a.head_dim
            total += d * (q + 2 * kv) + q * d + a.bias * (q + 2 * kv) + a.out_bias * d
            total += {None: 0, "head": 2 * a.head_dim, "full": q + kv}[a.qk_norm]
            total += f.intermediate_size * d * (2 + f.gated)
            total += f.bias * (f.intermediate_size * (1 + f.gated) + d)
            total += norm * 2 * (layer.pre_norms + layer.post_norms)
        return total


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
    thinking: tuple[str, str] | None = None         # tags around reasoning
    stop: tuple[str, ...] = field(default=())       # end-of-turn tokens beyond generation_config.json
