"""The training: Muon for the matrices, AdamW for the rest, bf16; it goes on where it stopped."""
from __future__ import annotations

import ctypes
import json
import time
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from .model import Nano

BATCH_TOKENS = 16384
LENGTHS = (128, 256, 384, 640, 1024)    # of the rows that dialogues are packed into
POOL = 8192                             # dialogues that are packed at a time
MUON_LR, ADAM_LR, WARMUP, DECAY = .02, .004, 100, .8
SAVE_SECONDS = 300


def batches(folder: Path, start: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yields ids, targets and owners (rows, length) without end, from batch start on.

    A row holds several dialogues, owners says which; targets are -1 where nothing is learned.
    """
    corpus = np.load(folder / "corpus.npz")
    ids, learned, offsets = corpus["ids"], corpus["learned"], corpus["offsets"]
    sizes = np.diff(offsets)
    passed, epoch = 0, 0
    while True:
        random = np.random.default_rng(epoch)
        order = random.permutation(len(sizes))
        for first in range(0, len(order), POOL):
            rows = packed(order[first:first + POOL], sizes)
            groups = [(length, some[i:i + BATCH_TOKENS // length]) for length, some in rows.items()
                      for i in range(0, len(some), BATCH_TOKENS // length)]
            for i in random.permutation(len(groups)):
                length, chosen = groups[i]
                if len(chosen) < BATCH_TOKENS // length:
                    continue            # what is over; each shape would be compiled anew
                passed += 1
                if passed > start:
                    yield filled(chosen, length, ids, learned, offsets)
        epoch += 1


def packed(pool: np.ndarray, sizes: np.ndarray) -> dict[int, list[list[int]]]:
    """Length -> rows of dialogues that fill it: the longest that is left opens a row, and then
    comes the longest that still fits."""
    by_size = sorted((int(sizes[i]), int(i)) for i in pool)
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


def filled(rows: list[list[int]], length: int, ids: np.ndarray, learned: np.ndarray,
           offsets: np.ndarray) -> tuple[Tensor, Tensor, Tensor]:
    inputs = np.zeros((len(rows), length), np.int64)
    targets, owners = np.full_like(inputs, -1), np.full_like(inputs, -1)
    for row, dialogues in enumerate(rows):
        begin = 0
        for owner, i in enumerate(dialogues):
            some = ids[offsets[i]:offsets[i + 1]].astype(np.int64)
            wanted = learned[offsets[i]:offsets[i + 1]]
            end = begin + len(some)
            inputs[row, begin:end], owners[row, begin:end] = some, owner
            targets[row, begin:end - 1] = np.where(wanted[1:], some[1:], -1)
            begin = end
    return torch.from_numpy(inputs), torch.from_numpy(targets), torch.from_numpy(owners)


def optimizers(model: Nano) -> list[torch.optim.Optimizer]:
    named = dict(model.named_parameters())
    matrices = [each for name, each in named.items() if each.ndim == 2 and "embed" not in name]
    rest = [each for name, each in named.items() if each.ndim != 2 or "embed" in name]
    return [torch.optim.Muon(matrices, MUON_LR, weight_decay=.01, momentum=.95),
            torch.optim.AdamW(rest, ADAM_LR, betas=(.9, .98), weight_decay=0.)]


class Heap:
    """glibc's: it gives no large block back to the system at once, for each step takes the same
    again and a fifth of its time went into their pages; only what trim() finds in its holes."""

    def __init__(self) -> None:
        libc = ctypes.CDLL(None)
        set_option = getattr(libc, "mallopt", lambda option, value: None)
        set_option(-4, 0)               # M_MMAP_MAX: no mapping of its own for a large block
        set_option(-8, 1)               # M_ARENA_MAX
        set_option(-1, 2**31 - 1)       # M_TRIM_THRESHOLD
        self.trim = getattr(libc, "malloc_trim", lambda pad: None)


def share(step: int, steps: int) -> float:
    """Of the learning rate: warm-up, a plateau, then down to nothing."""
    return min((step + 1) / WARMUP, 1., (steps - step) / (steps * DECAY))


def train(folder: Path, steps: int, pupil: Nano | None = None) -> Nano:
    """Returns the model after steps on folder/corpus.npz; the log is folder/log.jsonl.

    pupil is who goes on learning; without, a new one begins.

    The checkpoint folder/state.pt is written every SAVE_SECONDS; a run that was stopped goes on
    from there, with the same batches.
    """
    heap = Heap()
    model = pupil or Nano()
    both = optimizers(model)
    state, step = folder / "state.pt", 0
    if state.exists():
        saved = torch.load(state)
        model.load_state_dict(saved["model"])
        for optimizer, each in zip(both, saved["optimizers"], strict=True):
            optimizer.load_state_dict(each)
        step = saved["step"]
    torch.compiler.reset()
    hidden = torch.compile(model, dynamic=False)
    torch._dynamo.config.cache_size_limit = len(LENGTHS) + 1
    began = saved_at = time.monotonic()
    losses: list[float] = []
    with (folder / "log.jsonl").open("a") as log:
        for ids, targets, owners in batches(folder, step):
            if step >= steps:
                break
            for optimizer, rate in zip(both, (MUON_LR, ADAM_LR), strict=True):
                optimizer.param_groups[0]["lr"] = rate * share(step, steps)
            with torch.autocast("cpu", torch.bfloat16):
                loss = cross_entropy(hidden(ids, owners), model.model.embed_tokens, targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.)
            for optimizer in both:
                optimizer.step()
                optimizer.zero_grad()
            step += 1
            losses.append(loss.item())
            if step % 50 == 0:
                log.write(json.dumps({"step": step, "loss": round(float(np.mean(losses)), 4),
                                      "seconds": round(time.monotonic() - began)}) + "\n")
                log.flush()
                losses.clear()
                heap.trim(0)
            if time.monotonic() - saved_at > SAVE_SECONDS or step == steps:
                save(state, model, both, step)
                saved_at = time.monotonic()
    return model


def cross_entropy(hidden: Tensor, embeddings: nn.Embedding, targets: Tensor) -> Tensor:
    """Mean over the targets that are learned, of logits that share the embeddings."""
    learned = targets >= 0
    logits = hidden[learned] @ embeddings.weight.T
    return functional.cross_entropy(logits.float(), targets[learned])


def save(path: Path, model: Nano, both: list[torch.optim.Optimizer], step: int) -> None:
    part = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), "step": step,
                "optimizers": [each.state_dict() for each in both]}, part)
    part.replace(path)
