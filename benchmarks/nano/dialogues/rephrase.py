"""Questions that mean the same: other words for their words, another frame around them.

world/synonyms.toml has words and frames.  What cannot be parsed with certainty keeps its frame.
"""
from __future__ import annotations

import re
from random import Random
from typing import NamedTuple

from .facts import FACTS, load

SYNONYMS = load("synonyms")
KEEP = frozenset(SYNONYMS["keep"])
SWAPS: dict[str, list[str]] = {word: list(others) for word, others in SYNONYMS["swap"].items()}
for _group in SYNONYMS["groups"]:
    for _word in _group:
        SWAPS.setdefault(_word, []).extend(other for other in _group if other != _word)
LONGEST = max(len(phrase.split()) for phrase in [*SWAPS, *KEEP])
WORD = re.compile(r"[\w'./=~+-]*\w")
PROPER = frozenset(word for facts in FACTS.values() for fact in facts
                   for word in re.findall(r"(?<=[a-z,] )[A-Z]\w*", fact["answer"])) - {"The"}

FRAMES: dict[str, list[str]] = SYNONYMS["frames"]
KINDS = {kind: frozenset(several.split()) for kind, several in SYNONYMS["words"].items()}
(ADJECTIVES, ADVERBS, BREAKS, DETERMINERS, OWN, PARTICIPLES, PLACES, PRONOUNS,
 VERBS) = (KINDS[kind] for kind in sorted(KINDS))
PAST: dict[str, str] = SYNONYMS["past"]
BE = ("is", "are", "was", "were")
FREE = ("why", "for what reason", "how", "in which way", "in what way", "where", "when")
MANNER = ("how", "in which way", "in what way")
PARTS = SYNONYMS["parts"] | {"BREAKS": "|".join(sorted(BREAKS - {"and"}))}
PLAIN, AUXILIARY = PARTS["PLAIN"], PARTS["AUXILIARY"]
ASKED = re.compile(
    rf"(?:(?:and|but|so|then),? )?({'|'.join(FREE)}|{PARTS['ASKING']}) {AUXILIARY} "
    rf"((?!it that ){PLAIN})\?", re.I)
CLOSED = re.compile(rf"(?:(?:and|but|so) )?{AUXILIARY} ({PLAIN})\?", re.I)
TAIL = re.compile(PARTS["TAIL"])
PATTERNS = [(re.compile(re.sub(r"\{([A-Z]+)\}", lambda part: PARTS[part[1]], each["match"]), re.I),
             each["frames"]) for each in SYNONYMS["patterns"]]


def rephrased(random: Random, asked: str) -> str:
    """The same question in other words, or the question itself."""
    return swapped(random, reframed(random, asked) if random.random() < .6 else asked)


def swapped(random: Random, asked: str, chance: float = .34) -> str:
    """A question with synonyms for some of its words; the longest known phrases count."""
    found = list(WORD.finditer(asked))
    said, copied, i = "", 0, 0
    while i < len(found):
        for count in range(min(LONGEST, len(found) - i), 0, -1):
            start, end = found[i].start(), found[i + count - 1].end()
            old = asked[start:end]
            if old.lower() in KEEP or old.lower() in SWAPS:
                break
        begins = start == 0 or asked[:start].rstrip()[-1:] in ".!?"
        named = old != old.lower() and not begins and old.split()[0] != "I"
        if (old.lower() in SWAPS and old.lower() not in KEEP and not named
                and asked[end:end + 1] not in ("(", "=", "_") and random.random() < chance):
            new = random.choice(SWAPS[old.lower()])
            if asked != asked.lower():
                new = re.sub(r"\b(i|ram|cpu|gpu|pc)\b", lambda match: match[0].upper(), new)
            said = with_article(said + asked[copied:start], new)
            said += new[0].upper() + new[1:] if begins and old[0].isupper() else new
            copied = end
        i += count
    return said + asked[copied:]


def with_article(before: str, word: str) -> str:
    """What stands before a word, with its last a or an as the word wants it."""
    vowel = re.match(r"(?!uni|us|util|eu|one\b)[aeiou]|hour|honest", word) is not None
    return re.sub(r"\b([Aa])n? $", r"\1n " if vowel else r"\1 ", before)


def reframed(random: Random, asked: str) -> str:
    """A question in another frame, or as it is; what was written small stays small."""
    small = asked == asked.lower()
    said = re.sub(r"^(what|where|who|how)'s ", r"\1 is ", asked, flags=re.I)
    said += "?" if small and said[-1:] not in ("?", ".", "!") else ""
    for parse in (by_auxiliary, by_pattern, closed):
        if (new := parse(random, said)) is not None:
            return new.lower().rstrip("?.") if small else new
    return asked


class Clause(NamedTuple):
    """A question taken apart: why | does a cat purr at night | a cat | purrs | at night."""
    question: str
    inverted: str
    subject: str
    verb: str           # with what stands before it
    rest: str

    @property
    def statement(self) -> str:
        return " ".join(filter(None, self[2:]))


def third(verb: str) -> str:
    """A verb as it is after he, she or it."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies"
    es = verb.endswith(("s", "sh", "ch", "x", "z", "o"))
    return "has" if verb == "have" else verb + ("es" if es else "s")


def subject_ends(said: list[str], auxiliary: str) -> int | None:
    """How many words of a question, after its auxiliary verb, are its subject."""
    if said[0] in PRONOUNS:
        return 1
    for i in range(2 if said[0] in DETERMINERS else 1, len(said)):
        word, before = said[i], said[i - 1]
        if word in BREAKS - {"and"}:
            return None
        fits = (word in ADJECTIVES | PARTICIPLES or len(word) > 5 and word.endswith("ed")
                if auxiliary in BE else word in VERBS)
        if (fits or word in ADVERBS) and before not in DETERMINERS | PLACES | ADJECTIVES | {"and"}:
            return i
    return None


def clause(question: str, auxiliary: str, said: str) -> Clause | None:
    """A question with its parts in the order of a statement, where that is certain."""
    words, small, helper = said.split(), said.lower().split(), auxiliary.lower()
    inverted = f"{helper} {said}"
    at = subject_ends(small, helper.removesuffix("n't"))
    if at is None or at == len(words):
        if helper not in BE or question in ("", *FREE[:5]) or set(small) & (
                PLACES - {"of"} | BREAKS):
            return None
        return Clause(question, inverted, said, helper, "")
    subject, after = " ".join(words[:at]), words[at:]
    before = []
    while after and after[0].lower() in ADVERBS:
        before.append(after.pop(0))
    if helper in BE or helper.endswith(("n't", "not")):
        return Clause(question, inverted, subject, " ".join([helper, *before]), " ".join(after))
    if not after or after[0] not in VERBS and (small[0] not in PRONOUNS or after[0] in (
            PLACES | BREAKS | DETERMINERS | {"both", "first"}) or not after[0].isalpha()):
        return None
    verb, rest = after[0], " ".join(after[1:])
    if helper not in ("do", "does", "did") or "not" in before:
        before.insert(0, helper)
    elif helper != "did":
        verb = third(verb) if helper == "does" else verb
    elif (verb := PAST.get(verb, "")) == "":
        return None
    return Clause(question, inverted, subject, " ".join([*before, verb]), rest)


def lowered(text: str) -> str:
    """A text as it goes on in a sentence."""
    first = re.split(r"[^\w'-]", text)[0]
    name = first in PROPER | {"I"} or first[1:] != first[1:].lower()
    return text if name else text[:1].lower() + text[1:]


def framed(random: Random, *kinds: str, **parts: str) -> str:
    """One of the frames of some kinds around parts of a question; {S} is {s} with a capital."""
    parts = {name: lowered(part) for name, part in parts.items()}
    capitals = {name.upper(): part if re.match(r"\w*[\d_.=]|minichat|nano", part)
                else part[:1].upper() + part[1:] for name, part in parts.items()}
    frames = [frame for kind in kinds for frame in FRAMES[kind]]
    return random.choice(frames).format(**parts, **capitals)


def by_auxiliary(random: Random, asked: str) -> str | None:
    """Why does X ...?  How many Y does X ...?"""
    if (found := ASKED.fullmatch(asked)) is None:
        return None
    question, auxiliary, said = found[1].lower(), found[2].lower(), found[3]
    first = said.split()[0].lower()
    if auxiliary in BE and re.match(r"what|which|who|how (many|much)", question):
        return by_be(random, question, auxiliary, said)
    if auxiliary not in BE and first in VERBS and question not in FREE:     # it is the subject
        return framed(random, "any", e=f"{question} {auxiliary} {said}")
    if (parts := clause(question, auxiliary, said)) is None:
        return None
    if question in FREE[:2]:
        return framed(random, "why", s=parts.statement)
    choice = random.random()
    if choice < .35 and question in MANNER and auxiliary not in BE and (
            first not in ("i", "you", "one", "we")):
        return framed(random, "how", i=parts.inverted, s=parts.statement)
    if choice < .35 and (echo := echoed(parts)) is not None:
        return framed(random, "echo", s=echo)
    if (first in ("i", "one") and auxiliary in ("do", "can", "should") and question in (
            "how", "where", "what") and parts.verb.split()[-1] not in OWN):
        return framed(random, "any", e=f"{question} to {said.split(' ', 1)[1]}")
    return framed(random, "any", e=f"{question} {parts.statement}")


def echoed(parts: Clause) -> str | None:
    """A cow has how many stomachs: what is asked for stands where its answer would."""
    question, rest = parts.question, parts.rest.split()
    if question in MANNER or parts.subject.lower() in ("i", "you", "there") or (
            re.search(r"not\b|n't", parts.verb)):
        return None
    thing = re.search("what|which|how m", question) or rest[:1] and (
        rest[0] in PRONOUNS | DETERMINERS)
    if not rest or rest[-1] in PLACES or not thing:
        return f"{parts.statement} {question}"
    return f"{parts.subject} {parts.verb} {question} {parts.rest}" if (
        rest[0] in PLACES | {"to"}) else None


def by_be(random: Random, question: str, be: str, said: str) -> str | None:
    """What is X?  What is X made of?  Who was the first one?  How many X are there?"""
    words = said.lower().split()
    if there := re.fullmatch(r"there( .+)?", said):
        return framed(random, "any", e=f"{question} there {be}{there[1] or ''}")
    if question == "what" and (tail := TAIL.fullmatch(said)):
        if random.random() < .35 and tail[2] not in ("like", "called"):
            return framed(random, "echo", s=f"{tail[1]}{be} {tail[2]} what")
        return framed(random, "any", e=f"what {tail[1]}{be} {tail[2]}")
    best = words[0] == "the" and re.search(r"est\b|\bmost\b", said)
    if (words[0] in PLACES or question == "who" and words[0] not in PRONOUNS | {"this", "that"}
            or question[:5] == "which" and best or question == "what" and (
                words[0] in ADJECTIVES | PARTICIPLES | ADVERBS or words[0].endswith("ing"))):
        return framed(random, "any", e=f"{question} {be} {said}")       # it is the subject
    if question != "what" or len(words) > 5 or set(words) & (
            BREAKS | PLACES - {"of"} | PRONOUNS | PARTICIPLES | ADVERBS | {"this", "that", "your"}):
        return None
    if not best and (words[0] in ("a", "an") or be == "is" and len(words) <= 2 and (
            words[0] not in DETERMINERS)):
        return framed(random, "thing", x=said)
    return framed(random, "any", e=f"what {said} {be}")


def by_pattern(random: Random, asked: str) -> str | None:
    """I wonder why ...  How come ...?  The sea is salty. Why?  Who invented X?  Explain X."""
    for pattern, kinds in PATTERNS:
        if found := pattern.fullmatch(asked):
            return framed(random, *kinds, **found.groupdict())
    return None


def closed(random: Random, asked: str) -> str | None:
    """Does X ...?  Is X ...?"""
    found = CLOSED.fullmatch(asked)
    if found is None or "n't" in found[1] or re.match(
            r"(i|you|that|it (true|right|correct|possible|so)|there a (reason|way|trick))\b",
            found[2], re.I) or (parts := clause("", found[1], found[2])) is None:
        return None
    some = re.search(r"\b(any|ever|or|and|anything|anybody|yet)\b", parts.statement)
    return framed(random, "whether", *([] if some else ["true"]), s=parts.statement)
