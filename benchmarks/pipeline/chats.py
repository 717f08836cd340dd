"""Chats of a chosen length: what the benchmarks here have in common."""
import argparse
import os
import time
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import minichat

TURNS = count(100)          # three digits begin every prompt, so that none finds another's pages


class Answer(NamedTuple):
    last: dict[str, Any]    # the chunk that is done
    first_s: float          # from the call to the first chunk
    total_s: float          # to the last


def parser(doc, **defaults):
    """A parser for FOLDER, --quantization and --threads, and an --option for each default."""
    made = argparse.ArgumentParser(description=doc.splitlines()[0])
    made.add_argument("folder", type=Path)
    made.add_argument("--quantization", default="q4")
    made.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    for name, value in defaults.items():
        made.add_argument(f"--{name}", type=int, nargs="+" if isinstance(value, list) else None,
                          default=value)
    return made


def ask(model, messages, threads, num_predict=1):
    """Lets model answer, anything: what repeats itself would be guessed, and sooner there."""
    start = time.perf_counter()
    stream = model.chat(messages, options={"temperature": 1000, "seed": 1, "num_thread": threads,
                                           "num_predict": num_predict})
    chunks = [next(stream)]
    first = time.perf_counter()
    chunks += stream
    return Answer(chunks[-1], first - start, time.perf_counter() - start)


def words(n):
    """A user's message that nobody has sent before."""
    return [{"role": "user", "content": f"{next(TURNS)}" + " the" * n}]


def shorter(messages, n):
    """The same less its last n tokens: with its pages in the cache, the rest is what is read."""
    text = messages[0]["content"].rsplit(" the", n)[0]
    return [{"role": "user", "content": text}]


def fitted(model, tokens, threads):
    """Returns a function that makes a new prompt of exactly so many tokens."""
    least = ask(model, words(0), threads).last["prompt_eval_count"]
    n = max(0, tokens - least)
    found = ask(model, words(n), threads).last["prompt_eval_count"]
    if found != max(tokens, least):
        raise SystemExit(f"a prompt of {tokens} tokens came out as {found}")
    return lambda: words(n)


def opened(args):
    return minichat.load(str(args.folder), quantization=args.quantization)


def name(phase, args, *rest):
    parts = [phase, args.folder.name, args.quantization, f"{args.threads}T", *map(str, rest)]
    return "/".join(parts)
