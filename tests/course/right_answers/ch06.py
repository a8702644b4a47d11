"""Right answers to the exercises of chapter 06 that look different from the solutions; the checks must accept them."""

import math
from fractions import Fraction

import numpy as np

# ---- 6.1


def _in_integers(low, width):
    high, m = low + width, 0
    while True:
        first = -(-low.numerator * 2**m // low.denominator)
        if (first + 1) * high.denominator <= high.numerator * 2**m:
            return bin(first)[2:].zfill(m) if m else ""
        m += 1


def _by_halving(low, width):
    """The first string of each length in turn, built from the left: always the lowest one that may still fit."""
    level, m = [Fraction(0)], 0
    while True:
        for begin in level:
            if low <= begin and begin + Fraction(1, 2**m) <= low + width:
                return "".join(str(int(begin * 2**i) % 2) for i in range(1, m + 1))
        m += 1
        halves = [begin + half for begin in level for half in (0, Fraction(1, 2**m))]
        level = [begin for begin in halves if begin < low + width and begin + Fraction(1, 2**m) > low]


def _one_less_if_it_fits(low, width):
    m = 0
    while Fraction(1, 2**m) > width:
        m += 1
    for length in (m, m + 1):
        first = math.ceil(low * 2**length)
        if Fraction(first + 1, 2**length) <= low + width:
            return format(first, f"0{length}b") if length else ""


# ---- 6.2


def _rounded_ends(p, total):
    share = np.cumsum(np.asarray(p, np.float64))
    ends = np.round(share / share[-1] * (total - len(p))).astype(np.int64)
    return np.diff(ends, prepend=0) + 1


def _as_constriction(p, total):
    p = np.asarray(p, np.float64)
    ends = (np.concatenate([[0], np.cumsum(p)]) * ((total - len(p)) / p.sum())).astype(int) + np.arange(len(p) + 1)
    ends[-1] = total
    return np.diff(ends)


def _taken_from_the_largest(p, total):
    p = np.asarray(p, np.float64)
    counts = np.maximum(np.round(p / p.sum() * total), 1).astype(int)
    while counts.sum() != total:
        counts[counts.argmax()] += 1 if counts.sum() < total else -1
    return counts


def _the_best(p, total):
    """One more for whoever gains most by it, again and again."""
    p = np.asarray(p, np.float64) / np.sum(p, dtype=float)
    counts = np.maximum(np.floor(p * (total - len(p))), 1).astype(int)
    while counts.sum() < total:
        counts[np.argmax(p * np.log1p(1 / counts))] += 1
    while counts.sum() > total:
        loss = np.where(counts > 1, p * np.log(counts / np.maximum(counts - 1, 1)), np.inf)
        counts[np.argmin(loss)] -= 1
    return counts.tolist()


def _the_last_gets_the_rest(p, total):
    p = np.asarray(p, np.float64) / np.sum(p, dtype=float)
    counts = [1 + int(each * (total - len(p))) for each in p]
    return counts[:-1] + [total - sum(counts[:-1])]


# ---- 6.3


def _closed(message, size):
    counts = np.bincount(message, minlength=size)
    log = math.lgamma(len(message) + size) - math.lgamma(size) - sum(math.lgamma(count + 1) for count in counts)
    return log / math.log(2)


def _with_a_dictionary(message, size):
    seen, bits = {}, 0.0
    for i, s in enumerate(message.tolist()):
        bits -= math.log2((seen.get(s, 0) + 1) / (i + size))
        seen[s] = seen.get(s, 0) + 1
    return bits


def _one_product(message, size):
    p, counts = Fraction(1), [1] * size
    for s in message:
        p *= Fraction(counts[s], sum(counts))
        counts[s] += 1
    return math.log2(p.denominator) - math.log2(p.numerator)


# ---- 6.4


def _with_divmod(state, s, ends):
    quotient, rest = divmod(state, ends[s + 1] - ends[s])
    return quotient * ends[-1] + ends[s] + rest


def _one_more_for_each(state, s, ends):
    f = ends[s + 1] - ends[s]
    return state + state // f * (ends[-1] - f) + ends[s]


RIGHT = {
    "6.1": {"integers": _in_integers, "halves": _by_halving, "two lengths": _one_less_if_it_fits},
    "6.2": {
        "rounded ends": _rounded_ends,
        "as the library": _as_constriction,
        "taken from the largest, one by one": _taken_from_the_largest,
        "the best counts, as a list": _the_best,
        "the last one gets the rest": _the_last_gets_the_rest,
    },
    "6.3": {"closed": _closed, "a dictionary": _with_a_dictionary, "one product": _one_product},
    "6.4": {"divmod": _with_divmod, "what the state grows by": _one_more_for_each},
}
