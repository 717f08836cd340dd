"""Dialogues -> token ids and what of them is learned, on disk."""
from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random

import numpy as np
from tokenizers import Tokenizer

from minichat.prompt import Template

from .dialogues import Dialogue, dialogue
from .held_out import Overlap, items

TEMPLATE = Path(__file__).parent / "chat_template.jinja"
LONGEST = 1024                              # tokens; longer dialogues are left out
SHARD = 5000                                # dialogues that one process makes at a time


def made(lesson: str, seed: int, count: int) -> list[Dialogue]:
    """Returns dialogues of a seed that share nothing with the held-out set."""
    random, overlap, kept = Random(seed), Overlap(items()), []
    while len(kept) < count:
        each = dialogue(random, lesson)
        if not overlap.found(each):
            kept.append(each)
    return kept


def rendered(template: Template, dialogue: Dialogue) -> str:
    """Returns a dialogue as the chat template writes it."""
    return str(template.render(dialogue.messages, tools=dialogue.tools,
                               add_generation_prompt=False))


def shard(lesson: str, seed: int, count: int, tokenizer_json: str,
          others: float) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns ids and learned (both (tokens,)) of each dialogue."""
    tokenizer = Tokenizer.from_file(tokenizer_json)
    template = Template(TEMPLATE.read_text())
    dialogues = made(lesson, seed, count)
    encoded = tokenizer.encode_batch_fast([rendered(template, each) for each in dialogues],
                                          add_special_tokens=False)
    start, end, think = map(tokenizer.token_to_id, ("<|im_start|>", "<|im_end|>", "<think>"))
    role, newline = (tokenizer.encode(text).ids[0] for text in ("assistant", "\n"))
    pairs = []
    random = np.random.default_rng(seed)
    for each, coded in zip(dialogues, encoded, strict=True):
        ids = np.array(coded.ids, np.uint16)
        if len(ids) <= LONGEST:
            given = [bool(m.get("given")) for m in each.messages if m["role"] == "assistant"]
            learned = answers(ids, (start, role, newline), end, think, given)
            learned |= random.random(len(ids)) < others
            pairs.append((ids, learned))
    return [ids for ids, _ in pairs], [learned for _, learned in pairs]


def answers(ids: np.ndarray, begin: tuple[int, ...], end: int, think: int,
            given: list[bool]) -> np.ndarray:
    """Returns which ids the model is to say (bool): answers up to their end, but not those
    given, and no <think>, which the prompt has."""
    learned = np.zeros(len(ids), bool)
    starts = np.flatnonzero(ids == begin[0])
    ends = np.flatnonzero(ids == end)
    turn = 0
    for first, last in zip(starts, ends, strict=True):
        if tuple(ids[first:first + len(begin)]) != begin:
            continue
        first += len(begin)
        if ids[first] == think:
            first += 2
        learned[first:last + 1] = not given[turn]
        turn += 1
    return learned


def make(folder: Path, tokenizer_json: Path, lesson: str, count: int, seed: int,
         others: float) -> None:
    """Writes folder/corpus.npz: ids, learned (tokens,) and offsets (dialogues + 1,).

    others is the share that is learned of the tokens that are no answer's.
    """
    seeds = [seed * 10_000 + i for i in range(count // SHARD)]
    ids: list[np.ndarray] = []
    learned: list[np.ndarray] = []
    with ProcessPoolExecutor() as pool:
        jobs = [pool.submit(shard, lesson, each, SHARD, str(tokenizer_json), others)
                for each in seeds]
        for done, job in enumerate(jobs):
            some_ids, some_learned = job.result()
            ids += some_ids
            learned += some_learned
            print(f"\rcorpus: {(done + 1) * SHARD} dialogues", end="", file=sys.stderr)
    offsets = np.cumsum([0, *map(len, ids)])
    print(f", {offsets[-1]} tokens", file=sys.stderr)
    np.savez(folder / "corpus.npz", ids=np.concatenate(ids), learned=np.concatenate(learned),
             offsets=offsets)


def texts(lesson: str, seed: int, count: int) -> list[str]:
    """Returns dialogues as text, which a tokenizer is trained on."""
    template = Template(TEMPLATE.read_text())
    return [rendered(template, each) for each in made(lesson, seed, count)]
