"""Wrong answers to the exercises of chapter 00, by the mistake in them, which the checks must refuse."""

import math

import numpy as np


def limits(R, D, i, others):
    """All lower and all upper limits that the points `others` set for point i."""
    found = [(D[j] > D[i], (R[j] - R[i]) / (D[i] - D[j])) for j in others if j != i and 0 <= j < len(R)]
    return [limit for lower, limit in found if lower], [limit for lower, limit in found if not lower]


def neighbours_only(R, D, i):
    lower, upper = limits(R, D, i, (i - 1, i + 1))
    return max(lower, default=0), min(upper, default=np.inf)


def upside_down(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    return max([1 / limit for limit in lower], default=0), min([1 / limit for limit in upper], default=np.inf)


def the_wrong_way_round(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    return min(upper, default=np.inf), max(lower, default=0)


def the_sign(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    return max([-limit for limit in lower], default=0), min([-limit for limit in upper], default=np.inf)


def the_weakest_limits(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    return min(lower, default=0), max(upper, default=np.inf)


def nothing_for_losers(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    low, high = max(lower, default=0), min(upper, default=np.inf)
    return (low, high) if low <= high else (0, 0)


def no_ends(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    return max(lower, default=-np.inf), min(upper, default=np.inf)


def closed_at_the_top(R, D, i):
    lower, upper = limits(R, D, i, range(len(R)))
    return max(lower, default=0), min(upper, default=1)


def one_limit(R, D, i):
    lower, _ = limits(R, D, i, range(len(R)))
    return max(lower, default=0)


def in_place(k):
    above = np.concatenate([[0], k[:-1, 0]])
    k[:] = np.diff(k, axis=1, prepend=above[:, None])
    return k


def of(cost):
    """The choice that minimises another cost. cost: a function of bits, error, step and λ."""

    def choose(y, step, symbols, bits, lam):
        return symbols[np.argmin(cost(bits, y[:, None] - step * symbols, step, lam), axis=1)]

    return choose


def places(y, step, symbols, bits, lam):
    return np.argmin(bits + lam * (y[:, None] - step * symbols) ** 2 / 3, axis=1)


def the_two_nearest_only(y, step, symbols, bits, lam):
    error = np.abs(y[:, None] - step * symbols)
    cost = np.where(error < step, bits + lam * error**2 / 3, np.inf)
    nearest = symbols[np.argmin(error, axis=1)]
    return np.where(np.isinf(cost).all(axis=1), nearest, symbols[np.argmin(cost, axis=1)])


def dead_zone(y, step, symbols, bits, lam):
    k = np.sign(y) * np.floor(np.abs(y) / step + 3 / 8)
    return np.clip(k, symbols.min(), symbols.max()).astype(int)


def one_for_all(y, step, symbols, bits, lam):
    return symbols[np.argmin(np.sum(bits + lam * (y[:, None] - step * symbols) ** 2 / 3, axis=0))]


WRONG = {
    "0.1": {
        "the neighbours only": neighbours_only,
        "the wrong way up": upside_down,
        "highest before lowest": the_wrong_way_round,
        "the sign": the_sign,
        "the weakest limits": the_weakest_limits,
        "no limits for a point that never wins": nothing_for_losers,
        "minus infinity for the lowest": no_ends,
        "1 for the highest": closed_at_the_top,
        "the lowest only": one_limit,
    },
    "0.2": {
        "one column too few": lambda k: np.diff(k, axis=1),
        "the left neighbour of the first is the last": lambda k: k - np.roll(k, 1, axis=1),
        "the first column is lost": lambda k: np.diff(k, axis=1, prepend=k[:, :1]),
        "the first column is not compared with the entry above": lambda k: np.diff(k, axis=1, prepend=0),
        "changes its argument": in_place,
    },
    "0.3": {
        "one sample a pixel": lambda lam: math.sqrt(6 / (lam * math.log(2))),
        "natural logarithm": lambda lam: math.sqrt(18 / lam),
        "no root": lambda lam: 18 / (lam * math.log(2)),
        "two samples a pixel": lambda lam: math.sqrt(12 / lam),
        "the negative root": lambda lam: -math.sqrt(18 / (lam * math.log(2))),
        "constant": lambda lam: 51.0,
    },
    "0.4": {
        "the nearest": of(lambda bits, error, step, lam: error**2),
        "the cheapest": of(lambda bits, error, step, lam: bits + 0 * error),
        "the squared error whole": of(lambda bits, error, step, lam: bits + lam * error**2),
        "three times the squared error": of(lambda bits, error, step, lam: bits + 3 * lam * error**2),
        "a third too much": of(lambda bits, error, step, lam: bits + lam * error**2 / 9),
        "the error of y / Δ": of(lambda bits, error, step, lam: bits + lam * (error / step) ** 2 / 3),
        "not squared": of(lambda bits, error, step, lam: bits + lam * np.abs(error) / 3),
        "λ prices a bit": of(lambda bits, error, step, lam: lam * bits + error**2 / 3),
        "places in the list": places,
        "the two nearest only": the_two_nearest_only,
        "the dead zone": dead_zone,
        "one symbol for all": one_for_all,
    },
}
