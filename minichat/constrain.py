"""A grammar -> which tokens may come next, over the `llguidance` package.

A Constraint follows one answer, token by token, on the engine's thread.
"""
from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

import llguidance
import numpy as np
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask
from numpy.typing import NDArray

from .errors import RequestError
from .forks import unforkable

__all__ = ["Constraint", "Thinking", "Vocabulary"]

Mask = NDArray[np.uint32]

NO_TOKEN = "no token spells it"
BLANKS = 2                              # tokens of blanks between thinking and content


class Vocabulary:
    """The tokens of a model as llguidance sees them; made once a model.

    spelled are the bytes of each token, silent the ids of those that are no text, end the ids
    that end an answer; encode returns the ids that the model's tokenizer gives a text.
    """

    def __init__(self, spelled: Sequence[bytes], silent: Collection[int], end: Collection[int],
                 encode: Callable[[str], list[int]]):
        self.spelled, self.end = spelled, frozenset(end)
        self._encode = encode
        self._ids = {each: id for id, each in reversed([*enumerate(spelled)])
                     if each and id not in silent and id not in end}
        self._longest = max(map(len, self._ids), default=1)
        self._sets: dict[object, frozenset[int]] = {}
        # One more where nothing ends an answer but its grammar.
        n = len(spelled) + (not end)
        self.eos_token_id = min(end, default=len(spelled))
        self.bos_token_id = None
        self.tokens = [*spelled, b""][:n]
        self._special = {*silent, *end, self.eos_token_id}
        self.special_token_ids = sorted(self._special)
        with unforkable:
            self.library = llguidance.LLTokenizer(
                llguidance.TokenizerWrapper(self), n_vocab=n,
                eos_token=sorted(end) or [self.eos_token_id],
                slices=llguidance.LLTokenizer.json_slices())
        self.size = n

    def __call__(self, text: str) -> list[int]:
        """Returns ids whose bytes are those of text, as the model is used to them if can be."""
        if not isinstance(text, str):
            raise TypeError("text, not bytes")      # which the library tries first
        said = text.encode()
        ids = self._encode(text)
        if b"".join(self.spelled[id] for id in ids) == said and self._special.isdisjoint(ids):
            return ids
        ids, at = [], 0                 # a tokenizer that puts a blank before each text
        while at < len(said):
            length = next((n for n in range(min(self._longest, len(said) - at), 0, -1)
                           if said[at:at + n] in self._ids), 0)
            if not length:
                raise ValueError(NO_TOKEN)      # the library hands it on, in an error of its own
            ids.append(self._ids[said[at:at + length]])
            at += length
        return ids

    def beginnings(self, text: str) -> frozenset[int]:
        """Returns the ids that text may begin with."""
        said = text.encode()
        return self._known(("begins", text), lambda: (
            self._ids[said[:n]] for n in range(1, len(said) + 1) if said[:n] in self._ids))

    def crossings(self, mark: str, held: int) -> frozenset[int]:
        """Returns the ids that end mark, held characters of which are said, and go on with more
        than blanks; and those that end the answer."""
        said, rest = mark.encode(), mark[held:].encode()
        return self._known((held, mark), lambda: (*self.end, *(
            id for each, id in self._ids.items()
            if each.startswith(rest) and each.removeprefix(rest).strip()
            or each.partition(said)[2].strip())))

    def blanks(self) -> frozenset[int]:
        """Returns the ids that say nothing but blanks."""
        return self._known("blanks", lambda: (
            id for each, id in self._ids.items() if not each.strip()))

    def _known(self, key: object, ids: Callable[[], Iterable[int]]) -> frozenset[int]:
        found = self._sets.get(key)
        if found is None:
            found = self._sets[key] = frozenset(ids())
        return found


class Thinking:
    """What comes before the content of an answer, told token by token: nothing, or thoughts
    between tags.  inside says that the prompt has opened them."""

    def __init__(self, tags: tuple[str, str], inside: bool, text: Callable[[int], str]):
        self.begun = False              # the content has: from here on the grammar holds
        self.inside = inside            # or else the thinking may yet begin, or the content
        self.held = ""                  # the end of the text so far that may become the mark
        self._open, self._close = tags
        self._text = text

    @property
    def mark(self) -> str:
        """What begins the thinking, or ends it."""
        return self._close if self.inside else self._open

    def push(self, id: int) -> None:
        said = self.held + self._text(id)
        if not self.inside:
            said = said.lstrip()
            self.begun = bool(said) and not said.startswith(self._open[:len(said)])
        while self.mark in said and not self.begun:
            if self.inside:
                self.begun = True
            else:
                self.inside, said = True, said.partition(self._open)[2]
        self.held = next((said[-n:] for n in range(len(self.mark) - 1, 0, -1)
                          if said.endswith(self.mark[:n])), "")


class Constraint:
    """Holds one answer to a grammar, from where its content begins.

    gate tells where that is; None: at once.  said is content that the answer goes on from.
    single: forced tokens are drawn one by one, from masks with a single bit.
    """

    def __init__(self, vocabulary: Vocabulary, source: str, *, gate: Thinking | None = None,
                 said: str = "", single: bool = False):
        self.vocabulary = vocabulary
        self._matcher = llguidance.LLMatcher(vocabulary.library, source, log_level=0)
        self._gate, self._single = gate, single
        self._forced: list[int] = []
        self._blanks = 0                # that may come yet, after the thinking
        self._bits = allocate_token_bitmask(1, vocabulary.size)
        self._words: Mask = self._bits[0].view(np.uint32)
        self._check()
        if said and not self._matcher.consume_tokens(vocabulary(said)):
            raise RequestError("messages: the text of the last one, which the answer continues, "
                               "does not fit format")
        if not self._matcher.is_stopped():      # what cannot be begun is the call's error
            fill_next_token_bitmask(self._matcher, self._bits)
            self._check()

    @property
    def done(self) -> bool:
        """Whether nothing can follow."""
        return self._gate is None and not self._forced and self._matcher.is_stopped()

    def mask(self) -> Mask | None:
        """Returns a bit for each token that may come next, bit id % 32 of word id // 32; None:
        all may.  It is good until the next call."""
        gate, known = self._gate, self.vocabulary
        if gate is not None and gate.inside:
            return self._all_but(known.crossings(gate.mark, len(gate.held)))
        if self._forced:
            return self._only(self._forced[:1])
        if gate is not None and gate.held:
            return self._only(known.beginnings(gate.mark[len(gate.held):]))
        fill_next_token_bitmask(self._matcher, self._bits)
        self._check()
        if gate is not None:
            self._set(known.beginnings(gate.mark))
        elif self._blanks:
            self._set(known.blanks())
        return self._words

    def accept(self, id: int) -> list[int]:
        """Takes a token that was drawn; returns those that must follow it."""
        if (gate := self._gate) is not None:
            thought = (gate.inside or gate.held
                       or id in self.vocabulary.beginnings(gate.mark))
            gate.push(id)
            if gate.begun or not thought:
                self._gate, self._blanks = None, BLANKS if thought else 0
            if thought:
                return []
        if self._forced:
            self._forced.pop(0)
            return []
        if self._blanks and id in self.vocabulary.blanks():
            self._blanks -= 1
            return []
        self._blanks = 0
        self._matcher.consume_token(id)
        forced: list[int] = self._matcher.compute_ff_tokens()
        self._matcher.consume_tokens(forced)
        self._check()
        if self._single:
            self._forced = forced
            return []
        return forced

    def _only(self, ids: Collection[int]) -> Mask:
        self._words[:] = 0
        return self._set(ids)

    def _set(self, ids: Collection[int]) -> Mask:
        for id in ids:
            self._words[id >> 5] |= np.uint32(1 << (id & 31))
        return self._words

    def _all_but(self, ids: Collection[int]) -> Mask | None:
        if not ids:
            return None
        self._only(ids)
        np.invert(self._words, out=self._words)
        return self._words

    def _check(self) -> None:
        if self._matcher.is_error():
            # Behind that come pages about the library's state.
            problem = " ".join(self._matcher.get_error().partition("<state>")[0].split())
            if "NoExtensionBias" in problem or NO_TOKEN in problem:
                problem = "found what no token of the model can say"
            raise RequestError(f"format: {problem[:500]}; a simpler one is allowed")
