"""Wrong answers to the exercises of chapter 00, by the mistake in them, which the checks must refuse."""

import math

import numpy as np

WRONG = {
    "0.1": {
        "the wrong way up": lambda r_a, d_a, r_b, d_b: (d_a - d_b) / (r_b - r_a),
        "the sign": lambda r_a, d_a, r_b, d_b: (r_a - r_b) / (d_a - d_b),
        "sums in place of differences": lambda r_a, d_a, r_b, d_b: (r_a + r_b) / (d_a + d_b),
    },
    "0.2": {
        "one column too few": lambda k: np.diff(k, axis=1),
        "the left neighbour of the first is the last": lambda k: k - np.roll(k, 1, axis=1),
        "the first column is lost": lambda k: np.diff(k, axis=1, prepend=k[:, :1]),
        "the first column is not compared with the entry above": lambda k: np.diff(k, axis=1, prepend=0),
    },
    "0.3": {
        "one sample a pixel": lambda lam: math.sqrt(6 / (lam * math.log(2))),
        "natural logarithm": lambda lam: math.sqrt(18 / lam),
        "no root": lambda lam: 18 / (lam * math.log(2)),
        "two samples a pixel": lambda lam: math.sqrt(12 / lam),
    },
}
