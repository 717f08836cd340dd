"""Dialogues -> batches of token ids, and what of them is learned; made beside the training."""
from __future__ import annotations

import multiprocessing
import os
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from functools import cache
from itertools import count
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np
from tokenizers import Tokenizer

from minichat import cpus
from minichat.prompt import Template

from .dialogues import Dialogue, dialogue
from .held_out import Overlap, items

TEMPLATE = Path(__file__).parent / "chat_template.jinja"
LONGEST = 768                           # tokens; longer dialogues are left out
LENGTHS = (256, LONGEST)                # of the rows that dialogues are packed into
ROWS = 4                                # a batch has a multiple of it
SHARD = 8192                            # dialogues that one process makes at a time
APART = 10                              # shards between two reads of one


class Lesson(NamedTuple):
    """What is learned, how long and how fast."""
    name: str                           # one of dialogues.LESSONS
    seed: int
    steps: int
    others: float = .1                  # learned of the tokens that are no answer's
    batch_tokens: int = 16384           # at most
    rate: float = 1.                    # of the learning rates
    share: float = 0.                   # of the average of weights that becomes nano


class Batch(NamedTuple):
    """Rows of several dialogues each: owners says whose each token is, -1 nobody's.

    learned are the positions, in all rows together, whose next token is learned, and which.
    """
    ids: np.ndarray                     # (rows, length)
    owners: np.ndarray                  # (rows, length)
    learned: np.ndarray                 # (learned,)
    targets: np.ndarray                 # (learned,)


@cache
def overlap() -> Overlap:
    return Overlap(items())


@cache
def template() -> Template:
    return Template(TEMPLATE.read_text())


def made(lesson: str, seed: int, count: int) -> list[Dialogue]:
    """Returns dialogues of a seed that share nothing with the held-out set."""
    random, kept = Random(seed), []
    while len(kept) < count:
        each = dialogue(random, lesson)
        if not overlap().found(each):
            kept.append(each)
    return kept


def rendered(dialogue: Dialogue) -> str:
    """Returns a dialogue as the chat template writes it."""
    return str(template().render(dialogue.messages, tools=dialogue.tools,
                                 add_generation_prompt=False))


def texts(lesson: str, seed: int, count: int) -> list[str]:
    """Returns dialogues as text, which a tokenizer is trained on."""
    return [rendered(each) for each in made(lesson, seed, count)]


def batches(lesson: Lesson, tokenizer_json: Path, shard: int, passed: int,
            reads: int = 1) -> Iterator[tuple[int, int, Batch]]:
    """Yields (shard, batch of it, Batch) without end, from a shard on, less those passed.

    Of several reads, the later ones are of shards that were first read some time ago; those before
    shard are not read again.
    """
    old: deque[list[Batch]] = deque(maxlen=(reads - 1) * APART)
    workers = max(cpus.available() - 1, 1)
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), os.nice, (10,))
    jobs: deque[Future[list[Batch]]] = deque()
    try:
        for number in count(shard):
            while len(jobs) < 2 * workers:
                seed = lesson.seed * 1_000_000 + number + len(jobs)
                jobs.append(pool.submit(made_batches, lesson, seed, str(tokenizer_json)))
            new = jobs.popleft().result()
            again = [each for ago in range(APART, len(old) + 1, APART) for each in old[-ago]]
            for i, batch in enumerate([*new, *again]):
                if number > shard or i >= passed:
                    yield number, i, batch
            old.append(new)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def made_batches(lesson: Lesson, seed: int, tokenizer_json: str) -> list[Batch]:
    """Returns the batches of SHARD dialogues; what fills no whole batch is left out."""
    random = np.random.default_rng(seed)
    ids, learned = encoded(made(lesson.name, seed, SHARD), tokenizer_json, lesson.others, random)
    done = []
    for length, rows in packed([len(each) for each in ids]).items():
        size = lesson.batch_tokens // length // ROWS * ROWS
        done += [filled(rows[i:i + size], length, ids, learned)
                 for i in range(0, len(rows) - size + 1, size)]
    random.shuffle(done)
    return done


def encoded(dialogues: list[Dialogue], tokenizer_json: str, others: float,
            random: np.random.Generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Returns ids and learned (both (tokens,)) of each dialogue that is not too long."""
    tokenizer = Tokenizer.from_file(tokenizer_json)
    coded = tokenizer.encode_batch_fast([rendered(each) for each in dialogues],
                                        add_special_tokens=False)
    start, end, think = map(tokenizer.token_to_id, ("<|im_start|>", "<|im_end|>", "<think>"))
    role, newline = (tokenizer.encode(text).ids[0] for text in ("assistant", "\n"))
    ids, learned = [], []
    for each, code in zip(dialogues, coded, strict=True):
        some = np.array(code.ids, np.int16)
        if len(some) <= LONGEST:
            given = [bool(m.get("given")) for m in each.messages if m["role"] == "assistant"]
            said = answers(some, (start, role, newline), end, think, given)
            ids.append(some)
            learned.append(said | (random.random(len(some)) < others))
    return ids, learned


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


def packed(sizes: list[int]) -> dict[int, list[list[int]]]:
    """Length -> rows of dialogues that fill it: the longest that is left opens a row, and then
    comes the longest that still fits."""
    by_size = sorted((size, i) for i, size in enumerate(sizes))
    rows: dict[int, list[list[int]]] = {length: [] for length in LENGTHS}
    while by_size:
        size, i = by_size.pop()
        length = next(each for each in LENGTHS if each >= size)
        row, left = [i], length - size
        while (at := bisect_right(by_size, (left, len(sizes)))) > 0:
            size, i = by_size.pop(at - 1)
            row.append(i)
            left -= size
        rows[length].append(row)
    for each in rows.values():          # or the short ones would be together
        each.sort(key=lambda row: row[0])
    return rows


def filled(rows: list[list[int]], length: int, ids: list[np.ndarray],
           learned: list[np.ndarray]) -> Batch:
    inputs = np.zeros((len(rows), length), np.int16)
    owners, targets = np.full_like(inputs, -1), np.full_like(inputs, -1)
    for row, dialogues in enumerate(rows):
        begin = 0
        for owner, i in enumerate(dialogues):
            end = begin + len(ids[i])
            inputs[row, begin:end], owners[row, begin:end] = ids[i], owner
            targets[row, begin:end - 1] = np.where(learned[i][1:], ids[i][1:], -1)
            begin = end
    known = np.flatnonzero(targets.ravel() >= 0)
    return Batch(inputs, owners, known, targets.ravel()[known])
