"""Solutions of the exercises of chapter 06."""

import math
from fractions import Fraction

import numpy as np


# Exercise 6.1
def shortest(low, width):
    """Try lengths from 0 up; for each, the first multiple of 2^-m in the interval is the best candidate.

    A later multiple would end later. The loop stops at ceil(-log2 width) + 1 at the latest, by the proof in section 3.
    """
    m = 0
    while True:
        number = math.ceil(low * 2**m)
        if Fraction(number + 1, 2**m) <= low + width:
            return format(number, f"0{m}b") if m else ""
        m += 1


# Exercise 6.2
def extra_bits(histogram, q):
    """N KL(p || q) with p = histogram / N: the counts are the weights, so the factor N is in them already.

    Symbols that do not occur are left out, as 0 log 0 = 0.
    """
    seen = histogram > 0
    p = histogram[seen] / histogram.sum()
    return (histogram[seen] * np.log2(p / q[seen])).sum()


# Exercise 6.3
def adaptive_bits(message, size):
    """Charge each symbol under the counts so far, then count it: the decoder can follow.

    The order of the symbols does not matter: the sum is log2 of (N + K - 1)! / ((K - 1)! n_1! ... n_K!). Above the
    cost under the message's own histogram that is about (K - 1)/2 log2 N: little where symbols are many and kinds few.
    """
    counts = np.ones(size)
    bits = 0.0
    for s in message:
        bits += np.log2(counts.sum() / counts[s])
        counts[s] += 1
    return bits


# Exercise 6.4
def push(state, s, ends):
    """Undo pop line by line: the quotient and the remainder by f, then one slot of `total`.

    The state becomes about state / f * total = state / p. What is pushed last is popped first (a stack), so an encoder
    pushes the message from its end.
    """
    f = ends[s + 1] - ends[s]
    return state // f * ends[-1] + ends[s] + state % f
