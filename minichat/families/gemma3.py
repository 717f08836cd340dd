"""Gemma 3 with eyes: its text model, which config.json keeps in text_config."""
from . import gemma2, gemma3_text
from .config import read
from .spec import Architecture, Config, Family

# A nested configuration leaves out what has these values.
DEFAULTS = gemma3_text.DEFAULTS | {
    "vocab_size": 262208, "hidden_size": 2304, "intermediate_size": 9216,
    "num_hidden_layers": 26, "num_attention_heads": 8,
}


def architecture(config: Config) -> Architecture:
    c = read(config, {"tie_word_embeddings": True})
    text = c.section("text_config", DEFAULTS)
    text.values["tie_word_embeddings"] = c.flag("tie_word_embeddings")
    return gemma3_text.architecture(text.without("use_bidirectional_attention"))


FAMILY = Family(
    "gemma3", architecture, gemma3_text.TENSORS, stop=gemma2.STOP,
    prefixes=("model.", "language_model.model.", "model.language_model.", "language_model.", ""),
    unused=("rotary_emb.inv_freq", "vision_tower.", "multi_modal_projector."))
