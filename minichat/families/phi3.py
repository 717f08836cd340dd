"""Phi-3, 3.5 and 4-mini: Llama with fused projections, and two sets of frequencies."""
from . import llama, rope
from .config import read
from .spec import Architecture, Config, Family

DEFAULTS = llama.DEFAULTS | {
    "rms_norm_eps": 1e-5, "max_position_embeddings": 4096,
    "original_max_position_embeddings": 4096, "sliding_window": None,
}

TENSORS = llama.TENSORS | llama.per_layer({
    "qkv": ["self_attn.qkv_proj.weight"],
    "gate_up": ["mlp.gate_up_proj.weight"],
})

# Early files call longrope by the names of what it grew from.
ROPES = {"default": rope.default, **dict.fromkeys(("longrope", "su", "yarn"), rope.longrope)}


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS)
    _, _, head_dim = llama.heads(c)
    return llama.uniform(
        c, rope=rope.rope(c, rope.parameters(c), head_dim, ROPES),
        window=c.size("sliding_window") if "sliding_window" in c else None)


FAMILY = Family("phi3", architecture, TENSORS)
