"""Rounding: its deadzone, and what stands in for it while a codec is trained.

A deadzone is the half width by which the bin around zero is wider than the others, in steps.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from .units import DEADZONE_ONE

ROUNDING_COST = 8.66  # 6 / ln 2, see `best_deadzone`


def add_noise(v: Tensor) -> Tensor:
    """Additive uniform noise: v + u, u uniform in (-1/2, 1/2) (Ballé et al. 2017, arXiv:1611.01704)."""
    return v + torch.rand_like(v) - 0.5


def ste_round(v: Tensor) -> Tensor:
    """round(v) forward, the identity backward: the straight-through estimator (Theis et al. 2017, arXiv:1703.00395)."""
    return v + (v.round() - v).detach()


# ---- the deadzone


def shrink(v: Tensor, deadzone: Tensor) -> Tensor:
    """sign(v) max(|v| - deadzone, 0): rounded, it is a quantizer whose bin around zero is wider. Shapes broadcast."""
    return torch.sign(v) * (v.abs() - deadzone).clamp_min(0)


def unshrink(t: Tensor, deadzone: Tensor) -> Tensor:
    """The inverse of `shrink` for t != 0. Shapes broadcast."""
    return t + torch.sign(t) * deadzone


def best_deadzone(
    mass: Callable[[Tensor, Tensor], Tensor], deadzone: Tensor, rounding_cost: float, rounds: int
) -> Tensor:
    """The deadzone of (bits of symbol 1 - bits of symbol 0) / (2 rounding_cost) steps, by iteration.

    mass: of an interval whose ends are in steps. deadzone: where to start, any shape; returns the same shape, in
    whole 1 / DEADZONE_ONE. rounding_cost: bits that an error of one step squared is worth; 6 / ln 2 = 8.66 follows
    from D = step^2 / 12 and dR / dD = -λ at high rate. A value between two symbols goes to the cheaper one a little
    past the midpoint, which costs less in D than it saves in R; the deadzone is how far past.
    """
    for _ in range(rounds):
        edge = 0.5 + deadzone
        zero, ones = mass(-edge, edge), mass(-edge - 1, -edge) + mass(edge, edge + 1)
        deadzone = (torch.log2(2 * zero / ones) / (2 * rounding_cost)).clamp(0, 0.45)
    return torch.round(deadzone * DEADZONE_ONE) / DEADZONE_ONE
