"""Right answers to the exercises of chapter 03 that look different from the solutions, which the checks must accept."""

import math

import numpy as np
import torch
from scipy import integrate, special

# ---- 3.1


def _on_one_axis(cdf):
    t = (np.arange(-40_000, 40_000) + 0.5) / 1000
    relaxed = special.entr(cdf(t + 0.5) - cdf(t - 0.5)).sum() / 1000
    k = np.arange(-30, 31)
    return (relaxed - special.entr(cdf(k + 0.5) - cdf(k - 0.5)).sum()) / np.log(2)


def _in_plain_loops(cdf):
    def rate(o):
        bits = 0.0
        for k in range(-31, 32):
            p = cdf(np.float64(k + o + 0.5)) - cdf(np.float64(k + o - 0.5))
            if p > 0:
                bits -= p * math.log2(p)
        return bits

    return sum(rate(i / 20) for i in range(20)) / 20 - rate(0)


def _with_quad(cdf):
    k = np.arange(-35, 36)

    def rate(o):
        return special.entr(cdf(k + o + 0.5) - cdf(k + o - 0.5)).sum() / np.log(2)

    return integrate.quad(rate, -0.5, 0.5, limit=30)[0] - rate(0)


# ---- 3.4


def _in_double_precision(y, mean, sigma):
    v = (y - mean).double().abs()
    upper, lower = ((torch.erfc((v + half) / sigma.double() / math.sqrt(2)) / 2) for half in (-0.5, 0.5))
    return -torch.log2((upper - lower).clamp_min(1e-9)).float()


def _with_masks(y, mean, sigma):
    v = y - mean
    below = torch.where(v > 0, -v, v)
    upper, lower = (torch.erfc(-(below + half) / sigma / 2**0.5) / 2 for half in (0.5, -0.5))
    p = upper - lower
    p = torch.where(p < 1e-9, torch.full_like(p, 1e-9), p)
    return -p.log2()


def _with_assigned_masks(y, mean, sigma):
    below = y - mean
    above = below > 0
    below = below.clone()
    below[above] = -below[above]
    p = (torch.erfc(-(below + 0.5) / sigma / 2**0.5) - torch.erfc(-(below - 0.5) / sigma / 2**0.5)) / 2
    p = p.clone()
    p[p < 1e-9] = 1e-9
    return -torch.log2(p)


def _with_logarithms(y, mean, sigma):
    below = -(y - mean).abs()
    upper, lower = (torch.special.log_ndtr((below + half) / sigma) for half in (0.5, -0.5))
    return -((upper + torch.log1p(-torch.exp(lower - upper))) / math.log(2)).clamp_min(math.log2(1e-9))


RIGHT = {
    "3.1": {
        "the integral over t": _on_one_axis,
        "plain loops, offsets from 0 to 1": _in_plain_loops,
        "scipy integrates over the offset": _with_quad,
    },
    "3.2": {
        "floor and ceiling": lambda f, y: f(math.ceil(y)) - f(math.floor(y)),
        "the mean over many u, moved": lambda f, y: (
            (
                np.mean(f(np.round(y + 0.01 + np.linspace(-0.5, 0.5, 100_001)[:-1])))
                - np.mean(f(np.round(y - 0.01 + np.linspace(-0.5, 0.5, 100_001)[:-1])))
            )
            / 0.02
        ),
    },
    "3.3": {
        "the other sign": lambda y, u: (np.round(y - u), np.round(y - u) + u),
        "floor, and half a step back": lambda y, u: (np.floor(y + u), np.floor(y + u) - u + 0.5),
        "floor of half a step more": lambda y, u: (np.floor(y + u + 0.5), np.floor(y + u + 0.5) - u),
        "ceiling": lambda y, u: (np.ceil(y + u), np.ceil(y + u) - u - 0.5),
        "k as integers": lambda y, u: (np.rint(y + u).astype(int), np.rint(y + u) - u),
    },
    "3.4": {
        "in double precision": _in_double_precision,
        "with masks": _with_masks,
        "with masks that are assigned": _with_assigned_masks,
        "with logarithms of the cumulative": _with_logarithms,
    },
}
