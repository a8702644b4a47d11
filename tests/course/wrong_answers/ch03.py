"""Wrong answers to the exercises of chapter 03, which the checks must refuse."""

import math

import numpy as np
import torch


def wrong_3_1(t, width):
    """The density of y alone."""
    return (np.abs(t) < width / 2) / width


def wrong_3_1_b(t, width):
    """A box as wide as both together."""
    return (np.abs(t) < (width + 1) / 2) / (width + 1)


def wrong_3_1_c(t, width):
    """Forgets to divide by the width."""
    return np.maximum(np.minimum(t + 0.5, width / 2) - np.maximum(t - 0.5, -width / 2), 0)


def wrong_3_1_d(t, width):
    """Forgets that the overlap may be empty."""
    return (np.minimum(t + 0.5, width / 2) - np.maximum(t - 0.5, -width / 2)) / width


def wrong_3_2(f, y):
    """The ends of the window, not rounded: noise without the staircase."""
    return f(y + 0.5) - f(y - 0.5)


def wrong_3_2_b(f, y):
    """The integers around round(y), not around y."""
    return f(np.round(y) + 1) - f(np.round(y))


def wrong_3_2_c(f, y):
    """Straight-through: the slope of f at round(y)."""
    return (f(np.round(y) + 1e-4) - f(np.round(y) - 1e-4)) / 2e-4


def wrong_3_3(y, u):
    """No dither."""
    return np.round(y), np.round(y)


def wrong_3_3_b(y, u):
    """Adds the noise and leaves it there."""
    return np.round(y + u), np.round(y + u)


def wrong_3_3_c(y, u):
    """The decoder adds its own noise instead."""
    return np.round(y), np.round(y) + u


def wrong_3_3_d(y, u):
    """Nothing that a file could hold."""
    return y + u, y


def wrong_3_3_e(y, u):
    """The decoder knows y."""
    return np.round(y + u), y + u


def wrong_3_4(y, mean, sigma):
    """The density of y, not of y + u."""
    return -torch.distributions.Normal(mean, sigma).log_prob(y) / math.log(2)


def cumulative(v):
    return torch.erfc(-v / math.sqrt(2)) / 2


def wrong_3_4_b(y, mean, sigma):
    """No mirror: near 1 the difference is lost."""
    p = cumulative((y + 0.5 - mean) / sigma) - cumulative((y - 0.5 - mean) / sigma)
    return -torch.log2(p.clamp_min(1e-9))


def wrong_3_4_c(y, mean, sigma):
    """No floor: infinite far out."""
    below = -(y - mean).abs()
    return -torch.log2(cumulative((below + 0.5) / sigma) - cumulative((below - 0.5) / sigma))


def wrong_3_4_d(y, mean, sigma):
    """Nats."""
    below = -(y - mean).abs()
    return -torch.log((cumulative((below + 0.5) / sigma) - cumulative((below - 0.5) / sigma)).clamp_min(1e-9))


def wrong_3_4_e(y, mean, sigma):
    """Mirrored, but with a cumulative that is not accurate where it is small."""
    below = -(y - mean).abs()
    upper, lower = (1 + torch.erf((below + half) / sigma / math.sqrt(2)) for half in (0.5, -0.5))
    return -torch.log2(((upper - lower) / 2).clamp_min(1e-9))
