"""The learned factorised prior: a density for training, integer tables for coding.

Notation: y is the latent, v = g y the latent in units of the quantiser step 1/g, k the integer symbol. Channel c
has one cumulative F_c over y, whatever λ is; a finer quantiser only asks for the mass of a shorter interval.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .bitstream import Tables
from .units import CDF_ONE, DEADZONE_ONE, FIXED_POINT, TABLE_ONE

CONTRASTS = tuple(round(FIXED_POINT * 2 ** (i / 4 - 2)) for i in range(16))  # 1/4 to 3.4, in units of 2^-16
NEUTRAL = 8  # the number of contrast 1


class FactorizedPrior(nn.Module):
    """Non-parametric density of Ballé et al. 2018 (arXiv:1802.01436, appendix 6.1), one per channel.

    The cumulative is a small network with positive weights, hence increasing: layers of widths 1, 3, 3, 3, 1,
    each x <- softplus(H) x + b followed by x <- x + tanh(a) tanh(x), and a sigmoid at the end.
    """

    WIDTHS = (1, 3, 3, 3, 1)

    def __init__(self, channels: int, scale: Tensor | float = 10.0):
        """channels: C. scale: (C,) or float, the rough width of each density at the start."""
        super().__init__()
        self.weights, self.biases, self.factors = nn.ParameterList(), nn.ParameterList(), nn.ParameterList()
        layers = len(self.WIDTHS) - 1
        scale = torch.as_tensor(scale, dtype=torch.float32).expand(channels)
        for i, (fan_in, fan_out) in enumerate(zip(self.WIDTHS, self.WIDTHS[1:], strict=False)):
            slope = 1 / (scale ** (1 / layers) * fan_out)
            weight = torch.log(torch.expm1(slope))[:, None, None].expand(channels, fan_out, fan_in)
            self.weights.append(nn.Parameter(weight.clone()))
            self.biases.append(nn.Parameter(torch.rand(channels, fan_out, 1) - 0.5))
            if i < layers - 1:
                self.factors.append(nn.Parameter(torch.zeros(channels, fan_out, 1)))

    def logits(self, y: Tensor) -> Tensor:
        """Logit of the cumulative: F_c(y) = sigmoid(logits). y: (C, 1, N). Returns (C, 1, N)."""
        for i, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            y = F.softplus(weight) @ y + bias
            if i < len(self.factors):
                y = y + torch.tanh(self.factors[i]) * torch.tanh(y)
        return y

    def mass(self, low: Tensor, high: Tensor) -> Tensor:
        """F_c(high) - F_c(low), at least 1e-9. low, high: (C, 1, N). Returns (C, 1, N).

        The sign flip keeps the difference of sigmoids accurate in the upper tail.
        """
        lower, upper = self.logits(low), self.logits(high)
        flip = -torch.sign(lower + upper).detach()
        return (torch.sigmoid(flip * upper) - torch.sigmoid(flip * lower)).abs().clamp_min(1e-9)

    def likelihood(self, y: Tensor, half: Tensor | float = 0.5) -> Tensor:
        """Mass of the interval (y - half, y + half). y: (C, 1, N); half: broadcastable. Returns (C, 1, N).

        With half = 1/2 this is the density of a noisy latent y + u, and the probability of a rounded one.
        """
        return self.mass(y - half, y + half)

    def bits(self, low: Tensor, high: Tensor) -> Tensor:
        """Bits of the masses of intervals. low, high: (B, C, h, w). Returns the same shape."""
        batch, channels, *size = low.shape
        ends = (end.transpose(0, 1).reshape(channels, 1, -1) for end in (low, high))
        return -torch.log2(self.mass(*ends)).view(channels, batch, *size).transpose(0, 1)

    @torch.no_grad()
    def quantile(self, probability: float) -> Tensor:
        """The y at which F_c(y) = probability, by bisection in float64. Returns (C,)."""
        prior = FactorizedPrior(len(self.weights[0])).double()
        prior.load_state_dict({k: v.double() for k, v in self.state_dict().items()})
        low = torch.full_like(prior.biases[0][:, :1], -(2.0**15))
        high = -low
        for _ in range(60):
            middle = (low + high) / 2
            below = torch.sigmoid(prior.logits(middle)) < probability
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return high[:, 0, 0]


@dataclass(frozen=True)
class IntegerPrior:
    """A factorised prior in integers: any machine computes the same tables from it.

    After Ballé, Johnston and Minnen 2019 ("Integer networks for data compression"): what selects a probability
    must not depend on floating point. Channel c has knots at first[c] + i spacing[c], in units of 2^-16 of y;
    between knots its cumulative is linear.
    """

    cdf: np.ndarray  # (K,) int64 in [0, CDF_ONE], the channels' knots one after the other
    start: np.ndarray  # (C + 1,) int64, where each channel's knots begin in cdf
    first: np.ndarray  # (C,) int64
    spacing: np.ndarray  # (C,) int64

    @classmethod
    def from_prior(cls, prior: FactorizedPrior, finest: np.ndarray, tail: float = 1e-6) -> "IntegerPrior":
        """Sample a float prior at 4 knots for each of its finest steps. finest: (C,) int, in units of 2^-16."""
        spacing = np.maximum(finest.astype(np.int64) // 4, 1)
        low = np.floor(prior.quantile(tail).numpy() * FIXED_POINT / spacing).astype(np.int64) - 1
        high = np.ceil(prior.quantile(1 - tail).numpy() * FIXED_POINT / spacing).astype(np.int64) + 1
        start = np.concatenate([[0], np.cumsum(high - low + 1)])
        cdf = np.zeros(start[-1], np.int64)
        double = FactorizedPrior(len(spacing)).double()
        double.load_state_dict({k: v.double() for k, v in prior.state_dict().items()})
        width = int((high - low + 1).max())
        y = (low[:, None] + np.arange(width)) * spacing[:, None] / FIXED_POINT
        with torch.no_grad():
            value = torch.sigmoid(double.logits(torch.from_numpy(y)[:, None]))[:, 0].numpy()
        for c in range(len(spacing)):
            n = start[c + 1] - start[c]
            cdf[start[c] : start[c + 1]] = np.round(value[c, :n] * CDF_ONE)
        return cls(cdf, start, low * spacing, spacing)

    def buffers(self) -> tuple[Tensor, Tensor, Tensor]:
        """What a file of weights keeps of it: cdf, first knots and numbers of knots, int32."""
        arrays = self.cdf, self.first // self.spacing, np.diff(self.start)
        cdf, first, size = (torch.from_numpy(array.astype(np.int32)) for array in arrays)
        return cdf, first, size

    @classmethod
    def from_buffers(cls, cdf: Tensor, first: Tensor, size: Tensor, finest: Tensor) -> Self:
        """The inverse of `buffers`. finest: the steps that `from_prior` was given, (C,)."""
        spacing = np.maximum(finest.numpy().astype(np.int64) // 4, 1)
        start = np.concatenate([[0], np.cumsum(size.numpy().astype(np.int64))])
        return cls(cdf.numpy().astype(np.int64), start, first.numpy().astype(np.int64) * spacing, spacing)

    def cumulative(self, channel: np.ndarray, position: np.ndarray) -> np.ndarray:
        """F at integer positions (units of 2^-16 of y), by exact integer arithmetic. channel, position: (N,)."""
        offset = position - self.first[channel]
        knots = self.start[channel + 1] - self.start[channel]
        offset = np.clip(offset, 0, (knots - 1) * self.spacing[channel])
        index = np.minimum(offset // self.spacing[channel], knots - 2)
        part = offset - index * self.spacing[channel]
        left = self.cdf[self.start[channel] + index]
        right = self.cdf[self.start[channel] + index + 1]
        return left + (right - left) * part // self.spacing[channel]

    def tables(self, step: np.ndarray, deadzone: np.ndarray) -> Tables:
        """Integer tables for one λ. step, deadzone: (C,) int64, in units of 2^-16 of y and of 1/256 of a step.

        Symbol 0 owns the y within (1/2 + deadzone) steps of 0, symbol k > 0 the step that begins at
        (k - 1/2 + deadzone) steps, and so on to both sides.
        """
        last = self.first + (np.diff(self.start) - 1) * self.spacing
        low = -((-self.first + step // 2) // step)
        high = (last + step // 2) // step
        low, high = np.minimum(low, 0), np.maximum(high, 0)
        size = high - low + 2  # interval ends: one more than symbols
        channel = np.repeat(np.arange(len(step)), size)
        begin = np.concatenate([[0], np.cumsum(size)])
        k = np.arange(begin[-1]) - begin[channel] + low[channel]  # the end below symbol k
        half = DEADZONE_ONE // 2
        ends = np.where(k > 0, k * DEADZONE_ONE - half + deadzone[channel], k * DEADZONE_ONE - half - deadzone[channel])
        value = self.cumulative(channel, ends * step[channel] // DEADZONE_ONE)
        scaled = np.diff(value) * TABLE_ONE // CDF_ONE
        counts = []
        for c in range(len(step)):
            inside = np.maximum(scaled[begin[c] : begin[c + 1] - 1], 1)
            counts.append(np.append(inside, max(TABLE_ONE - int(inside.sum()), 1)))
        return Tables(low, counts)


# ---- the distribution of y where its mean and scale are known

LEVELS = 64  # scales that tables exist for
SCALES_PER_E = 8  # of them to a factor e


def scale_at(level: float) -> float:
    """A scale, in quantiser steps: 0.03 at level 0, 79 at the last."""
    return 0.03 * math.exp(level / SCALES_PER_E)


def level_of(scale: Tensor) -> Tensor:
    """The number of the nearest scale, on a logarithmic axis. Any shape; returns the same, int64."""
    return torch.round(torch.log(scale / scale_at(0)) * SCALES_PER_E).clamp(0, LEVELS - 1).long()


def logistic_mass(low: Tensor, high: Tensor, scale: Tensor) -> Tensor:
    """Mass of (low, high) under a logistic distribution around 0, at least 1e-9. Shapes broadcast."""
    flip = torch.where(low + high > 0, -1.0, 1.0).to(scale)  # keeps the difference accurate in the upper tail
    mass = torch.sigmoid(flip * high / scale) - torch.sigmoid(flip * low / scale)
    return mass.abs().clamp_min(1e-9)


def logistic_deadzones(rounding_cost: float, rounds: int = 20) -> Tensor:
    """The deadzone of each scale, as `FactorizedCodec.update_deadzone` finds it: (LEVELS,), in 1 / DEADZONE_ONE."""
    scale = torch.tensor([scale_at(level) for level in range(LEVELS)], dtype=torch.float64)
    deadzone = torch.zeros_like(scale)
    for _ in range(rounds):
        edge = 0.5 + deadzone
        zero, ones = logistic_mass(-edge, edge, scale), 2 * logistic_mass(edge, edge + 1, scale)
        deadzone = (torch.log2(2 * zero / ones) / (2 * rounding_cost)).clamp(0, 0.45)
    return torch.round(deadzone * DEADZONE_ONE)


def logistic_tables(deadzone: np.ndarray, tail: float = 1e-6) -> Tables:
    """Integer tables of the scales, for symbols behind these deadzones. deadzone: (LEVELS,) in 1 / DEADZONE_ONE."""
    lows, counts = [], []
    for level, dead in enumerate(deadzone / DEADZONE_ONE):
        last = max(math.ceil(-scale_at(level) * math.log(tail)), 1)
        k = np.arange(last + 1)
        ends = np.concatenate([[0.0], k + 0.5 + dead]) / scale_at(level)  # the upper ends of symbols 0, 1, ..., last
        mass = -np.diff(1 / (1 + np.exp(ends)))
        half = np.maximum(np.round(mass * TABLE_ONE), 1).astype(np.int64)
        half[0] = max(round(2 * mass[0] * TABLE_ONE), 1)
        inside = np.concatenate([half[:0:-1], half])
        lows.append(-last)
        counts.append(np.append(inside, max(TABLE_ONE - int(inside.sum()), 1)))
    return Tables(np.array(lows), counts)
