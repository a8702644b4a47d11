"""Wrong answers to the exercises of chapter 02, by the mistake in them, which the checks must refuse."""

import numpy as np
import torch
from scipy.stats import norm

V = np.linspace(-9, 9, 20_001)


def bits_of(step, log=np.log2, reach=60):
    k = np.arange(-reach, reach + 1)
    p = norm.cdf((k + 0.5) * step) - norm.cdf((k - 0.5) * step)
    p = p[p > 0]
    return -np.sum(p * log(p))


def error_of(step, v=V):
    return np.sum(norm.pdf(v) * np.square(np.round(v / step) * step - v)) / norm.pdf(v).sum()


def not_normalised(step, reach):
    inner = V[np.abs(V) <= reach]
    error = np.sum(norm.pdf(inner) * np.square(np.round(inner / step) * step - inner)) * (V[1] - V[0])
    return bits_of(step) - 0.5 * np.log2(1 / error)


def up_to(step, reach):
    return bits_of(step) - 0.5 * np.log2(1 / error_of(step, np.linspace(-reach, reach, 20_001)))


def floors(step):
    k = np.arange(-60, 61)
    p = norm.cdf((k + 1) * step) - norm.cdf(k * step)
    p = p[p > 0]
    error = np.sum(norm.pdf(V) * np.square(np.floor(V / step) * step - V)) / norm.pdf(V).sum()
    return -np.sum(p * np.log2(p)) - 0.5 * np.log2(1 / error)


def inverse(s, alpha, middle, scale=None):
    scale = 2 * np.tanh(alpha / 2) if scale is None else scale
    return middle + torch.atanh((scale * (s - middle)).clamp(-0.9999999, 0.9999999)) / alpha


def soft_round(y, alpha):
    middle = torch.floor(y) + 0.5
    return middle + torch.tanh(alpha * (y - middle)) / (2 * np.tanh(alpha / 2))


def staircase(y, delta):
    return torch.sign(y) * torch.floor(y.abs() + 0.5 - delta)


def through(y, k):
    return y + (k - y).detach()


def silent_inside(y, delta):
    """Rounds |y| - delta straight through, but the clamp has no gradient where it cuts."""
    shrunk = torch.sign(y) * (y.abs() - delta).clamp_min(0)
    return through(shrunk, shrunk.round())


def masked(y, delta):
    k = staircase(y, delta)
    return torch.where(k == 0, 0 * y, through(y, k))


WRONG = {
    "2.1": {
        "the law for real numbers": lambda step: step**2 / 12,
        "right for odd steps only": lambda step: (step**2 - 1) / 12,
        "right for even steps only": lambda step: (step**2 + 2) / 12,
        "divides by one too few": lambda step: step * (step + 1) / 12 if step % 2 else (step**2 + 2) / 12,
        "the mean of |e|": lambda step: np.abs(np.arange(step) - step * np.round(np.arange(step) / step)).mean(),
        "the root": lambda step: ((step**2 - 1 + 3 * (step % 2 == 0)) / 12) ** 0.5,
        "the halfway integer is not counted": lambda step: (
            (step**2 - 1) / 12 if step % 2 else (step - 1) * (step - 2) / 12
        ),
    },
    "2.2": {
        "trusts the law at coarse steps": lambda step: bits_of(step) - 0.5 * np.log2(12 / step**2),
        "nats": lambda step: bits_of(step, np.log) - 0.5 * np.log(1 / error_of(step)),
        "the limit for fine steps, always": lambda step: 0.5 * np.log2(2 * np.pi * np.e / 12),
        "the error from two standard deviations": lambda step: up_to(step, 2),
        "the error from two standard deviations, not normalised": lambda step: not_normalised(step, 2),
        "the error from one standard deviation": lambda step: up_to(step, 1),
        "ten integers to either side": lambda step: bits_of(step, reach=10) - 0.5 * np.log2(1 / error_of(step)),
        "H alone": lambda step: bits_of(step),
        "without the half": lambda step: bits_of(step) - np.log2(1 / error_of(step)),
        "the sign": lambda step: 0.5 * np.log2(1 / error_of(step)) - bits_of(step),
        "rounds down": floors,
        "too few random numbers": lambda step: gap_of(np.random.default_rng(0).normal(size=300), step),
    },
    "2.3": {
        "forgets the interval": lambda s, alpha: inverse(s, alpha, torch.zeros_like(s)),
        "the identity is the inverse for small alpha only": lambda s, alpha: s,
        "rounds softly again": soft_round,
        "rounds softly back": lambda s, alpha: 2 * s - soft_round(s, alpha),
        "cuts instead of rounding down": lambda s, alpha: inverse(s, alpha, torch.trunc(s) + 0.5),
        "the middle is the nearest integer": lambda s, alpha: inverse(s, alpha, torch.round(s)),
        "forgets to divide by alpha": lambda s, alpha: (
            s.floor() + 0.5 + alpha * (inverse(s, alpha, s.floor() + 0.5) % 1)
        ),
        "tanh(alpha) for tanh(alpha / 2)": lambda s, alpha: inverse(s, alpha, s.floor() + 0.5, 2 * np.tanh(alpha)),
        "without the 2": lambda s, alpha: inverse(s, alpha, s.floor() + 0.5, np.tanh(alpha / 2)),
        "flat": lambda s, alpha: soft_round(s, alpha).flatten(),
    },
    "2.4": {
        "no dead zone": lambda y, delta: through(y, y.round()),
        "moves the borders inwards": lambda y, delta: through(y, staircase(y, -delta)),
        "widens the zero and leaves the other borders where they were": lambda y, delta: through(
            y, torch.where(y.abs() < 0.5 + delta, 0, y.round())
        ),
        "one side only": lambda y, delta: through(y, torch.floor(y + 0.5 - delta)),
        "does not round": lambda y, delta: y + 0 * delta,
        "shrinks and does not round": lambda y, delta: torch.sign(y) * (y.abs() - delta).clamp_min(0),
        "no gradient is passed": staircase,
        "all is detached": lambda y, delta: staircase(y, delta).detach(),
        "the wrong part is detached": lambda y, delta: y.detach() + (staircase(y, delta) - y),
        "twice the gradient": lambda y, delta: 2 * y + (staircase(y, delta) - 2 * y).detach(),
        "no gradient where the dead zone cuts": silent_inside,
        "no gradient in the dead zone": masked,
        "soft": lambda y, delta: soft_round(y, 4.0),
        "numpy": lambda y, delta: staircase(y, delta).detach().numpy(),
    },
}


def gap_of(v, step):
    k = np.round(v / step)
    p = np.unique(k, return_counts=True)[1] / len(v)
    return -np.sum(p * np.log2(p)) - 0.5 * np.log2(1 / np.mean(np.square(k * step - v)))
