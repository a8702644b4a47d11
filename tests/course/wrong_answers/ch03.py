"""Wrong answers to the exercises of chapter 03, by the mistake in them, which the checks must refuse."""

import math

import numpy as np
import torch

# ---- 3.1

K = np.arange(-40, 41)
OFFSETS = (np.arange(50) + 0.5) / 50 - 0.5


def _pmf(cdf, o=0.0, k=K):
    return cdf(k + o + 0.5) - cdf(k + o - 0.5)


def _entropy(pmf, log=np.log2):
    return -np.sum(pmf[pmf > 0] * log(pmf[pmf > 0]))


def _overpaid(cdf, offsets=OFFSETS, k=K, average=np.mean, log=np.log2):
    return average([_entropy(_pmf(cdf, o, k), log) for o in offsets]) - _entropy(_pmf(cdf, k=k), log)


def _density_of_y(cdf):
    p = np.diff(cdf(np.arange(-40, 40, 0.001))) / 0.001
    return _entropy(p) * 0.001 - _entropy(_pmf(cdf))


def _nan(cdf):
    with np.errstate(all="ignore"):
        return np.mean([-np.sum(_pmf(cdf, o) * np.log2(_pmf(cdf, o))) for o in OFFSETS])


# ---- 3.4


def _cumulative(v):
    return torch.erfc(-v / math.sqrt(2)) / 2


def _inaccurate(v):
    return (1 + torch.erf(v / math.sqrt(2))) / 2


def _bits(distance, sigma, cumulative=_cumulative, floor=1e-9, log=torch.log2):
    return -log((cumulative((distance + 0.5) / sigma) - cumulative((distance - 0.5) / sigma)).clamp_min(floor))


def _floor_of_bits_without_gradient(y, mean, sigma):
    p = _cumulative((0.5 - (y - mean).abs()) / sigma) - _cumulative((-0.5 - (y - mean).abs()) / sigma)
    return torch.where(p < 1e-9, torch.full_like(p, 29.897), -torch.log2(p))  # 0 times infinity is nan, backward


WRONG = {
    "3.1": {
        "true less relaxed": lambda cdf: -_overpaid(cdf),
        "nats": lambda cdf: _overpaid(cdf, log=np.log),
        "only the relaxed rate": lambda cdf: _overpaid(cdf) + _entropy(_pmf(cdf)),
        "one entropy of the mean probabilities": lambda cdf: (
            _entropy(np.mean([_pmf(cdf, o) for o in OFFSETS], 0)) - _entropy(_pmf(cdf))
        ),
        "the density of y, without the box": _density_of_y,
        "the worst grid": lambda cdf: _overpaid(cdf, average=np.max),
        "half of the grids": lambda cdf: _overpaid(cdf, OFFSETS[OFFSETS > 0]),
        "the other half": lambda cdf: _overpaid(cdf, OFFSETS[OFFSETS < 0]),
        "too few grids, and the last is the first": lambda cdf: _overpaid(cdf, np.linspace(-0.5, 0.5, 3)),
        "integers only around 0": lambda cdf: _overpaid(cdf, k=np.arange(-10, 11)),
        "the grid does not move": lambda cdf: _overpaid(cdf, np.zeros(50)),
        "0 log 0": _nan,
    },
    "3.2": {
        "the ends of the window, not rounded: noise without the staircase": lambda f, y: f(y + 0.5) - f(y - 0.5),
        "the integers around round(y), not around y": lambda f, y: f(np.round(y) + 1) - f(np.round(y)),
        "straight-through: the slope of f at round(y)": lambda f, y: (
            (f(np.round(y) + 1e-4) - f(np.round(y) - 1e-4)) / 2e-4
        ),
        "the wrong way round": lambda f, y: f(np.floor(y)) - f(np.ceil(y)),
        "truncates towards 0": lambda f, y: f(int(y) + 1) - f(int(y)),
    },
    "3.3": {
        "no dither": lambda y, u: (np.round(y), np.round(y)),
        "adds the noise and leaves it there": lambda y, u: (np.round(y + u), np.round(y + u)),
        "adds it twice": lambda y, u: (np.round(y + u), np.round(y + u) + u),
        "the decoder adds its own noise instead": lambda y, u: (np.round(y), np.round(y) + u),
        "nothing that a file could hold": lambda y, u: (y + u, y),
        "the decoder knows y": lambda y, u: (np.round(y + u), y + u),
        "the decoder knows y, hidden in an integer": lambda y, u: (np.round(1e6 * y), np.round(1e6 * y) / 1e6 + u),
        "floor, and half a step is missing": lambda y, u: (np.floor(y + u), np.floor(y + u) - u),
    },
    "3.4": {
        "the density of y, not of y + u": lambda y, mean, sigma: (
            -torch.distributions.Normal(mean, sigma).log_prob(y) / math.log(2)
        ),
        "no mirror: near 1 the difference is lost": lambda y, mean, sigma: _bits(y - mean, sigma),
        "no floor: infinite far out": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, floor=0),
        "a floor of 1e-12": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, floor=1e-12),
        "a floor of 1e-38": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, floor=1e-38),
        "a floor of 1e-6": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, floor=1e-6),
        "nats": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, log=torch.log),
        "mirrored, but with a cumulative that is not accurate where it is small": lambda y, mean, sigma: _bits(
            -(y - mean).abs(), sigma, _inaccurate
        ),
        "a gradient of nan behind the mask": _floor_of_bits_without_gradient,
        "no gradient": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma).detach(),
        "no gradient for the mean": lambda y, mean, sigma: _bits(-(y - mean.detach()).abs(), sigma),
    },
}
