"""Rounding: its deadzone, and what stands in for it while a codec is trained.

A deadzone is the half width by which the bin around zero is wider than the others, in steps.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

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


def random_round(v: Tensor, temperature: float) -> Tensor:
    """Stochastic Gumbel annealing: near one of the two integers around v, more likely the nearer one.

    It ends at a temperature near 0, in rounding (Yang, Bamler and Mandt 2020, arXiv:2006.04240). Unlike noise it
    leaves a zero that is no close call a zero; the gradient is that of the average.
    """
    low = v.detach().floor()
    fraction = (v - low).clamp(1e-4, 1 - 1e-4)
    odds = (torch.atanh(fraction) - torch.atanh(1 - fraction)) / temperature
    return low + torch.sigmoid((odds + torch.logit(torch.rand_like(fraction), 1e-6)) / temperature)


@dataclass(frozen=True)
class Rounding:
    """How symbols are made of a latent in steps.

    "hard": round(v), as in files; it has no gradient. "noise": straight-through rounding for the distortion and noise
    for the rate (Minnen and Singh 2020, arXiv:2007.08739), without a deadzone: the straight-through gradient would
    pull values out of a deadzone that stay in it. "random": `random_round` for both.
    """

    kind: Literal["hard", "noise", "random"]
    temperature: float = 0.35  # of "random"

    def bin_of_zero(self, deadzone: Tensor) -> Tensor:
        """The deadzone that symbols of this kind have."""
        return torch.zeros_like(deadzone) if self.kind == "noise" else deadzone

    def symbols(self, v: Tensor) -> tuple[Tensor, Tensor]:
        """Symbols of v, twice: for the distortion, and for the rate. Shapes as v."""
        if self.kind == "noise":
            return ste_round(v), add_noise(v)
        t = torch.round(v) if self.kind == "hard" else random_round(v, self.temperature)
        return t, t

    def bits(self, bits_of: Callable[[Tensor], Tensor], t: Tensor) -> Tensor:
        """Bits of symbols t made for the rate. bits_of: of integers and, without a deadzone, of noisy symbols.

        Between two integers, where `random_round` ends, bits are interpolated. Evaluated at t they would jump at
        t = 1/2, by the mass of the deadzone: most of what a 1 costs more than a 0, and no gradient sees it.
        """
        if self.kind != "random":
            return bits_of(t)
        low = t.detach().floor()
        fraction = t - low
        return (1 - fraction) * bits_of(low) + fraction * bits_of(low + 1)


HARD = Rounding("hard")


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
