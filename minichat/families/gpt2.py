"""GPT-2: learned positions, layer norms, biases everywhere, matrices stored (in, out)."""
import math

from .config import Keys, read
from .llama import ACTS, per_layer
from .spec import MLP, Architecture, Attention, Config, Family, Layer, Source

DEFAULTS = {
    "activation_function": "gelu_new", "n_inner": None, "layer_norm_epsilon": 1e-5,
    "scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False,
    "tie_word_embeddings": True,
}

LAYER = "transformer.h.{i}."
TENSORS = {
    "embed": Source(("transformer.wte.weight",)),
    "positions": Source(("transformer.wpe.weight",)),
    "final_norm": Source(("transformer.ln_f.weight",)),
    "final_norm_bias": Source(("transformer.ln_f.bias",)),
    "head": Source(("lm_head.weight",)),
} | per_layer({
    "attn_norm": ["ln_1.weight"], "attn_norm_bias": ["ln_1.bias"],
    "ffn_norm": ["ln_2.weight"], "ffn_norm_bias": ["ln_2.bias"],
    "qkv_bias": ["attn.c_attn.bias"], "attn_out_bias": ["attn.c_proj.bias"],
    "up_bias": ["mlp.c_fc.bias"], "down_bias": ["mlp.c_proj.bias"],
}, LAYER) | per_layer({
    "qkv": ["attn.c_attn.weight"], "attn_out": ["attn.c_proj.weight"],
    "up": ["mlp.c_fc.weight"], "down": ["mlp.c_proj.weight"],
}, LAYER, transposed=True)


def layer(c: Keys, i: int) -> Layer:
    d, heads = c.size("n_embd"), c.count("n_head")
    if d % heads:
        c.fail("n_embd", f"a multiple of n_head, which is {heads}")
    scale = 1 / math.sqrt(d // heads) if c.flag("scale_attn_weights") else 1.0
    if c.flag("scale_attn_by_inverse_layer_idx"):
        scale /= i + 1
    mixer = Attention(heads, heads, d // heads, rope=None, bias=True, out_bias=True, scale=scale)
    inner = c.size("n_inner") if "n_inner" in c else 4 * d
    return Layer(mixer, MLP(inner, c.choice("activation_function", ACTS), gated=False, bias=True))


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS)
    layers = tuple(layer(c, i) for i in range(c.count("n_layer")))
    return Architecture(
        c.size("vocab_size"), c.size("n_embd"), layers, c.size("n_positions"),
        c.flag("tie_word_embeddings"), norm="layer", norm_bias=True,
        norm_eps=c.number("layer_norm_epsilon"), learned_positions=True)


FAMILY = Family("gpt2", architecture, TENSORS, prefixes=("transformer.", ""),
                unused=(".attn.bias", ".attn.masked_bias"))
