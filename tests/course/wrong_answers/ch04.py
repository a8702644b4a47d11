"""Wrong answers to the exercises of chapter 04, by the mistake in them, which the checks must refuse."""

import math

import numpy as np


def _plus(constant, x, x_hat, bits, lam):
    rd = bits / (x.numel() / 3) + lam * 255 * (x - x_hat).abs().mean()
    return rd, rd + constant


def _constant(lam):
    return 3 * math.log2(6 / (255 * lam * math.log(2)))


def _squared(x, x_hat, bits, lam):
    rd = bits / (x.numel() / 3) + lam * 255**2 * (x - x_hat).square().mean()
    return rd, rd


def _in_nats(x, x_hat, bits, lam):
    rd, elbo = _plus(_constant(lam), x, x_hat, bits, lam)
    return rd, elbo * math.log(2)


def _of_samples(x, x_hat, bits, lam):
    rd = bits / x.numel() + lam * 255 * (x - x_hat).abs().mean()
    return rd, rd + _constant(lam)


def _z(d, x_hats, values):
    return np.exp(-d(values[:, None], x_hats)).sum(0)


def _over_x_hats(d, x_hats, values):
    z = np.exp(-d(values[:, None], x_hats)).sum(1)
    return z.max() / z.min()


def _ends_only(d, x_hats, values):
    z = _z(d, x_hats, values)
    return z[-1] / z[0]


def _swapped(d, x_hats, values):
    return _largest_over_smallest(_z(lambda x, x_hat: d(x_hat, x), x_hats, values))


def _growing(d, x_hats, values):
    with np.errstate(over="ignore", invalid="ignore"):
        return _largest_over_smallest(_z(lambda x, x_hat: -d(x, x_hat), x_hats, values))


def _without_exp(d, x_hats, values):
    return _largest_over_smallest(d(values[:, None], x_hats).sum(0))


def _without_border(d, x_hats, values):
    return _largest_over_smallest(_z(d, x_hats, np.linspace(-10, 10, 2001)))


def _largest_over_smallest(z):
    return z.max() / z.min()


WRONG = {
    "4.1": {
        "forgets that rates are in bits": lambda beta: 3 / (2 * beta * 255**2),
        "nats and bits the wrong way up": lambda beta: 3 * math.log(2) / (2 * beta * 255**2),
        "forgets that a pixel has three samples": lambda beta: 1 / (2 * beta * 255**2 * math.log(2)),
        "forgets the scale 0 to 255": lambda beta: 3 / (2 * beta * math.log(2)),
        "β the wrong way up": lambda beta: 3 * beta / (2 * 255**2 * math.log(2)),
        "λ′": lambda beta: 1 / (2 * beta),
        "λ′ = 1 / β": lambda beta: 3 / (beta * 255**2 * math.log(2)),
        "σ, not σ², goes with β": lambda beta: 3 / (2 * beta**2 * 255**2 * math.log(2)),
        "leaves β out": lambda beta: 3 / (2 * 255**2 * math.log(2)),
        "too few digits": lambda beta: 3 / (2 * beta * 255**2 * 0.69),
    },
    "4.2": {
        "b = 1/λ: the unit factor is missing": lambda *given: _plus(3 * math.log2(2 / given[-1]), *given),
        "squared error, as in the text": _squared,
        "the constant of one sample, not of a pixel": lambda *given: _plus(_constant(given[-1]) / 3, *given),
        "the constant in nats": lambda *given: _plus(_constant(given[-1]) * math.log(2), *given),
        "the constant with the wrong sign": lambda *given: _plus(-_constant(given[-1]), *given),
        "no constant": lambda *given: _plus(0, *given),
        "log b for log 2b": lambda *given: _plus(_constant(given[-1]) - 3, *given),
        "−ELBO in nats": _in_nats,
        "bits per sample": _of_samples,
        "the constant of λ = 0.3 for every λ": lambda *given: _plus(_constant(0.3), *given),
    },
    "4.3": {
        "forgets the variance of the box": lambda y, width: (
            -np.log2(width) + (y**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2)
        ),
        "nats": lambda y, width: -math.log(width) + (y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2,
        "forgets log q": lambda y, width: ((y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2) / math.log(2),
        "log q with the wrong sign": lambda y, width: (
            math.log2(width) + ((y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2) / math.log(2)
        ),
        "forgets 2π": lambda y, width: -math.log2(width) + (y**2 + width**2 / 12) / 2 / math.log(2),
    },
    "4.4": {
        "the sum over x_hat": _over_x_hats,
        "the first and the last x_hat only": _ends_only,
        "the smallest over the largest": lambda *given: 1 / _largest_over_smallest(_z(*given)),
        "the ratio of log Z": lambda *given: _largest_over_smallest(np.log(_z(*given))),
        "the logarithm of the ratio": lambda *given: np.log(_largest_over_smallest(_z(*given))),
        "a difference": lambda *given: np.ptp(_z(*given)),
        "never depends": lambda *given: 1.0,
        "d(x_hat, x)": _swapped,
        "exp(+d)": _growing,
        "no exp": _without_exp,
        "other values of x than the given ones": _without_border,
    },
}
