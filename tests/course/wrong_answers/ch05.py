"""Wrong answers to the exercises of chapter 05, by the mistake in them, which the checks must refuse."""

import math

import torch


def _difference_of_sums(k, weights, locations, scales):
    upper = (k[:, None] + 0.5 - locations) / scales
    lower = (k[:, None] - 0.5 - locations) / scales
    return (weights * torch.sigmoid(upper)).sum(1) - (weights * torch.sigmoid(lower)).sum(1)


def _density(k, weights, locations, scales):
    s = torch.sigmoid((k[:, None] - locations) / scales)
    return (weights * s * (1 - s) / scales).sum(1)


def _bisection(cumulative, probability, high=65536.0, halvings=60):
    low = -high
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < probability else (low, middle)
    return high


WRONG = {
    "5.1": {
        "nats": lambda channels, stride: 0.5 * math.log(2 * math.pi) * channels / stride**2,
        "a location covers stride² pixels, not stride": lambda channels, stride: (
            0.5 * math.log2(2 * math.pi) * channels / stride
        ),
        "only our codec": lambda channels, stride: 0.5 * math.log2(2 * math.pi) * 32 / 64,
    },
    "5.2": {
        "the difference of sums: 0 in the upper tail": _difference_of_sums,
        "the density instead of the mass": _density,
        "a floor: positive, but not the mixture's tail": lambda *given: _difference_of_sums(*given).clamp_min(1e-9),
    },
    "5.3": {
        "an interval that is too small for some densities": lambda *given: _bisection(*given, high=100.0),
        "too few halvings": lambda *given: _bisection(*given, halvings=20),
    },
}
