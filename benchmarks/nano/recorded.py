"""A step of the training on a GPU, recorded once and played for every batch (a CUDA graph):
to launch its kernels one by one took several times as long as they do."""
from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from .corpus import LENGTHS, Batch
from .model import Nano

SHARE = 5 / 8                           # of a batch's tokens are learned, at most
DIALOGUES = 1 / 32                      # and there are so many of them a token, at most
AHEAD = 64                              # batches that may wait for the GPU
WARM_UPS = 3


def updated(model: Nano, both: list[torch.optim.Optimizer]) -> None:
    """Takes the step that the gradients say, and forgets them."""
    nn.utils.clip_grad_norm_(model.parameters(), 1.)
    for optimizer in both:
        optimizer.step()
        optimizer.zero_grad()


class Recorded:
    """A step; its batches, one flat text each, have one shape, so that one recording does."""

    def __init__(self, model: Nano, both: list[torch.optim.Optimizer], tokens: int) -> None:
        self.model, self.both = model, both
        self.learned = int(tokens * SHARE)
        self.sizes = [tokens, tokens, int(tokens * DIALOGUES), self.learned, self.learned]
        self.given = torch.zeros(sum(self.sizes), dtype=torch.int32, device="cuda")
        self.waiting = [torch.zeros_like(self.given, device="cpu").pin_memory()
                        for _ in range(AHEAD)]
        self.unlearned = np.arange(self.learned, dtype=np.int32)
        self.steps = 0
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, batch: Batch) -> Tensor:
        """Returns the mean loss of a batch before the step."""
        pinned = self.waiting[self.steps % AHEAD]
        if self.steps % AHEAD == 0:
            torch.cuda.synchronize()
        self.steps += 1
        pinned.copy_(torch.from_numpy(np.concatenate(self.flat(batch))))
        self.given.copy_(pinned, non_blocking=True)
        if not self.graph:
            self.record()
        assert self.graph
        self.graph.replay()
        return self.loss.clone()

    def flat(self, batch: Batch) -> list[np.ndarray]:
        """A batch as ids, positions, bounds of its dialogues, what is learned and which token,
        all of fixed sizes."""
        rows, length = batch.ids.shape
        tokens, _, bounds, _, learned = self.sizes
        ends = np.flatnonzero(np.diff(
            batch.owners + np.arange(rows)[:, None] * 1000, prepend=-2).ravel())
        ends = np.concatenate((ends, np.arange(rows * length, tokens, LENGTHS[0])))
        # What is not learned comes from many places: their gradients, though nought, are added
        # up, and those of one place one after the other.
        return [filled(batch.ids.ravel(), tokens, 0),
                filled(np.tile(np.arange(length), rows), tokens, 0),
                filled(ends, bounds, tokens), filled(batch.learned, learned, self.unlearned),
                filled(batch.targets, learned, -1)]

    def step(self) -> None:
        ids, positions, bounds, learned, targets = self.given.split(self.sizes)
        loss = self.model.loss(ids[None], positions[None], bounds, learned, targets.long())
        loss = loss / (targets >= 0).sum()
        loss.backward()
        updated(self.model, self.both)
        self.loss = loss.detach()

    def record(self) -> None:
        """Warm-ups first, which compile and change no weight, for the rates are nought then."""
        rates = [optimizer.param_groups[0]["lr"] for optimizer in self.both]
        kept = [rate.clone() for rate in rates]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for rate in rates:
                rate.zero_()
            for _ in range(WARM_UPS):
                self.step()
            for rate, was in zip(rates, kept, strict=True):
                rate.copy_(was)
        torch.cuda.current_stream().wait_stream(side)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.step()


def filled(values: np.ndarray, size: int, rest: int | np.ndarray) -> np.ndarray:
    """Returns values, and then what rest has there, as int32 (size,)."""
    whole = np.full(size, rest, np.int32)
    whole[:len(values)] = values
    return whole
