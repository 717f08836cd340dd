"""Text <-> token ids, over the `tokenizers` package.

Encoding never adds a token of its own: the chat template writes them all.  Text
that the template did not write (`Prompt.plain`) never becomes a control token.
Decoding is incremental and whole: pieces join to the text of all ids, a character
is emitted when its last byte is there, and bytes that are no UTF-8 become U+FFFD.
"""
from __future__ import annotations

import codecs
import json
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import tokenizers

from .errors import ModelError, RequestError, Unsupported
from .spelling import Spelling, spelling

T = TypeVar("T")
NAMED = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token",
         "mask_token")


def special_tokens(tokenizer_config: Mapping[str, Any]) -> dict[str, str]:
    """Returns what a chat template calls bos_token, eos_token and so on."""
    named = {}
    for name in NAMED:
        token = tokenizer_config.get(name)
        if isinstance(token, Mapping):
            token = token.get("content")
        if isinstance(token, str):
            named[name] = token
        elif token is not None:
            raise ModelError(f"tokenizer_config.json: {name}: found {token!r}; must be a string")
    return named


class Tokenizer:
    """The tokenizer of a model; safe to share between threads."""

    def __init__(self, library: tokenizers.Tokenizer, path: Path, vocab_size: int | None = None,
                 special: Mapping[str, str] | None = None):
        self.path = path
        self.special_tokens = dict(special or {})
        self._library = library
        self._vocab_size = vocab_size
        self._added = library.get_added_tokens_decoder()
        self._special = frozenset(id for id, token in self._added.items() if token.special)
        self._spelling = _spelling_of(library, path)
        self._bytes: dict[int, bytes] = {}
        self._controls: dict[str, frozenset[int]] = {}
        self._strict: dict[frozenset[int], tuple[tokenizers.Tokenizer, dict[int, str]]] = {}
        library.no_truncation()
        library.no_padding()
        if getattr(library.model, "dropout", None):
            library.model.dropout = None        # a random tokenization is for training

    @classmethod
    def open(cls, path: Path, config: Mapping[str, Any] | None = None,
             vocab_size: int | None = None, model_type: str | None = None) -> Tokenizer:
        """Reads tokenizer.json.

        config is tokenizer_config.json; vocab_size the rows of the embedding; model_type that
        of config.json, on which depends whose word counts.
        """
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise ModelError(f"{path}: {error.strerror}; a model needs a tokenizer.json") from error
        except UnicodeDecodeError as error:
            raise ModelError(f"{path}: no UTF-8 at byte {error.start}; must be JSON") from error
        library = _call(path, "no tokenizer", tokenizers.Tokenizer.from_str, text)
        config = config or {}
        if model_type in (None, "llama") and _rebuilt(library, config):
            scheme = "always" if config.get("legacy") else "first"
            if config.get("add_prefix_space") is False:
                scheme = "never"
            library.normalizer = None
            library.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace("▁", scheme, split=False)
        tokenizer = cls(library, path, vocab_size, special_tokens(config))
        tokenizer._check_fits()
        return tokenizer

    def encode(self, prompt: str) -> list[int]:
        """Returns the ids of a prompt, nothing added.

        A `Prompt` says which of its characters are plain text: those are never part of a
        control token, however they are spelled.  Any other string is the caller's own.
        """
        try:
            prompt.encode()
        except UnicodeEncodeError as error:
            raise RequestError(f"prompt: lone surrogate at {error.start}; must be text") from error
        encoding = self._encoding(self._library, prompt)
        ids: list[int] = encoding.ids
        plain = getattr(prompt, "plain", ())
        if plain:
            control = self._control(getattr(prompt, "literals", None))
            suspects = [span for id, span in zip(ids, encoding.offsets) if id in control]
            if suspects and not _disjoint(suspects, plain, prompt):
                ids = self._encode_strictly(prompt, plain, control)
        limit = self._vocab_size
        if limit is not None and ids and max(ids) >= limit:
            raise ModelError(f"{self.path}: token {self._library.id_to_token(max(ids))!r} has id "
                             f"{max(ids)}; the embedding has {limit} rows")
        return ids

    def token_id(self, token: str) -> int | None:
        """Returns the id of a token by its exact spelling."""
        id: int | None = self._library.token_to_id(token)
        return id

    def token(self, id: int) -> str | None:
        """Returns the name of a token, as tokenizer.json has it; None for an unknown id."""
        return self._library.id_to_token(id) if 0 <= id < 1 << 32 else None

    def token_bytes(self, id: int) -> bytes:
        """Returns what a token adds to the middle of a text; nothing for an unknown id."""
        found = self._bytes.get(id)
        if found is None:
            found = self._bytes[id] = self._spell(id, False)
        return found

    def spelled(self, count: int) -> list[bytes]:
        """Returns what each of the ids below count adds to a text."""
        return [self.token_bytes(id) for id in range(count)]

    def special_names(self) -> tuple[str, ...]:
        """Returns the special tokens as they are written."""
        return tuple(token.content for token in self._added.values() if token.special)

    def silent(self, keep: Collection[str] = ()) -> frozenset[int]:
        """Returns the special tokens, which are no text, but for those in keep."""
        return self._special - {self.token_id(token) for token in keep}

    def decoder(self, keep: Collection[str] = (), *, continues: bool = False) -> Decoder:
        """Returns a decoder for one answer.  Special tokens are silent, but for those in keep.

        An answer that continues a text keeps the blank that it may begin with, which is
        otherwise stripped as the model's own decoder does.
        """
        return Decoder(self, self.silent(keep), self._spelling.strip, not continues)

    def end_tokens(self, generation_config: Mapping[str, Any], config: Mapping[str, Any],
                   stop: Iterable[str] = ()) -> frozenset[int]:
        """Returns the ids that end an answer: the model's, the tokenizer's, the family's."""
        ends: set[int] = set()
        for place, values in (("generation_config.json", generation_config),
                              ("config.json", config)):
            found = values.get("eos_token_id")
            for id in found if isinstance(found, list) else [found]:
                if isinstance(id, int) and not isinstance(id, bool):
                    ends.add(id)
                elif id is not None:
                    raise ModelError(f"{place}: eos_token_id: found {found!r}; "
                                     "must be an integer or a list of integers")
            if ends:
                break
        names = [*stop, *filter(None, [self.special_tokens.get("eos_token")])]
        return frozenset(ends | {id for name in names if (id := self.token_id(name)) is not None})

    def _spell(self, id: int, first: bool) -> bytes:
        token = self.token(id)
        return b"" if token is None else self._spelling.piece(token, first)

    def _encoding(self, library: tokenizers.Tokenizer, text: str) -> tokenizers.Encoding:
        return _call(self.path, "cannot encode", library.encode, str(text),
                     add_special_tokens=False)

    def _check_fits(self) -> None:
        if self._vocab_size is None:
            return
        id = max(self._library.get_vocab(with_added_tokens=False).values(), default=0)
        if id >= self._vocab_size:
            raise ModelError(f"{self.path}: token {self._library.id_to_token(id)!r} has id {id}; "
                             f"the embedding has {self._vocab_size} rows")

    def _control(self, literals: str | None) -> frozenset[int]:
        """Returns the added tokens that steer the model: special ones and those the template
        writes.  Others, as Gemma's `<h1>`, are ordinary text that has a token of its own."""
        key = literals if literals is not None else ""
        found = self._controls.get(key)
        if found is None:
            found = frozenset(
                id for id, token in self._added.items()
                if token.special or not token.content.isspace()
                and (literals is None or token.content in literals))
            self._controls[key] = found
        return found

    def _encode_strictly(self, prompt: str, plain: Sequence[tuple[int, int]],
                         control: frozenset[int]) -> list[int]:
        """Encodes a prompt in which plain text spells a control token.

        A twin of the tokenizer knows the control tokens by secret names only; the template's
        get those names, and the plain text's are text like any other to it.
        """
        if control not in self._strict:
            self._strict[control] = _twin(self._library, self.path, control)
        twin, names = self._strict[control]
        marks = {token.content: names.get(id) for id, token in self._added.items()}
        text = _renamed(prompt, marks, plain)
        ids: list[int] = self._encoding(twin, text).ids
        return ids


class Decoder:
    """The text of one answer, token by token."""

    def __init__(self, tokenizer: Tokenizer, silent: Collection[int], strip: tuple[str, int],
                 first: bool):
        self._tokenizer = tokenizer
        self._bytes = tokenizer._bytes
        self._silent = silent
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._first = first
        self._strip, self._strips = strip if first else ("", 0)

    def push(self, id: int) -> str:
        """Returns the characters that this token completes, often none."""
        if id in self._silent:
            return ""
        if self._first:
            piece = self._tokenizer._spell(id, True)
            self._first = self._tokenizer.token(id) is None
        else:
            found = self._bytes.get(id)
            piece = self._tokenizer.token_bytes(id) if found is None else found
        text = self._utf8.decode(piece)
        return self._stripped(text) if self._strips and text else text

    def finish(self) -> str:
        """Returns U+FFFD if the answer ended inside a character, else nothing."""
        return self._utf8.decode(b"", True)

    def _stripped(self, text: str) -> str:
        """Strips from the beginning of the whole text, as the model's decoder does."""
        while text and self._strips:
            if text[0] != self._strip:
                self._strips = 0
                break
            text, self._strips = text[1:], self._strips - 1
        return text


def _call(path: Path, what: str, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    """Calls the library, whose errors are bare Exceptions, and whose panics not even those."""
    try:
        return call(*args, **kwargs)
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:
        raise ModelError(f"{path}: {what}: {error}") from error


def _rebuilt(library: tokenizers.Tokenizer, config: Mapping[str, Any]) -> bool:
    """Whether transformers keeps only the vocabulary of a tokenizer.json and cuts words in the
    way of a LlamaTokenizer: models were trained and are measured with what it does."""
    return (config.get("tokenizer_class") in ("LlamaTokenizer", "LlamaTokenizerFast")
            and isinstance(library.model, tokenizers.models.BPE)
            and isinstance(library.decoder, tokenizers.decoders.Sequence))


def _spelling_of(library: tokenizers.Tokenizer, path: Path) -> Spelling:
    state = library.decoder.__getstate__() if library.decoder is not None else b"null"
    try:
        return spelling(json.loads(state))
    except Unsupported as error:
        raise Unsupported(f"{path}: {error}") from None


def _disjoint(spans: Iterable[tuple[int, int]], plain: Sequence[tuple[int, int]],
              text: str) -> bool:
    """Whether none of the spans of text, blanks around them aside, touches a plain one."""
    at = 0
    for start, end in spans:
        token = text[start:end]
        start, end = end - len(token.lstrip()), start + len(token.rstrip())
        while at < len(plain) and plain[at][1] <= start:
            at += 1
        if at < len(plain) and plain[at][0] < end:
            return False
    return True


def _renamed(text: str, marks: Mapping[str, str | None], plain: Sequence[tuple[int, int]]) -> str:
    """Writes the name of each token that is not plain; one without a name stays as it is."""
    found = re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))))
    out, done, at = [], 0, 0
    while match := found.search(text, at):
        at = match.end()
        name = marks[match[0]]
        if not _disjoint([match.span()], plain, text):
            at = match.start() + 1
        elif name is not None:
            out += [text[done:match.start()], name]
            done = at
    return "".join([*out, text[done:]])


def _twin(library: tokenizers.Tokenizer, path: Path,
          control: frozenset[int]) -> tuple[tokenizers.Tokenizer, dict[int, str]]:
    """Returns a tokenizer with the same ids whose control tokens have names that nobody can
    guess, and those names."""
    secret = secrets.token_hex(16)
    data = json.loads(library.to_str())
    names = {id: f"\U000f0000{secret}{id}\U000f0001" for id in control}
    known = {token["content"]: names[token["id"]] for token in data["added_tokens"]
             if token["id"] in control}
    for token in data["added_tokens"]:
        if token["id"] in control:
            token.update(content=known[token["content"]], normalized=False, single_word=False)
    model = data["model"]
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        model["vocab"] = {known.get(piece, piece): id for piece, id in vocab.items()}
    else:
        model["vocab"] = [[known.get(piece, piece), score] for piece, score in vocab]
    if model.get("merges"):
        pairs = (pair.split(" ", 1) if isinstance(pair, str) else pair for pair in model["merges"])
        model["merges"] = [pair for pair in pairs
                           if not {pair[0], pair[1], "".join(pair)} & known.keys()]
    if model.get("unk_token") in known:
        model["unk_token"] = known[model["unk_token"]]
    data["post_processor"] = None
    return _call(path, "no tokenizer", tokenizers.Tokenizer.from_str, json.dumps(data)), names
