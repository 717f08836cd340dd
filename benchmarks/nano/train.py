"""The training: Muon for the matrices, AdamW for the rest, bf16; it goes on where it stopped."""
from __future__ import annotations

import ctypes
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from .corpus import ROWS, Batch, Lesson, batches
from .model import Nano
from .muon import Muon
from .recorded import Recorded, updated

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MUON_LR, ADAM_LR, WARMUP, DECAY = .01, .004, 50, .8
PIECE_TOKENS = 16384                    # computed at a time on a CPU, or it takes 20 GB
READS = 2 if DEVICE == "cuda" else 1    # of each dialogue: a GPU learns faster than they are made
SAVE_SECONDS, LOG_STEPS = 300, 50


def optimizers(model: Nano) -> list[torch.optim.Optimizer]:
    named = dict(model.named_parameters())
    matrices = [each for name, each in named.items() if each.ndim == 2 and "embed" not in name]
    rest = [each for name, each in named.items() if each.ndim != 2 or "embed" in name]
    muon_lr, adam_lr = (torch.zeros((), device=DEVICE) for _ in range(2))
    return [Muon(matrices, muon_lr),
            torch.optim.AdamW(rest, adam_lr, betas=(.9, .98), weight_decay=0., fused=True,
                              capturable=DEVICE == "cuda")]


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


def begun() -> Nano:
    """A new one; its layers, compiled one by one, share their code."""
    model = Nano().to(DEVICE)
    for layer in model.model.layers:
        layer.compile(dynamic=False)
    return model


def train(folder: Path, lesson: Lesson, tokenizer_json: Path, pupil: Nano | None = None) -> Nano:
    """Returns the model after a lesson; the log is folder/log.jsonl.

    pupil is who goes on learning; without, a new one begins.

    The checkpoint folder/state.pt is written every SAVE_SECONDS; a run that was stopped goes on
    from there, with the same batches.
    """
    heap = Heap()
    model = pupil or begun()
    both = optimizers(model)
    state, step, shard, passed = folder / "state.pt", 0, 0, 0
    if state.exists():
        saved = torch.load(state, DEVICE)
        model.load_state_dict(saved["model"])
        for optimizer, each in zip(both, saved["optimizers"], strict=True):
            optimizer.load_state_dict(each)
        step, shard, passed = saved["step"], saved["shard"], saved["passed"]
    if step >= lesson.steps:
        return model
    began = saved_at = time.monotonic()
    losses: list[Tensor] = []
    learn = Recorded(model, both, lesson.batch_tokens) if DEVICE == "cuda" else Pieces(model, both)
    with (folder / "log.jsonl").open("a") as log:
        for at, i, batch in batches(lesson, tokenizer_json, shard, passed, READS):
            for optimizer, rate in zip(both, (MUON_LR, ADAM_LR), strict=True):
                optimizer.param_groups[0]["lr"].fill_(rate * lesson.rate
                                                      * share(step, lesson.steps))
            losses.append(learn(batch))
            step += 1
            if step % LOG_STEPS == 0 or step == lesson.steps:
                log.write(json.dumps({
                    "step": step, "loss": round(torch.stack(losses).mean().item(), 4),
                    "seconds": round(time.monotonic() - began)}) + "\n")
                log.flush()
                losses.clear()
                heap.trim(0)
            if time.monotonic() - saved_at > SAVE_SECONDS or step == lesson.steps:
                save(state, model, both, step=step, shard=at, passed=i + 1)
                saved_at = time.monotonic()
            if step == lesson.steps:
                return model
    raise AssertionError("batches end")


class Pieces:
    """A step on a CPU: a batch in pieces, whose gradients add up."""

    def __init__(self, model: Nano, both: list[torch.optim.Optimizer]) -> None:
        self.model, self.both = model, both

    def __call__(self, batch: Batch) -> Tensor:
        """Returns the mean loss of a batch before the step."""
        count, length = batch.ids.shape
        rows = max(PIECE_TOKENS // length // ROWS * ROWS, ROWS)
        positions = torch.arange(length)[None]
        losses = []
        for first in range(0, count, rows):
            ids, owners = (torch.from_numpy(each[first:first + rows]).int()
                           for each in (batch.ids, batch.owners))
            low, high = np.searchsorted(batch.learned, (first * length, (first + rows) * length))
            losses.append(self.model.loss(
                ids, positions, (owners[:, :, None] == owners[:, None, :]).tril()[:, None],
                torch.from_numpy(batch.learned[low:high] - first * length),
                torch.from_numpy(batch.targets[low:high]).long()) / len(batch.targets))
            losses[-1].backward()
        updated(self.model, self.both)
        return torch.stack(losses).detach().sum()


def save(path: Path, model: Nano, both: list[torch.optim.Optimizer], **at: int) -> None:
    part = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), **at,
                "optimizers": [each.state_dict() for each in both]}, part)
    part.replace(path)
