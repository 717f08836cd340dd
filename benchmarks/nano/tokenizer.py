"""nano's tokenizer: byte-level BPE, digits one by one, trained on its own dialogues.

A blank belongs to the small word after it, but not to a word with a capital: a name has the same
tokens in a sentence and between the quotes of JSON.
"""
from __future__ import annotations

from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCAB_SIZE = 4096
END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
# Not special: they belong to the text of an answer, and decoding keeps them.
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tools>", "</tools>"]
WORDS = r" I(?!\p{L})|\p{Lu}\p{L}*| ?(?!\p{Lu})\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def trained(texts: Iterable[str]) -> Tokenizer:
    """Returns a tokenizer of VOCAB_SIZE tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), "isolated"),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE - len(TAGS), min_frequency=2, show_progress=False,
        special_tokens=[END_OF_TEXT, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    tokenizer.add_tokens([AddedToken(tag, special=False, normalized=False) for tag in TAGS])
    assert tokenizer.get_vocab_size() == VOCAB_SIZE
    return tokenizer


def config() -> dict[str, object]:
    """What stands in tokenizer_config.json."""
    return {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 2048,
            "eos_token": END, "pad_token": END_OF_TEXT, "bos_token": None,
            "clean_up_tokenization_spaces": False}
