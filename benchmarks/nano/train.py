"""The training: Muon for the matrices, AdamW for the rest, bf16; it goes on where it stopped."""
from __future__ import annotations

import ctypes
import json
import time
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from .corpus import ROWS, Batch, Lesson, batches
from .model import Nano
from .muon import Muon

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
MUON_LR, ADAM_LR, WARMUP, DECAY = .02, .004, 50, .8
PIECE_TOKENS = 16384                    # computed at a time on a CPU, or it takes 20 GB
SAVE_SECONDS, LOG_STEPS = 300, 50


def optimizers(model: Nano) -> list[torch.optim.Optimizer]:
    named = dict(model.named_parameters())
    matrices = [each for name, each in named.items() if each.ndim == 2 and "embed" not in name]
    rest = [each for name, each in named.items() if each.ndim != 2 or "embed" in name]
    return [Muon(matrices, MUON_LR),
            torch.optim.AdamW(rest, ADAM_LR, betas=(.9, .98), weight_decay=0., fused=True)]


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
    with (folder / "log.jsonl").open("a") as log:
        for at, i, batch in batches(lesson, tokenizer_json, shard, passed):
            for optimizer, rate in zip(both, (MUON_LR, ADAM_LR), strict=True):
                optimizer.param_groups[0]["lr"] = rate * lesson.rate * share(step, lesson.steps)
            losses.append(learn(model, batch))
            nn.utils.clip_grad_norm_(model.parameters(), 1.)
            for optimizer in both:
                optimizer.step()
                optimizer.zero_grad()
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


def learn(model: Nano, batch: Batch) -> Tensor:
    """Returns the mean loss of a batch and leaves its gradients."""
    total = torch.zeros((), device=DEVICE)
    rows, length = batch.ids.shape
    if DEVICE == "cpu" and rows * length > PIECE_TOKENS:
        rows = PIECE_TOKENS // length // ROWS * ROWS
    for first in range(0, len(batch.ids), rows):
        ids, owners = (torch.from_numpy(each[first:first + rows]).to(DEVICE)
                       for each in (batch.ids, batch.owners))
        mine = ((batch.learned >= first * length)
                & (batch.learned < (first + rows) * length))
        learned = torch.from_numpy(batch.learned[mine] - first * length).to(DEVICE)
        targets = torch.from_numpy(batch.targets[mine]).to(DEVICE).long()
        with torch.autocast(DEVICE, torch.bfloat16):
            hidden = model(ids.int(), owners).flatten(0, 1)
            logits = hidden.index_select(0, learned) @ model.model.embed_tokens.weight.T
            loss = functional.cross_entropy(logits.float(), targets,
                                            reduction="sum") / len(batch.targets)
        loss.backward()
        total += loss.detach()
    return total


def save(path: Path, model: Nano, both: list[torch.optim.Optimizer], **at: int) -> None:
    part = path.with_suffix(".part")
    torch.save({"model": model.state_dict(), **at,
                "optimizers": [each.state_dict() for each in both]}, part)
    part.replace(path)
