"""nano's network in PyTorch: Qwen3's, small, for training only.

The parameters have the names and shapes of transformers' Qwen3ForCausalLM, so that the
checkpoint is a Hugging Face folder as it is.
"""
from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.varlen import varlen_attn

from .corpus import LONGEST

CONFIG = {
    "architectures": ["Qwen3ForCausalLM"], "model_type": "qwen3", "vocab_size": 4096,
    "hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 64, "hidden_act": "silu",
    "max_position_embeddings": 2048, "rope_theta": 10000.0, "rope_scaling": None,
    "rms_norm_eps": 1e-6, "attention_bias": False, "attention_dropout": 0.0,
    "use_sliding_window": False, "sliding_window": None, "tie_word_embeddings": True,
    "bos_token_id": None, "initializer_range": 0.02, "use_cache": True, "dtype": "bfloat16",
}
HIDDEN, HEADS, KV_HEADS, HEAD_DIM = 256, 4, 2, 64


class RMSNorm(nn.Module):
    def __init__(self, size: int):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x: Tensor) -> Tensor:
        return functional.rms_norm(x, (x.shape[-1],), self.weight, 1e-6)


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(HIDDEN, HEADS * HEAD_DIM, bias=False)
        self.k_proj = nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM, bias=False)
        self.v_proj = nn.Linear(HIDDEN, KV_HEADS * HEAD_DIM, bias=False)
        self.o_proj = nn.Linear(HEADS * HEAD_DIM, HIDDEN, bias=False)
        self.q_norm = RMSNorm(HEAD_DIM)
        self.k_norm = RMSNorm(HEAD_DIM)

    def forward(self, x: Tensor, seen: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        rows, length, _ = x.shape

        def heads(projected: Tensor) -> Tensor:
            return projected.view(rows, length, -1, HEAD_DIM)

        q = rotated(self.q_norm(heads(self.q_proj(x))), cos, sin)
        k = rotated(self.k_norm(heads(self.k_proj(x))), cos, sin)
        v = heads(self.v_proj(x))
        mix = flash if x.is_cuda else written_out
        return self.o_proj(mix(q.to(v.dtype), k.to(v.dtype), v, seen).reshape(rows, length, -1))


def flash(q: Tensor, k: Tensor, v: Tensor, bounds: Tensor) -> Tensor:
    """Attention over (rows, length, heads, head_dim), all one text in which dialogues end at
    bounds."""
    k, v = (each.repeat_interleave(HEADS // KV_HEADS, 2) for each in (k, v))
    return varlen_attn(*(each.flatten(0, 1) for each in (q, k, v)), bounds, bounds,
                       LONGEST, LONGEST, window_size=(-1, 0))


def written_out(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """The same by a mask (rows, 1, length, length): on CPUs, compiled, it is twice as fast as
    PyTorch's own attention."""
    rows, length, *_ = q.shape
    q, k, v = (each.transpose(1, 2) for each in (q, k, v))
    q = (q * HEAD_DIM ** -.5).reshape(rows * KV_HEADS, -1, HEAD_DIM)
    k, v = (each.reshape(rows * KV_HEADS, length, HEAD_DIM) for each in (k, v))
    scores = torch.bmm(q, k.transpose(1, 2)).float().view(rows, HEADS, length, length)
    weights = torch.where(seen, scores, -1e9).softmax(-1)
    mixed = torch.bmm(weights.to(v.dtype).view(rows * KV_HEADS, -1, length), v)
    return mixed.view(rows, HEADS, length, HEAD_DIM).transpose(1, 2)


def rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1).to(x.dtype)


class MLP(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        size = CONFIG["intermediate_size"]
        self.gate_proj = nn.Linear(HIDDEN, size, bias=False)
        self.up_proj = nn.Linear(HIDDEN, size, bias=False)
        self.down_proj = nn.Linear(size, HIDDEN, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.self_attn, self.mlp = Attention(), MLP()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(HIDDEN), RMSNorm(HIDDEN)

    def forward(self, x: Tensor, seen: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), seen, cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Body(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(CONFIG["vocab_size"], HIDDEN)
        self.layers = nn.ModuleList(Layer() for _ in range(CONFIG["num_hidden_layers"]))
        self.norm = RMSNorm(HIDDEN)


class Nano(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.model = Body()
        for name, parameter in self.named_parameters():
            if parameter.ndim == 2:
                nn.init.normal_(parameter, std=.02 if "embed" in name else HIDDEN ** -.5)
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.zeros_(parameter)
        frequencies = CONFIG["rope_theta"] ** -(torch.arange(0, HEAD_DIM, 2) / HEAD_DIM)
        angles = torch.outer(torch.arange(CONFIG["max_position_embeddings"]), frequencies)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def forward(self, ids: Tensor, positions: Tensor, seen: Tensor) -> Tensor:
        """Returns the last hidden states (rows, length, hidden) of ids (rows, length).

        seen says which tokens belong together: on a GPU the bounds of the dialogues in all rows
        together, on a CPU a mask.  positions (rows or 1, length) count from anywhere: only their
        distances matter.
        """
        x = self.model.embed_tokens(ids)
        cos, sin = (each[positions][:, :, None] for each in (self.cos, self.sin))
        for layer in self.model.layers:
            x = layer(x, seen, cos, sin)
        return self.model.norm(x)

    def loss(self, ids: Tensor, positions: Tensor, seen: Tensor, learned: Tensor,
             targets: Tensor) -> Tensor:
        """Returns the sum of the losses of targets (n,), the tokens that follow the places
        learned (n,) of all rows together; a target of -1 is none."""
        with torch.autocast(ids.device.type, torch.bfloat16, cache_enabled=False):
            hidden = self(ids, positions, seen).flatten(0, 1)
            logits = hidden.index_select(0, learned) @ self.model.embed_tokens.weight.T
            return functional.cross_entropy(logits.float(), targets, reduction="sum",
                                            ignore_index=-1)
