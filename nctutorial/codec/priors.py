"""Distributions of latents: a density for training, integer tables for coding.

Two kinds: `FactorizedPrior`, learned, one cumulative F_c over y for each channel, whatever λ is (a finer quantizer only
asks for the mass of a shorter interval); and the logistic, for where mean and scale of y are predicted.
"""

import copy
import functools
import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .rangecoder import Tables, with_escape
from .rounding import best_deadzone
from .units import CDF_ONE, DEADZONE_ONE, FIXED_POINT, TABLE_ONE


def interval_mass(lower: Tensor, upper: Tensor) -> Tensor:
    """sigmoid(upper) - sigmoid(lower), at least 1e-9: the mass between two logits of a cumulative. Shapes broadcast.

    Where both sigmoids are near 1 their difference is lost in rounding: there it is taken of the mirrored interval.
    """
    flip = torch.where(lower + upper > 0, -1.0, 1.0).to(upper)
    return (torch.sigmoid(flip * upper) - torch.sigmoid(flip * lower)).abs().clamp_min(1e-9)


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
        """F_c(high) - F_c(low), at least 1e-9. low, high: (C, 1, N). Returns (C, 1, N)."""
        return interval_mass(self.logits(low), self.logits(high))

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
        prior = copy.deepcopy(self).double()
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
    must not depend on floating point. Channel c has size[c] knots, the first at first[c] spacings of 0; between knots
    its cumulative is linear. Spacings and positions are in units of 1 / FIXED_POINT of y.
    """

    cdf: np.ndarray  # (K,) int32 in [0, CDF_ONE], the channels' knots one after the other
    first: np.ndarray  # (C,) int32
    size: np.ndarray  # (C,) int32
    finest: np.ndarray  # (C,) int32, the finest step of each channel, of which a spacing is a quarter

    @classmethod
    def from_prior(cls, prior: FactorizedPrior, finest: np.ndarray, tail: float = 1e-6) -> Self:
        """Sample a float prior. finest: (C,) int32."""
        spacing = np.maximum(finest.astype(np.int64) // 4, 1)
        low = np.floor(prior.quantile(tail).numpy() * FIXED_POINT / spacing).astype(np.int64) - 1
        high = np.ceil(prior.quantile(1 - tail).numpy() * FIXED_POINT / spacing).astype(np.int64) + 1
        size = high - low + 1
        y = (low[:, None] + np.arange(size.max())) * spacing[:, None] / FIXED_POINT
        with torch.no_grad():
            logits = copy.deepcopy(prior).double().logits(torch.from_numpy(y)[:, None])
        cdf = np.round(torch.sigmoid(logits)[:, 0].numpy() * CDF_ONE)
        inside = np.arange(size.max()) < size[:, None]
        return cls(*(array.astype(np.int32) for array in (cdf[inside], low, size, finest)))

    @functools.cached_property
    def _knots(self) -> tuple[np.ndarray, ...]:
        """cdf, and of each channel the place of its first knot in it, that knot's position, and the spacing: int64."""
        spacing = np.maximum(self.finest.astype(np.int64) // 4, 1)
        start = np.cumsum(self.size.astype(np.int64)) - self.size
        return self.cdf.astype(np.int64), start, self.first * spacing, spacing

    def cumulative(self, channel: np.ndarray, position: np.ndarray) -> np.ndarray:
        """F at integer positions, by exact integer arithmetic. channel, position: (N,) int64. Returns (N,) int64."""
        cdf, *knots = self._knots
        start, first, spacing = (of_channel[channel] for of_channel in knots)
        last = self.size[channel] - 1
        offset = np.clip(position - first, 0, last * spacing)
        index = np.minimum(offset // spacing, last - 1)
        left, right = cdf[start + index], cdf[start + index + 1]
        return left + (right - left) * (offset - index * spacing) // spacing

    def tables(self, step: np.ndarray, deadzone: np.ndarray) -> Tables:
        """Integer tables for one λ. step, deadzone: (C,) int64, in 1 / FIXED_POINT of y and 1 / DEADZONE_ONE of a step.

        Symbol 0 owns the y within (1/2 + deadzone) steps of 0, symbol k > 0 the step that begins at
        (k - 1/2 + deadzone) steps, and so on to both sides.
        """
        _, _, first, spacing = self._knots
        low = np.minimum(-((-first + step // 2) // step), 0)
        high = np.maximum((first + (self.size - 1) * spacing + step // 2) // step, 0)
        size = high - low + 2  # interval ends: one more than symbols
        channel = np.repeat(np.arange(len(step)), size)
        stops = np.cumsum(size)
        k = np.arange(stops[-1]) - (stops - size)[channel] + low[channel]  # each end is the one below symbol k
        half = DEADZONE_ONE // 2
        ends = np.where(k > 0, k * DEADZONE_ONE - half + deadzone[channel], k * DEADZONE_ONE - half - deadzone[channel])
        value = self.cumulative(channel, ends * step[channel] // DEADZONE_ONE)
        scaled = np.diff(value) * TABLE_ONE // CDF_ONE
        return Tables(low, [with_escape(scaled[stop - n : stop - 1]) for stop, n in zip(stops, size, strict=True)])


# ---- the logistic distribution, at scales for which tables exist

SCALES = 64  # tables; a scale's number is its place among them
SCALES_PER_E = 8  # of them to a factor e


def scale_at(number: float) -> float:
    """The scale of a number, in quantizer steps: 0.03 at 0, 79 at the last."""
    return 0.03 * math.exp(number / SCALES_PER_E)


def scale_number(scale: Tensor) -> Tensor:
    """The number of the nearest scale, on a logarithmic axis. Any shape; returns the same, int64."""
    return torch.round(torch.log(scale / scale_at(0)) * SCALES_PER_E).clamp(0, SCALES - 1).long()


def logistic_mass(low: Tensor, high: Tensor, scale: Tensor) -> Tensor:
    """Mass of (low, high) under a logistic distribution around 0, at least 1e-9. Shapes broadcast."""
    return interval_mass(low / scale, high / scale)


def logistic_deadzones(rounding_cost: float, rounds: int = 20) -> Tensor:
    """The deadzone of each scale: (SCALES,) float64, in steps. See `best_deadzone`."""
    scale = torch.tensor([scale_at(number) for number in range(SCALES)], dtype=torch.float64)
    mass = functools.partial(logistic_mass, scale=scale)
    return best_deadzone(mass, torch.zeros_like(scale), rounding_cost, rounds)


def logistic_tables(deadzone: np.ndarray, tail: float = 1e-6) -> Tables:
    """Integer tables of the scales, for symbols behind these deadzones. deadzone: (SCALES,) in steps."""
    lows, counts = [], []
    for number, dead in enumerate(deadzone):
        last = max(math.ceil(-scale_at(number) * math.log(tail)), 1)
        ends = np.append(0, np.arange(last + 1) + 0.5 + dead) / scale_at(number)  # upper ends of symbols 0 to last
        mass = -np.diff(1 / (1 + np.exp(ends)))
        mass[0] *= 2
        half = np.round(mass * TABLE_ONE).astype(np.int64)
        lows.append(-last)
        counts.append(with_escape(np.concatenate([half[:0:-1], half])))
    return Tables(np.array(lows), counts)
