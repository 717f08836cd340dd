"""Muon (Jordan et al. 2024): momentum, made orthogonal; matrices of a shape all at once."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

# The quintic iteration's coefficients, as published.
A, B, C = 3.4445, -4.7750, 2.0315
ITERATIONS = 5


def orthogonal(matrices: Tensor) -> Tensor:
    """Each of matrices (n, rows, columns) with its singular values brought near 1."""
    tall = matrices.shape[1] > matrices.shape[2]
    x = matrices.mT if tall else matrices
    x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(ITERATIONS):
        gram = x @ x.mT
        x = A * x + (B * gram + C * gram @ gram) @ x
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """lr is of the orthogonal step; taller matrices step further, by the root of their ratio."""

    def __init__(self, parameters: Iterable[Tensor], lr: Tensor, momentum: float = .95,
                 weight_decay: float = .01):
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            shapes = defaultdict(list)
            for each in group["params"]:
                shapes[each.shape].append(each)
            for (rows, columns), several in shapes.items():
                moments = [self.moment(each) for each in several]
                gradients = [each.grad for each in several]
                torch._foreach_lerp_(moments, gradients, 1 - group["momentum"])
                ahead = torch._foreach_lerp(gradients, moments, group["momentum"])
                steps = orthogonal(torch.stack(ahead)).to(several[0].dtype)
                torch._foreach_mul_(several, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_sub_(several, (steps * (
                    group["lr"] * max(1, rows / columns) ** .5)).unbind())

    def moment(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["moment"] = torch.zeros_like(parameter)
        return state["moment"]
