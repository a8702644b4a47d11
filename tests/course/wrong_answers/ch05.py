"""Wrong answers to the exercises of chapter 05, which the checks must refuse."""

import math

import torch


def wrong_5_1(channels, stride):
    """Nats."""
    return 0.5 * math.log(2 * math.pi) * channels / stride**2


def wrong_5_1_b(channels, stride):
    """A location covers stride² pixels, not stride."""
    return 0.5 * math.log2(2 * math.pi) * channels / stride


def wrong_5_1_c(channels, stride):
    """Only our codec."""
    return 0.5 * math.log2(2 * math.pi) * 32 / 64


def wrong_5_2(k, weights, locations, scales):
    """The difference of sums: 0 in the upper tail."""
    upper = (k[:, None] + 0.5 - locations) / scales
    lower = (k[:, None] - 0.5 - locations) / scales
    return (weights * torch.sigmoid(upper)).sum(1) - (weights * torch.sigmoid(lower)).sum(1)


def wrong_5_2_b(k, weights, locations, scales):
    """The density instead of the mass."""
    s = torch.sigmoid((k[:, None] - locations) / scales)
    return (weights * s * (1 - s) / scales).sum(1)


def wrong_5_2_c(k, weights, locations, scales):
    """A floor: positive, but not the mixture's tail."""
    return wrong_5_2(k, weights, locations, scales).clamp_min(1e-9)


def wrong_5_3(cumulative, probability):
    """An interval that is too small for some densities."""
    low, high = -100.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < probability else (low, middle)
    return high


def wrong_5_3_b(cumulative, probability):
    """Too few halvings."""
    low, high = -65536.0, 65536.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < probability else (low, middle)
    return high
