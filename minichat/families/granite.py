"""Granite 3: Llama with a multiplier of everything."""
from . import llama
from .config import read
from .spec import Architecture, Config, Family, Layer

DEFAULTS = llama.DEFAULTS | {
    "embedding_multiplier": 1.0, "attention_multiplier": 1.0, "residual_multiplier": 1.0,
    "logits_scaling": 1.0,
}


def architecture(config: Config) -> Architecture:
    c = read(config, DEFAULTS)
    layer = Layer(llama.attention(c, scale=c.number("attention_multiplier")), llama.mlp(c),
                  residual_multiplier=c.number("residual_multiplier"))
    return llama.architecture(c, [layer] * c.count("num_hidden_layers"),
                              embed_scale=c.number("embedding_multiplier"),
                              logit_scale=1 / c.number("logits_scaling"))


FAMILY = Family("granite", architecture, llama.TENSORS)
