"""OLMo 2: Llama with norms after mixer and ffn instead of before, and of all heads at once."""
from . import llama, qwen3
from .config import read
from .spec import Architecture, Config, Family, Layer

DEFAULTS = llama.DEFAULTS | {"rms_norm_eps": 1e-5}

TENSORS = qwen3.TENSORS | llama.per_layer({
    "attn_post_norm": ["post_attention_layernorm.weight"],
    "ffn_post_norm": ["post_feedforward_layernorm.weight"],
})


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS)
    layer = Layer(llama.attention(c, qk_norm="full"), llama.mlp(c), pre_norms=False,
                  post_norms=True)
    return llama.architecture(c, [layer] * c.count("num_hidden_layers"))


FAMILY = Family("olmo2", architecture, TENSORS)
