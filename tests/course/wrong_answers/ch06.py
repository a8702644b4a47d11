"""Wrong answers to the exercises of chapter 06, which the checks must refuse."""

import math
from fractions import Fraction

import numpy as np


def wrong_6_1(low, width):
    """The text's function: right, but sometimes a bit too long."""
    m = (math.ceil(1 / width) - 1).bit_length() + 1
    return format(math.ceil(low * 2**m), f"0{m}b")


def wrong_6_1_b(low, width):
    """The shortest number in the interval, which leaves it when digits follow."""
    m = 0
    while Fraction(math.ceil(low * 2**m), 2**m) >= low + width:
        m += 1
    return format(math.ceil(low * 2**m), f"0{m}b") if m else ""


def wrong_6_1_c(low, width):
    """Rounds down, out of the interval."""
    m = (math.ceil(1 / width) - 1).bit_length()
    return format(math.floor(low * 2**m), f"0{m}b") if m else ""


def wrong_6_2(histogram, q):
    """Nats."""
    seen = histogram > 0
    p = histogram[seen] / histogram.sum()
    return (histogram[seen] * np.log(p / q[seen])).sum()


def wrong_6_2_b(histogram, q):
    """Of one symbol, not of the message."""
    seen = histogram > 0
    p = histogram[seen] / histogram.sum()
    return (p * np.log2(p / q[seen])).sum()


def wrong_6_2_c(histogram, q):
    """The divergence the other way round."""
    p = np.maximum(histogram / histogram.sum(), 1e-300)
    return histogram.sum() * (q * np.log2(q / p)).sum()


def wrong_6_2_d(histogram, q):
    """0 log 0 is left in."""
    with np.errstate(all="ignore"):
        p = histogram / histogram.sum()
        return (histogram * np.log2(p / q)).sum()


def wrong_6_3(message, size):
    """Counts the symbol before it is coded."""
    counts, bits = np.ones(size), 0.0
    for s in message:
        counts[s] += 1
        bits += np.log2(counts.sum() / counts[s])
    return bits


def wrong_6_3_b(message, size):
    """The histogram of the whole message, which the decoder does not have."""
    counts = np.bincount(message, minlength=size)
    return -np.log2(counts[message] / len(message)).sum()


def wrong_6_3_c(message, size):
    """Never learns."""
    return len(message) * np.log2(size)


def wrong_6_4(state, s, ends):
    """Forgets where the symbol's part begins."""
    f = ends[s + 1] - ends[s]
    return state // f * ends[-1] + state % f


def wrong_6_4_b(state, s, ends):
    """Spends as much on every symbol; pop finds the symbol but not the state."""
    return state * ends[-1] + ends[s]
