"""Wrong answers to the exercises of chapter 02, by the mistake in them, which the checks must refuse."""

import numpy as np
import torch
from scipy.stats import norm


def _gap(step, log, mse):
    k = np.arange(-60, 61)
    p = norm.cdf((k + 0.5) * step) - norm.cdf((k - 0.5) * step)
    p = p[p > 0]
    return -np.sum(p * log(p)) - 0.5 * log(1 / mse)


def _in_nats(step):
    v = np.linspace(-9, 9, 20_001)
    mse = np.sum(norm.pdf(v) * np.square(np.round(v / step) * step - v)) / norm.pdf(v).sum()
    return _gap(step, np.log, mse)


WRONG = {
    "2.1": {
        "the law for real numbers": lambda step: step**2 / 12,
        "right for odd steps only": lambda step: (step**2 - 1) / 12,
        "right for even steps only": lambda step: (step**2 + 2) / 12,
    },
    "2.2": {
        "trusts the law at coarse steps": lambda step: _gap(step, np.log2, step**2 / 12),
        "nats": _in_nats,
        "the limit for fine steps, always": lambda step: 0.5 * np.log2(2 * np.pi * np.e / 12),
    },
    "2.3": {
        "forgets the interval": lambda s, alpha: torch.atanh((2 * np.tanh(alpha / 2) * s).clamp(-0.999, 0.999)) / alpha,
        "the identity is the inverse for small alpha only": lambda s, alpha: s,
    },
    "2.4": {
        "no dead zone": lambda v, step, delta: np.round(v / step).astype(int),
        "moves the borders inwards": lambda v, step, delta: (
            np.sign(v) * np.floor(np.abs(v) / step + 0.5 + delta)
        ).astype(int),
        "widens the zero and leaves the other borders where they were": lambda v, step, delta: np.where(
            np.abs(v) < (0.5 + delta) * step, 0, np.round(v / step)
        ).astype(int),
    },
}
