"""Wrong answers to the exercises of chapter 04, by the mistake in them, which the checks must refuse."""

import math

import numpy as np


def _plus(constant, x, x_hat, bits, lam):
    rd = bits / (x.numel() / 3) + lam * 255 * (x - x_hat).abs().mean()
    return rd, rd + constant


def _squared(x, x_hat, bits, lam):
    rd = bits / (x.numel() / 3) + lam * 255**2 * (x - x_hat).square().mean()
    return rd, rd


WRONG = {
    "4.1": {
        "forgets that rates are in bits": lambda beta: 3 / (2 * beta * 255**2),
        "forgets that a pixel has three samples": lambda beta: 1 / (2 * beta * 255**2 * math.log(2)),
        "β the wrong way up": lambda beta: 3 * beta / (2 * 255**2 * math.log(2)),
    },
    "4.2": {
        "b = 1/λ: the unit factor is missing": lambda *given: _plus(3 * math.log2(2 / given[-1]), *given),
        "squared error, as in the text": _squared,
        "the constant of one sample, not of a pixel": lambda *given: _plus(
            math.log2(6 / (255 * given[-1] * math.log(2))), *given
        ),
    },
    "4.3": {
        "forgets the variance of the box": lambda y, width: (
            -np.log2(width) + (y**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2)
        ),
        "nats": lambda y, width: -math.log(width) + (y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2,
        "forgets log q": lambda y, width: ((y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2) / math.log(2),
    },
}
