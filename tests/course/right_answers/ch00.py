"""Right answers to the exercises of chapter 00 that look different from the solutions."""

import math

import numpy as np
from scipy.optimize import brentq, minimize_scalar


def without_a_loop(R, D, i):
    more, less = D > D[i], D < D[i]
    lowest = np.max((R[i] - R[more]) / (D[more] - D[i]), initial=0)
    highest = np.min((R[less] - R[i]) / (D[i] - D[less]), initial=np.inf)
    return [lowest, highest]


def two_lists(R, D, i):
    below = [(R[i] - r) / (d - D[i]) for r, d in zip(R, D, strict=True) if d > D[i]]
    above = [(r - R[i]) / (D[i] - d) for r, d in zip(R, D, strict=True) if d < D[i]]
    return np.array([max(below, default=0), min(above, default=math.inf)])


def loops(k):
    result = np.zeros_like(k)
    for row in range(k.shape[0]):
        for column in range(k.shape[1]):
            if column:
                before = k[row, column - 1]
            else:
                before = k[row - 1, 0] if row else 0
            result[row, column] = k[row, column] - before
    return result


def on_a_copy(k):
    result = k.copy()
    result[:, 1:] -= k[:, :-1]
    result[1:, 0] -= k[:-1, 0]
    return result


def with_a_column(k):
    first = np.diff(k[:, 0], prepend=0)
    return np.hstack([first[:, None], k[:, 1:] - k[:, :-1]])


def by_search(lam):
    def cost(step):
        return -3 * np.log2(step) + lam * step**2 / 12

    return minimize_scalar(cost, bounds=(1, 1000), method="bounded", options={"xatol": 1e-9}).x


def one_at_a_time(y, step, symbols, bits, lam):
    chosen = []
    for value in y:
        costs = {k: price + lam * (value - step * k) ** 2 / 3 for k, price in zip(symbols, bits, strict=True)}
        chosen.append(min(costs, key=costs.get))
    return chosen


def in_steps(y, step, symbols, bits, lam):
    cost = bits[:, None] + lam * step**2 / 3 * (y / step - symbols[:, None]) ** 2
    return symbols[cost.argmin(axis=0)].astype(float)


def as_rate_and_distortion(y, step, symbols, bits, lam):
    pixels = 393216
    rate, distortion = bits / pixels, np.subtract.outer(y, step * symbols) ** 2 / (3 * pixels)
    return np.take(symbols, np.argmin(rate + lam * distortion, axis=1))


RIGHT = {
    "0.1": {"without a loop": without_a_loop, "two lists": two_lists},
    "0.2": {"loops": loops, "on a copy": on_a_copy, "with a column": with_a_column},
    "0.3": {
        "math": lambda lam: (18 / math.log(2) / lam) ** 0.5,
        "log2 e": lambda lam: np.sqrt(18 * np.log2(np.e) / lam),
        "a root of the derivative": lambda lam: brentq(lambda d: -3 / (d * math.log(2)) + lam * d / 6, 1, 1e4),
        "by search": by_search,
    },
    "0.4": {"one at a time": one_at_a_time, "in steps": in_steps, "as R and D": as_rate_and_distortion},
}
