"""nano's tokenizer: byte-level BPE, digits one by one, trained on its own dialogues.

A blank belongs to the word after it only where that is a frequent one: any other word has the same
tokens in a sentence, in the name of a tool and between the quotes of JSON.
"""
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

VOCAB_SIZE = 4096
END_OF_TEXT, START, END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
# Not special: they belong to the text of an answer, and decoding keeps them.
TAGS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tools>", "</tools>"]
FREQUENT = 800                          # words whose blank belongs to them
WORDS = (r" (?:{frequent})(?!\p{{L}})|\p{{Lu}}?\p{{Ll}}+|\p{{Lu}}+(?!\p{{Ll}})|\p{{L}}|\p{{N}}"
         r"| ?[^\s\p{{L}}\p{{N}}]+|\s+(?!\S)|\s+")


def pieces(texts: Sequence[str]) -> str:
    """Returns the regular expression that cuts text into what BPE then works on."""
    counts = Counter(word for text in texts for word in re.findall(r"(?<= )(?:I|[a-z]+)\b", text))
    tails: dict[str, list[str]] = {}    # by the first letter: three times as fast
    for word, _ in counts.most_common(FREQUENT):
        tails.setdefault(word[0], []).append(word[1:])
    return WORDS.format(frequent="|".join(
        f"{letter}(?:{'|'.join(several)})" for letter, several in sorted(tails.items())))


def trained(texts: Sequence[str]) -> Tokenizer:
    """Returns a tokenizer of VOCAB_SIZE tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pieces(texts)), "isolated"),
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
