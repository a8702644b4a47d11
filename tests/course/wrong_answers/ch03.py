"""Wrong answers to the exercises of chapter 03, by the mistake in them, which the checks must refuse."""

import math

import numpy as np
import torch


def _cumulative(v):
    return torch.erfc(-v / math.sqrt(2)) / 2


def _inaccurate(v):
    return (1 + torch.erf(v / math.sqrt(2))) / 2


def _bits(distance, sigma, cumulative=_cumulative, floor=1e-9, log=torch.log2):
    return -log((cumulative((distance + 0.5) / sigma) - cumulative((distance - 0.5) / sigma)).clamp_min(floor))


WRONG = {
    "3.1": {
        "the density of y alone": lambda t, width: (np.abs(t) < width / 2) / width,
        "a box as wide as both together": lambda t, width: (np.abs(t) < (width + 1) / 2) / (width + 1),
        "forgets to divide by the width": lambda t, width: np.maximum(
            np.minimum(t + 0.5, width / 2) - np.maximum(t - 0.5, -width / 2), 0
        ),
        "forgets that the overlap may be empty": lambda t, width: (
            (np.minimum(t + 0.5, width / 2) - np.maximum(t - 0.5, -width / 2)) / width
        ),
    },
    "3.2": {
        "the ends of the window, not rounded: noise without the staircase": lambda f, y: f(y + 0.5) - f(y - 0.5),
        "the integers around round(y), not around y": lambda f, y: f(np.round(y) + 1) - f(np.round(y)),
        "straight-through: the slope of f at round(y)": lambda f, y: (
            (f(np.round(y) + 1e-4) - f(np.round(y) - 1e-4)) / 2e-4
        ),
    },
    "3.3": {
        "no dither": lambda y, u: (np.round(y), np.round(y)),
        "adds the noise and leaves it there": lambda y, u: (np.round(y + u), np.round(y + u)),
        "the decoder adds its own noise instead": lambda y, u: (np.round(y), np.round(y) + u),
        "nothing that a file could hold": lambda y, u: (y + u, y),
        "the decoder knows y": lambda y, u: (np.round(y + u), y + u),
    },
    "3.4": {
        "the density of y, not of y + u": lambda y, mean, sigma: (
            -torch.distributions.Normal(mean, sigma).log_prob(y) / math.log(2)
        ),
        "no mirror: near 1 the difference is lost": lambda y, mean, sigma: _bits(y - mean, sigma),
        "no floor: infinite far out": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, floor=0),
        "nats": lambda y, mean, sigma: _bits(-(y - mean).abs(), sigma, log=torch.log),
        "mirrored, but with a cumulative that is not accurate where it is small": lambda y, mean, sigma: _bits(
            -(y - mean).abs(), sigma, _inaccurate
        ),
    },
}
