"""Solutions of the exercises of chapter 06."""

import math
from fractions import Fraction

import numpy as np


# Exercise 6.1
def shortest(low, width):
    """Try lengths from 0 up; for each, the first multiple of 2^-m in the interval is the best candidate.

    A later multiple would end later. The loop stops at ceil(-log2 width) + 1 at the latest, by the proof in section 3.
    In the place of `to_bits` it saves between 0 and 0.35 bits a message of 1 to 8 toy symbols, on average.
    """
    m = 0
    while True:
        number = math.ceil(low * 2**m)
        if Fraction(number + 1, 2**m) <= low + width:
            return format(number, f"0{m}b") if m else ""
        m += 1


# Exercise 6.2
def to_counts(p, total):
    """One for each symbol; the rest in proportion to p, rounded down; what is left over to the largest remainders.

    Each count is then less than 1 from its part of the rest. The ones take K of the total from the probable symbols,
    which costs them log2(total / (total - K)) bits at most: 0.015 where the total is 100 K.

    Where a table has hundreds of symbols, 12 binary digits lose several percent, 16 some thousandths, 22 nothing to
    speak of.
    """
    p = np.asarray(p, np.float64)
    rest = total - len(p)
    share = p / p.sum() * rest
    counts = np.floor(share).astype(int)
    left_over = rest - counts.sum()
    lost_most = np.argsort(counts - share)[:left_over]
    counts[lost_most] += 1
    return counts + 1


# Exercise 6.3
def adaptive_bits(message, size):
    """Charge each symbol under the counts so far, then count it: the decoder can follow.

    The order of the symbols does not matter: the sum is log2 of (T + K - 1)! / ((K - 1)! n_1! ... n_K!). Above the
    cost under the message's own histogram that is about (K - 1)/2 log2 T: little where symbols are many and kinds few.
    So learning on the way pays where the photo differs from the prior. In a silent channel it must first learn that
    nothing happens, which the prior knows; in channel 0 it must learn hundreds of counts from 1,536 symbols.
    """
    counts = np.ones(size)
    bits = 0.0
    for k in message:
        bits += np.log2(counts.sum() / counts[k])
        counts[k] += 1
    return bits


# Exercise 6.4
def push(state, k, ends):
    """Undo pop line by line: the quotient and the remainder by f, then one slot of `total`.

    The state becomes about state / f * total = state / p. What is pushed last is popped first (a stack), so an encoder
    pushes the message from its end.
    """
    f = ends[k + 1] - ends[k]
    return state // f * ends[-1] + ends[k] + state % f
