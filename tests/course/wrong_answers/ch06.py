"""Wrong answers to the exercises of chapter 06, by the mistake in them, which the checks must refuse."""

import math
from fractions import Fraction

import numpy as np


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


def _divergence(histogram, q):
    seen = histogram > 0
    p = histogram[seen] / histogram.sum()
    return (p * np.log2(p / q[seen])).sum()


def _the_other_way_round(histogram, q):
    p = np.maximum(histogram / histogram.sum(), 1e-300)
    return histogram.sum() * (q * np.log2(q / p)).sum()


def _zero_log_zero(histogram, q):
    with np.errstate(all="ignore"):
        p = histogram / histogram.sum()
        return (histogram * np.log2(p / q)).sum()


def _counts_first(message, size):
    counts, bits = np.ones(size), 0.0
    for s in message:
        counts[s] += 1
        bits += np.log2(counts.sum() / counts[s])
    return bits


def _whole_histogram(message, size):
    counts = np.bincount(message, minlength=size)
    return -np.log2(counts[message] / len(message)).sum()


def _forgets_the_start(state, s, ends):
    f = ends[s + 1] - ends[s]
    return state // f * ends[-1] + state % f


WRONG = {
    "6.1": {
        "the text's function: right, but sometimes a bit too long": _as_in_the_text,
        "the shortest number in the interval, which leaves it when digits follow": _shortest,
        "rounds down, out of the interval": _rounds_down,
    },
    "6.2": {
        "nats": lambda histogram, q: histogram.sum() * np.log(2) * _divergence(histogram, q),
        "of one symbol, not of the message": _divergence,
        "the divergence the other way round": _the_other_way_round,
        "0 log 0 is left in": _zero_log_zero,
    },
    "6.3": {
        "counts the symbol before it is coded": _counts_first,
        "the histogram of the whole message, which the decoder does not have": _whole_histogram,
        "never learns": lambda message, size: len(message) * np.log2(size),
    },
    "6.4": {
        "forgets where the symbol's part begins": _forgets_the_start,
        "spends as much on every symbol; pop finds the symbol but not the state": lambda state, s, ends: (
            state * ends[-1] + ends[s]
        ),
    },
}
