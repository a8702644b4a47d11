"""Right answers to the exercises of chapter 05 that look different from the solutions; the checks must accept them."""

import math

import torch
from scipy.optimize import brentq
from torch.distributions import Normal
from torch.nn.functional import leaky_relu, softplus

# ---- 5.2


def _ends(k, means, scales):
    return (k[:, None] - 0.5 - means) / scales, (k[:, None] + 0.5 - means) / scales


def _double_precision(k, weights, means, scales):
    lower, upper = _ends(k.double(), means.double(), scales.double())
    return (weights * (torch.sigmoid(upper) - torch.sigmoid(lower))).sum(1)


def _mirrored(k, weights, means, scales):
    below = -(k[:, None] - means).abs()
    return (weights * (torch.sigmoid((below + 0.5) / scales) - torch.sigmoid((below - 0.5) / scales))).sum(1)


def _flipped_from_0_on(k, weights, means, scales):
    lower, upper = _ends(k, means, scales)
    right = lower + upper >= 0
    lower, upper = torch.where(right, -upper, lower), torch.where(right, -lower, upper)
    return (torch.sigmoid(upper) - torch.sigmoid(lower)) @ weights


def _one_by_one(k, weights, means, scales):
    total = torch.zeros_like(k)
    for weight, mean, scale in zip(weights, means, scales, strict=True):
        for i, value in enumerate(k):
            a, b = sorted((abs(value - mean) / scale - 0.5 / scale, abs(value - mean) / scale + 0.5 / scale))
            total[i] += weight * (torch.sigmoid(-a) - torch.sigmoid(-b))
    return total


def _by_hyperbolic_functions(k, weights, means, scales):
    v, half = ((k[:, None] - means) / scales).double(), 0.5 / scales.double()
    return (weights * torch.sinh(half) / (torch.cosh(v) + torch.cosh(half))).sum(1)


# ---- 5.3


def _brent(cumulative, probability):
    width = 1.0
    while not cumulative(-width) < probability < cumulative(width):
        width *= 10
    return brentq(lambda t: cumulative(t) - probability, -width, width, xtol=1e-9)


def _until_short(cumulative, probability):
    low, high = 0.0, 1e-3
    while cumulative(high) < probability:
        low, high = high, 4 * high
    while cumulative(low) > probability:
        low = 2 * low - 1
    while high - low > 1e-7:
        middle = low + (high - low) / 2
        if cumulative(middle) > probability:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _huge_interval(cumulative, probability):
    low, high = -1e15, 1e15
    for _ in range(90):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < probability else (low, middle)
    return low


# ---- 5.4


def _exp_and_erf(t, weight, shift, a):
    t = weight.exp() @ t + shift
    return t + torch.erf(a) * torch.erf(t) * math.sqrt(math.pi) / 2


def _two_slopes(t, weight, shift, a):
    t = torch.sigmoid(weight) @ t + shift
    return torch.where(t > 0, a.exp() * t, t)


def _two_smooth_slopes(t, weight, shift, a):
    t = torch.exp(weight) @ t + shift
    return t + torch.exp(a) * torch.logaddexp(t, torch.zeros_like(t))


def _arctangents(t, weight, shift, a):
    t = (torch.atan(weight) + 2) @ t + shift
    return t + 2 / math.pi * torch.atan(a) * torch.atan(t)


def _cubes(t, weight, shift, a):
    t = torch.exp(weight) @ t + shift
    return t + a.exp() * t**3


def _sines(t, weight, shift, a):
    t = torch.exp(weight) @ t + shift
    return t + 0.99 * torch.sin(a) * torch.sin(t)


def _normal_cumulative(t, weight, shift, a):
    t = 10 * torch.sigmoid(weight) @ t + shift
    return t + 2 * (torch.sigmoid(a) - 0.5) * (Normal(0, 1).cdf(t) - 0.5)


def _square_roots(t, weight, shift, a):
    t = (weight + torch.sqrt(weight.square() + 1)) @ t + shift
    return t + a / torch.sqrt(1 + a.square()) * t / torch.sqrt(1 + t.square())


def _bend_first(t, weight, shift, a):
    t = weight.exp() @ t + shift
    return torch.sinh(0.5 * torch.sigmoid(a) * torch.asinh(t)) + t


RIGHT = {
    "5.1": {
        "1.33, as the chapter prints it": lambda channels, stride: 1.33 * channels / stride**2,
        "by torch.distributions": lambda channels, stride: (
            -Normal(0.0, 1.0).log_prob(torch.tensor(0.0)) / math.log(2) * channels / (stride * stride)
        ),
    },
    "5.2": {
        "double precision, no flip": _double_precision,
        "mirrored at the mean": _mirrored,
        "flipped from 0 on, ends exchanged": _flipped_from_0_on,
        "one by one": _one_by_one,
        "hyperbolic functions": _by_hyperbolic_functions,
    },
    "5.3": {
        "Brent's method": _brent,
        "until the interval is short": _until_short,
        "an interval that holds all": _huge_interval,
    },
    "5.4": {
        "exp and erf": _exp_and_erf,
        "another slope right of 0": _two_slopes,
        "another slope right of 0, smoothly": _two_smooth_slopes,
        "arctangents": _arctangents,
        "cubes": _cubes,
        "sines": _sines,
        "the normal cumulative": _normal_cumulative,
        "square roots": _square_roots,
        "hyperbolic sines": _bend_first,
        "only the weights differ": lambda t, weight, shift, a: (
            (weight.exp() @ t + shift) + torch.tanh(a) * torch.tanh(weight.exp() @ t + shift)
        ),
        "only the bend differs": lambda t, weight, shift, a: leaky_relu(softplus(weight) @ t + shift, 0.5) * a.exp(),
    },
}
