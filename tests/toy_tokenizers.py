"""Small tokenizers of the kinds that models have, for tests to save as a tokenizer.json."""
import json
from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

CONTROL = ["<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|user|>", "[INST]", "[/INST]"]
MARKS = ["<think>", "</think>", "<tool_call>"]      # added, and not special
WORDS = ["▁", "▁h", "▁w", "he", "ll", "o", "wo", "r", "l", "d", "h", "e", "w", "a", "i", "n", "s",
         "t", "[", "]", "/", "<", ">", "|", "_", "<s", "I", "N", "S", "T", "\n", "m", "k", "c"]


def byte_level() -> Tokenizer:
    """Like GPT-2, Qwen and Llama 3: a token is some bytes; control tokens after them."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [("h", "e"), ("l", "l"), ("Ġ", "w"), ("i", "m"), ("n", "k")]
    vocab = {token: id for id, token in enumerate(letters + [a + b for a, b in merges])}
    tokenizer = Tokenizer(models.BPE(vocab, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return with_control(tokenizer)


def byte_fallback(legacy: bool = True) -> Tokenizer:
    """Like Llama 2: blanks are ▁, what has no token is bytes; control tokens are words too."""
    words = ["<unk>", *CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), *WORDS]
    vocab = {token: id for id, token in enumerate(words)}
    merges = [("h", "e"), ("l", "l"), ("▁", "h"), ("▁", "w"), ("w", "o"), ("<", "s"), ("<s", ">")]
    tokenizer = Tokenizer(models.BPE(vocab, merges, unk_token="<unk>", fuse_unk=True,
                                     byte_fallback=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
         decoders.Strip(" ", 1, 0)])
    return with_control(tokenizer)


def word_piece() -> Tokenizer:
    """Lower case, and a control token can be spelled from the vocabulary alone."""
    words = ["?", "[inst]", "[/inst]", "_", *"abcdefghijklmnopqrstuvwxyz[]/", "hello", "world"]
    tokenizer = Tokenizer(models.WordPiece({token: id for id, token in enumerate(words)},
                                           unk_token="?", continuing_subword_prefix=""))
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Lowercase(), normalizers.Replace(" ", "_")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("_", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    tokenizer.add_special_tokens([AddedToken(token, normalized=False)
                                  for token in ("[inst]", "[/inst]")])
    return tokenizer


def unigram() -> Tokenizer:
    """Like Gemma's first and T5: the vocabulary spells a control token with the best score."""
    pieces = [("<unk>", 0.0), ("</s>", 0.0), ("▁", -2.0), *((letter, -3.0) for letter in "helo</>")]
    tokenizer = Tokenizer(models.Unigram(list(dict(pieces).items()), unk_id=0))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace("▁", "always")
    tokenizer.decoder = decoders.Metaspace("▁", "always")
    tokenizer.add_special_tokens(["</s>"])
    return tokenizer


def with_control(tokenizer: Tokenizer) -> Tokenizer:
    tokenizer.add_special_tokens([AddedToken(token, normalized=False) for token in CONTROL])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in MARKS])
    return tokenizer


KINDS = {"byte_level": byte_level, "byte_fallback": byte_fallback, "word_piece": word_piece,
         "metaspace_first": lambda: byte_fallback(legacy=False), "unigram": unigram}


def saved(tokenizer: Tokenizer, folder: Path, **model: object) -> Path:
    """Writes tokenizer.json, with these changes to its model."""
    data = json.loads(tokenizer.to_str())
    data["model"] |= model
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(data))
    return path
