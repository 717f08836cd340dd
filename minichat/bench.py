"""How fast a model is on this machine: what `minichat bench` measures.

Random ids go through the engine: no prompt begins as an earlier one did, and no answer ends or
repeats itself.
"""
from __future__ import annotations

import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from . import cpus, hub, sample
from .chat import Model
from .engine import STEP_TOKENS, Run, Token
from .load import Progress, load
from .request import Options, Request
from .sequence import Work

HOT = Options(seed=1, temperature=1000.0)       # or what is said again would be guessed
PROMPTS, ANSWER = (128, 512), 64    # tokens, where the model's context has room for them
ROUNDS, ENOUGH_S = 3, 20.0          # rounds after this time are left out, the first never


@dataclass(frozen=True)
class Speeds:
    """Seconds, and medians of tokens/s: a row for what was done, a column for its threads."""
    model: str
    isa: str
    size_bytes: int
    load_s: tuple[float, float]     # the first one packs the weights, if that was not done before
    threads: tuple[int, ...]
    rounds: int
    rows: dict[str, list[float]]


def measure(model: str, quantization: str, threads: Sequence[int] = (),
            progress: Progress | None = None) -> Speeds:
    """Loads a model twice and runs it for some seconds, on one thread and on all, unless threads
    says on how many."""
    request = Request.parse(model, quantization=quantization)
    path = hub.resolve(request.model).resolve()
    load_s = []
    for attempt in range(2):
        started = time.perf_counter()
        loaded = load(path, quantization, progress)
        load_s.append(time.perf_counter() - started)
        if not attempt:
            loaded.engine.close()
    try:
        columns = tuple(dict.fromkeys(min(n, cpus.available()) for n in
                                      threads or (1, cpus.available())))
        rounds, rows = run(loaded, columns)
        return Speeds(request.model, loaded.engine.model.isa, loaded.size_bytes,
                      (load_s[0], load_s[1]), columns, rounds, rows)
    finally:
        loaded.engine.close()


def run(model: Model, threads: Sequence[int]) -> tuple[int, dict[str, list[float]]]:
    """Returns how many rounds there was time for, and the rows."""
    answer = min(ANSWER, model.context // 4)
    prompts = [n for n in PROMPTS if n + answer < model.context] or [model.context // 2]
    numbers = random.Random(0)
    one(model, numbers, prompts[0], 1, threads[-1])      # the first one finds cold memory
    rounds: list[dict[str, list[float]]] = []
    started = time.perf_counter()
    while len(rounds) < ROUNDS and (not rounds or time.perf_counter() - started < ENOUGH_S):
        rows: dict[str, list[float]] = {}
        for n_threads in threads:
            for n in prompts:
                last = n == prompts[-1]
                read, said = one(model, numbers, n, answer + 1 if last else 1, n_threads)
                rows.setdefault(f"prompt of {n}", []).append(read)
                if last:
                    rows.setdefault(f"answer of {answer}", []).append(said)
        rounds.append(rows)
    return len(rounds), {name: [median(each) for each in zip(*(rows[name] for rows in rounds))]
                         for name in rounds[0]}


def one(model: Model, numbers: random.Random, n_prompt: int, n_answer: int,
        threads: int) -> tuple[float, float]:
    """Returns tokens/s: of a prompt, and of an answer after its first token."""
    vocab_size = model.engine.model.vocab_size
    work = Work(
        prompt=tuple(numbers.randrange(vocab_size) for _ in range(n_prompt)),
        sampler=sample.sampler(HOT, vocab_size, num_ctx=model.context),
        end=frozenset(), num_ctx=model.context, num_predict=n_answer, num_keep=0, shift=False,
        num_thread=threads, num_batch=STEP_TOKENS, long_after=model.long_after)
    tokens = [item for item in Run(model.engine, work) if isinstance(item, Token)]
    return n_prompt / tokens[-1].prompt_ns * 1e9, \
        (n_answer - 1) / max(tokens[-1].eval_ns, 1) * 1e9
