"""Wrong answers to the exercises of chapter 06, by the mistake in them, which the checks must refuse."""

import math
from fractions import Fraction

import numpy as np

# ---- 6.1


def _as_in_the_text(low, width):
    m = (math.ceil(1 / width) - 1).bit_length() + 1
    return format(math.ceil(low * 2**m), f"0{m}b")


def _shortest(low, width):
    m = 0
    while Fraction(math.ceil(low * 2**m), 2**m) >= low + width:
        m += 1
    return format(math.ceil(low * 2**m), f"0{m}b") if m else ""


def _rounds_down(low, width):
    m = (math.ceil(1 / width) - 1).bit_length()
    return format(math.floor(low * 2**m), f"0{m}b") if m else ""


def _floats(low, width):
    low, width, m = float(low), float(width), 0
    while math.ceil(low * 2**m) + 1 > (low + width) * 2**m + 1e-9 and m < 200:
        m += 1
    return format(math.ceil(low * 2**m), f"0{m}b") if m else ""


# ---- 6.2


def _rounds_only(p, total):
    return np.round(p * total).astype(int)


def _at_least_one(p, total):
    return np.maximum(np.round(p * total).astype(int), 1)


def _the_largest_pays(p, total):
    counts = np.maximum(np.round(p * total).astype(int), 1)
    counts[counts.argmax()] += total - counts.sum()
    return counts


def _the_last_pays(p, total):
    counts = np.floor(p * total).astype(int)
    counts[-1] += total - counts.sum()
    return counts


def _no_integers(p, total):
    return 1 + np.asarray(p, np.float64) / p.sum(dtype=float) * (total - len(p))


def _flat(p, total):
    counts = np.full(len(p), total // len(p))
    counts[: total - counts.sum()] += 1
    return counts


def _one_and_the_share(p, total):
    return 1 + np.floor(p * (total - len(p))).astype(int)


def _ends_in_single_precision(p, total):
    ends = np.round(np.cumsum(np.asarray(p, np.float32)) * np.float32(total - len(p))).astype(int)
    return np.diff(ends, prepend=0) + 1


def _sorted(p, total):
    rest = total - len(p)
    share = np.sort(np.asarray(p, np.float64))[::-1] / p.sum(dtype=float) * rest
    ends = np.round(np.cumsum(share)).astype(int)
    ends[-1] = rest
    return np.diff(ends, prepend=0) + 1


def _in_place(p, total):
    p /= p.sum()
    p *= total - len(p)
    ends = np.round(np.cumsum(p, dtype=float)).astype(int)
    ends[-1] = total - len(p)
    return np.diff(ends, prepend=0) + 1


# ---- 6.3


def _counts_first(message, size):
    counts, bits = np.ones(size), 0.0
    for s in message:
        counts[s] += 1
        bits += np.log2(counts.sum() / counts[s])
    return bits


def _whole_histogram(message, size):
    counts = np.bincount(message, minlength=size)
    return -np.log2(counts[message] / len(message)).sum()


def _alphabet_of_the_message(message, size):
    counts, bits = np.ones(max(message) + 1), 0.0
    for s in message:
        bits += np.log2(counts.sum() / counts[s])
        counts[s] += 1
    return bits


def _nats(message, size):
    counts, nats = np.ones(size), 0.0
    for s in message:
        nats += np.log(counts.sum() / counts[s])
        counts[s] += 1
    return nats


# ---- 6.4


def _forgets_the_start(state, s, ends):
    f = ends[s + 1] - ends[s]
    return state // f * ends[-1] + state % f


def _true_division(state, s, ends):
    f = ends[s + 1] - ends[s]
    return state / f * ends[-1] + ends[s] + state % f


def _forgets_the_remainder(state, s, ends):
    f = ends[s + 1] - ends[s]
    return state // f * ends[-1] + ends[s]


WRONG = {
    "6.1": {
        "the text's function: right, but sometimes a bit too long": _as_in_the_text,
        "the shortest number in the interval, which leaves it when digits follow": _shortest,
        "rounds down, out of the interval": _rounds_down,
        "plain floats, wrong from 30 symbols on": _floats,
    },
    "6.2": {
        "rounds only": _rounds_only,
        "at least 1, whatever the sum": _at_least_one,
        "the largest count pays for all": _the_largest_pays,
        "rounds down, the last one gets the rest, others stay 0": _the_last_pays,
        "floats": _no_integers,
        "all equal": _flat,
        "rounds down, and forgets what is left over": _one_and_the_share,
        "ends in single precision": _ends_in_single_precision,
        "in another order": _sorted,
        "changes p in place": _in_place,
    },
    "6.3": {
        "counts the symbol before it is coded": _counts_first,
        "the histogram of the whole message, which the decoder does not have": _whole_histogram,
        "takes the alphabet from the message": _alphabet_of_the_message,
        "nats": _nats,
        "never learns": lambda message, size: len(message) * np.log2(size),
    },
    "6.4": {
        "forgets where the symbol's part begins": _forgets_the_start,
        "spends as much on every symbol; pop finds the symbol but not the state": lambda state, s, ends: (
            state * ends[-1] + ends[s]
        ),
        "divides with a point": _true_division,
        "forgets the remainder": _forgets_the_remainder,
    },
}
