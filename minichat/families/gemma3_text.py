"""Gemma 3: Gemma 2 with normed heads, five windowed layers to one full, and a rope for each."""
from . import gemma2, llama, rope
from .config import FULL, SLIDING, Keys, read, windows
from .spec import Architecture, Family

DEFAULTS = gemma2.DEFAULTS | {
    "max_position_embeddings": 131072, "rope_theta": 1e6, "rope_local_base_freq": 1e4,
    "attn_logit_softcapping": None, "final_logit_softcapping": None,
    "sliding_window_pattern": 6,
}

TENSORS = gemma2.TENSORS | llama.per_layer({
    "q_norm": ["self_attn.q_norm.weight"],
    "k_norm": ["self_attn.k_norm.weight"],
}, offset=1.0)


def architecture(c: Keys) -> Architecture:
    _, _, head_dim = llama.heads(c)
    local = Keys(c.values, {}, c.place)
    local.values |= {"rope_theta": c.values["rope_local_base_freq"], "rope_scaling": None}
    pattern = c.size("sliding_window_pattern")
    full, sliding = rope.read(c, head_dim, FULL), rope.read(local, head_dim, SLIDING)
    return gemma2.outside(c, [
        gemma2.layer(c, qk_norm="head", window=window, rope=sliding if window else full)
        for window in windows(c, lambda i: (i + 1) % pattern != 0)])


FAMILY = Family("gemma3_text", lambda config: architecture(read(config, DEFAULTS)), TENSORS,
                stop=gemma2.STOP)
