"""Rounding, and what stands in for it while a codec is trained."""

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor


def add_noise(v: Tensor) -> Tensor:
    """Training's stand-in for rounding: v + u, u uniform in (-1/2, 1/2) (Ballé et al. 2017, arXiv:1611.01704)."""
    return v + torch.rand_like(v) - 0.5


def ste_round(v: Tensor) -> Tensor:
    """round(v) forward, the identity backward: the straight-through estimator (Theis et al. 2017, arXiv:1703.00395)."""
    return v + (v.round() - v).detach()


def random_round(v: Tensor, temperature: float) -> Tensor:
    """Training's closest stand-in for rounding: near one of the two integers around v, more likely the nearer one.

    Stochastic Gumbel annealing (Yang, Bamler and Mandt 2020, arXiv:2006.04240), which ends at a temperature near 0,
    in rounding. Unlike noise it leaves a zero that is no close call a zero; the gradient is that of the average.
    """
    low = v.detach().floor()
    part = (v - low).clamp(1e-4, 1 - 1e-4)
    odds = (torch.atanh(part) - torch.atanh(1 - part)) / temperature
    return low + torch.sigmoid((odds + torch.logit(torch.rand_like(part), 1e-6)) / temperature)


Relaxation = Literal["noise"] | float | None


def relax(v: Tensor, relaxation: Relaxation) -> tuple[Tensor, Tensor]:
    """What training takes for round(v), twice: for the distortion, and for the rate. Shapes as v.

    "noise": straight-through rounding and noise (Minnen and Singh 2020, arXiv:2007.08739). A number: `random_round`
    at that temperature, the same for both. None: both rounded, which has no gradient.
    """
    if relaxation == "noise":
        return ste_round(v), add_noise(v)
    t = torch.round(v) if relaxation is None else random_round(v, relaxation)
    return t, t


def relaxed_bits(bits: Callable[[Tensor], Tensor], t: Tensor, relaxation: Relaxation) -> Tensor:
    """Bits of symbols that `relax` made for the rate. bits: of integers and, behind no deadzone, of noisy symbols.

    `random_round` ends between integers; there the bits are interpolated. Evaluated at t, as if it were noisy, they
    would jump at t = 1/2, by the mass of the deadzone: most of what a 1 costs more than a 0, and no gradient sees it.
    """
    if relaxation is None or relaxation == "noise":
        return bits(t)
    low = t.detach().floor()
    part = t - low
    return (1 - part) * bits(low) + part * bits(low + 1)


def shrink(v: Tensor, deadzone: Tensor) -> Tensor:
    """sign(v) max(|v| - deadzone, 0): rounded, it is a quantizer whose bin around zero is wider. Shapes broadcast."""
    return torch.sign(v) * (v.abs() - deadzone).clamp_min(0)
