"""Qwen3: Qwen2 without its biases, and with an RMSNorm of every query and key head."""
from . import llama, qwen2
from .config import read
from .spec import Family

DEFAULTS = qwen2.DEFAULTS | {"head_dim": 128}

TENSORS = llama.TENSORS | llama.per_layer({
    "q_norm": ["self_attn.q_norm.weight"],
    "k_norm": ["self_attn.k_norm.weight"],
})

FAMILY = Family("qwen3", lambda c: qwen2.architecture(read(c, DEFAULTS), qk_norm="head"),
                TENSORS, thinking=("<think>", "</think>"))
