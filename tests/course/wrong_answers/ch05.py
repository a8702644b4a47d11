"""Wrong answers to the exercises of chapter 05, by the mistake in them, which the checks must refuse."""

import math

import torch
from torch.nn.functional import softplus

# ---- 5.2


def _ends(k, means, scales):
    return (k[:, None] - 0.5 - means) / scales, (k[:, None] + 0.5 - means) / scales


def _difference_of_sums(k, weights, means, scales):
    lower, upper = _ends(k, means, scales)
    return (weights * torch.sigmoid(upper)).sum(1) - (weights * torch.sigmoid(lower)).sum(1)


def _no_flip(k, weights, means, scales):
    lower, upper = _ends(k, means, scales)
    return (weights * (torch.sigmoid(upper) - torch.sigmoid(lower))).sum(1)


def _density(k, weights, means, scales):
    s = torch.sigmoid((k[:, None] - means) / scales)
    return (weights * s * (1 - s) / scales).sum(1)


def _flipped_by(flip):
    def mixture(k, weights, means, scales):
        lower, upper = _ends(k, means, scales)
        sign = flip(k, lower, upper)
        return (weights * (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()).sum(1)

    return mixture


def _flipped_without_abs(k, weights, means, scales):
    lower, upper = _ends(k, means, scales)
    sign = torch.where(lower + upper > 0, -1.0, 1.0)
    return (weights * (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower))).sum(1)


def _no_weights(k, weights, means, scales):
    return _flipped_by(lambda k, lower, upper: torch.where(lower + upper > 0, -1.0, 1.0))(
        k, torch.ones_like(weights), means, scales
    )


def _from_k_to_k_plus_1(k, weights, means, scales):
    lower, upper = k[:, None] - means, k[:, None] + 1 - means
    sign = torch.where(lower + upper > 0, -1.0, 1.0)
    return (weights * (torch.sigmoid(sign * upper / scales) - torch.sigmoid(sign * lower / scales)).abs()).sum(1)


def _one_logistic(k, weights, means, scales):
    lower, upper = _ends(k, (weights * means).sum(), (weights * scales).sum())
    return (torch.sigmoid(upper) - torch.sigmoid(lower))[:, 0]


# ---- 5.3


def _bisection(cumulative, probability, high=2.0**40, halvings=80):
    low = -high
    for _ in range(halvings):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < probability else (low, middle)
    return high


def _doubles_upwards_only(cumulative, probability):
    high = 1.0
    while cumulative(high) < probability:
        high *= 2
    low = -1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if cumulative(middle) < probability else (low, middle)
    return high


def _as_if_logistic(cumulative, probability):
    logits = [math.log(max(cumulative(t), 1e-300) / max(1 - cumulative(t), 1e-300)) for t in (-1.0, 1.0)]
    if logits[0] == logits[1]:
        return 0.0
    return -1 + 2 * (math.log(probability / (1 - probability)) - logits[0]) / (logits[1] - logits[0])


def _walks(cumulative, probability, step=1e-3):
    t = 0.0
    while cumulative(t) < probability:
        t += step
    return t


# ---- 5.4


def _softsign(t):
    return t / (1 + t.abs())


def _layer(positive=torch.exp, bound=_softsign, curve=_softsign):
    """A layer with a function for each of its three parts."""

    def own_layer(t, weight, shift, a):
        t = positive(weight) @ t + shift
        return t + bound(a) * curve(t)

    return own_layer


WRONG = {
    "5.1": {
        "nats": lambda channels, stride: 0.5 * math.log(2 * math.pi) * channels / stride**2,
        "a location covers stride² pixels, not stride": lambda channels, stride: (
            0.5 * math.log2(2 * math.pi) * channels / stride
        ),
        "per location": lambda channels, stride: 0.5 * math.log2(2 * math.pi) * channels,
        "per latent": lambda channels, stride: 0.5 * math.log2(2 * math.pi),
        "one channel": lambda channels, stride: 0.5 * math.log2(2 * math.pi) / stride**2,
        "only our codec": lambda channels, stride: 0.5 * math.log2(2 * math.pi) * 32 / 64,
        "only our stride": lambda channels, stride: 0.5 * math.log2(2 * math.pi) * channels / 64,
        "per sample": lambda channels, stride: 0.5 * math.log2(2 * math.pi) * channels / stride**2 / 3,
        "the entropy of the prior": lambda channels, stride: (
            0.5 * math.log2(2 * math.pi * math.e) * channels / stride**2
        ),
        "the logarithm of the density, not its negative": lambda channels, stride: (
            math.log2(1 / math.sqrt(2 * math.pi)) * channels / stride**2
        ),
        "1 bit a latent": lambda channels, stride: channels / stride**2,
    },
    "5.2": {
        "the difference of sums: 0 in the upper tail": _difference_of_sums,
        "no flip: the same": _no_flip,
        "the density instead of the mass": _density,
        "a floor: positive, but not the mixture's tail": lambda *given: _difference_of_sums(*given).clamp_min(1e-9),
        "sign(0) = 0 in the middle": _flipped_by(lambda k, lower, upper: -torch.sign(lower + upper)),
        "always flipped: 0 in the lower tail": _flipped_by(lambda k, lower, upper: torch.tensor(-1.0)),
        "flipped by the sign of k, not of the interval": _flipped_by(
            lambda k, lower, upper: torch.where(k > 0, -1.0, 1.0)[:, None]
        ),
        "flipped, and the sign of the difference forgotten": _flipped_without_abs,
        "no weights": _no_weights,
        "from k to k + 1": _from_k_to_k_plus_1,
        "one logistic with the mean parameters": _one_logistic,
        "the components, not their sum": lambda k, weights, means, scales: torch.ones(len(k), len(weights)),
    },
    "5.3": {
        "an interval that is too small for some densities": lambda *given: _bisection(*given, high=100.0),
        "a fixed interval of ±20,000": lambda *given: _bisection(*given, high=20_000.0),
        "too few halvings": lambda *given: _bisection(*given, halvings=40),
        "doubles in one direction only": _doubles_upwards_only,
        "two values, as if every density were logistic": _as_if_logistic,
        "walks in small steps": _walks,
        "the other tail": lambda cumulative, probability: _bisection(cumulative, 1 - probability),
    },
    "5.4": {
        "weights as they are": _layer(positive=lambda weight: weight),
        "relu: flat for negative weights": _layer(positive=torch.relu),
        "absolute values: flat at 0": _layer(positive=torch.abs),
        "squares: flat at 0": _layer(positive=torch.square),
        "squares and a little more: no gradient at 0": _layer(positive=lambda weight: weight.square() + 0.1),
        "a without a bound": _layer(bound=lambda a: a),
        "a beyond 1": _layer(bound=lambda a: 2 * _softsign(a)),
        "a curve that is too steep": _layer(curve=lambda t: _softsign(3 * t)),
        "erf, whose slope at 0 is 1.13": _layer(bound=torch.tanh, curve=torch.erf),
        "a square for the bend": _layer(curve=torch.square),
        "a constant slope: no bend": lambda t, weight, shift, a: (torch.exp(weight) @ t + shift) * torch.exp(a),
        "a as a second shift": lambda t, weight, shift, a: torch.exp(weight) @ t + shift + a,
        "a not used": lambda t, weight, shift, a: _layer()(t, weight, shift, torch.tensor(0.5)),
        "a² in the bend: no gradient at a = 0": lambda t, weight, shift, a: _layer(
            bound=lambda a: _softsign(a.square())
        )(t, weight, shift, a),
        "bounded": lambda t, weight, shift, a: _softsign(_layer()(t, weight, shift, a)),
        "bounded by a sigmoid": lambda t, weight, shift, a: torch.sigmoid(torch.exp(weight) @ t + shift + a * 0),
        "no shift": lambda t, weight, shift, a: _layer()(t, weight, 0, a),
        "the chapter's layer": _layer(softplus, torch.tanh, torch.tanh),
        "all outputs alike": lambda t, weight, shift, a: _layer()(t, weight, shift, a).sum(-2, keepdim=True),
        "does not take channels": lambda t, weight, shift, a: _layer()(
            t.flatten(0, -2), weight.flatten(0, -2)[:, :1].expand(-1, t.flatten(0, -2).shape[0]), 0, a.flatten(0, -2)
        ),
    },
}
