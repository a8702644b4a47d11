"""Checks of the exercises of chapter 06."""

import itertools
import math
from bisect import bisect_right
from fractions import Fraction

import numpy as np

from . import exercise


def inside(bits, low, width):
    """Does every number that begins with these bits lie in [low, low + width)?"""
    begin = Fraction(int(bits, 2) if bits else 0, 2 ** len(bits))
    return low <= begin and begin + Fraction(1, 2 ** len(bits)) <= low + width


@exercise("6.1")
def ex_6_1(shortest):
    for a, b in itertools.combinations(range(41), 2):
        low, width = Fraction(a, 40), Fraction(b - a, 40)
        bits = shortest(low, width)
        assert isinstance(bits, str) and set(bits) <= set("01"), f"return a string of 0 and 1, not {bits!r}"
        where = f"the interval from {low} to {low + width}"
        assert inside(bits, low, width), f"some numbers that begin with {bits!r} lie outside {where}"
        shorter = [m for m in range(len(bits)) if any(inside(s, low, width) for s in words(m))]
        assert not shorter, f"for {where} you need {len(bits)} bits; {min(shorter)} are enough"


def words(m):
    """All strings of m bits."""
    return [format(i, f"0{m}b") for i in range(2**m)] if m else [""]


@exercise("6.2")
def ex_6_2(extra_bits):
    half = np.array([0.5, 0.5])
    value = extra_bits(np.array([5, 5]), half)
    assert np.isclose(value, 0, atol=1e-9), f"a table that equals the histogram costs nothing more, not {value:.3g}"
    value = extra_bits(np.array([8, 0]), half)
    assert np.isfinite(value), "a symbol that never occurs must not contribute: leave it out of the sum"
    assert not np.isclose(value, 1), "that is the surcharge of one symbol: multiply by the length of the message"
    assert not np.isclose(value, 8 * math.log(2)), "that is in nats: divide by ln 2, or use log2"
    message = f"eight equal symbols cost 0 bits under their own histogram, 8 under 1/2 and 1/2; you say {value:.3g}"
    assert np.isclose(value, 8), message
    histogram, q = np.array([60, 30, 10]), np.array([0.2, 0.3, 0.5])
    direct = -(histogram * np.log2(q)).sum() + (histogram * np.log2(histogram / 100)).sum()
    value = extra_bits(histogram, q)
    message = f"for {histogram} under {q}: {direct:.1f} bits, you say {value:.1f}: weight by the histogram"
    assert np.isclose(value, direct), message


@exercise("6.3")
def ex_6_3(adaptive_bits):
    value = adaptive_bits(np.array([0]), 2)
    assert not np.isclose(value, 0.585, atol=0.01), (
        "count a symbol after coding it: the decoder does not know it before"
    )
    assert np.isclose(value, 1), f"the first of two symbols has a probability of 1/2: 1 bit, not {value:.3g}"
    value = adaptive_bits(np.array([0, 0]), 2)
    message = f"the second 0 has a probability of 2/3: 1.585 bits for both, you say {value:.3g}"
    assert np.isclose(value, 1 + math.log2(1.5)), message
    rng = np.random.default_rng(6)
    for size in 3, 40:
        message = rng.geometric(0.4, 300).clip(max=size) - 1
        counts = np.bincount(message, minlength=size)
        closed = math.lgamma(300 + size) - math.lgamma(size) - sum(math.lgamma(c + 1) for c in counts)
        value = adaptive_bits(message, size)
        text = f"300 symbols of {size} kinds should cost {closed / math.log(2):.1f} bits, you say {value:.1f}"
        assert np.isclose(value, closed / math.log(2)), text


def pop(state, ends):
    slot = state % ends[-1]
    s = bisect_right(ends, slot) - 1
    return s, (ends[s + 1] - ends[s]) * (state // ends[-1]) + slot - ends[s]


@exercise("6.4")
def ex_6_4(push):
    ends = [0, 1, 19, 20]
    for state, s in itertools.product([0, 1, 7, 20, 12345], range(3)):
        pushed = push(state, s, ends)
        assert isinstance(pushed, int), f"the state is an int, not {type(pushed).__name__}: // divides integers"
        back = pop(pushed, ends)
        message = f"push({state}, {s}, {ends}) gives {pushed}, and pop takes {back[0]} from it and leaves {back[1]}"
        assert back == (s, state), message
    state, ideal = 1 << 32, 0.0
    for s in np.random.default_rng(6).choice(3, 2000, p=[0.05, 0.9, 0.05]).tolist():
        state, ideal = push(state, s, ends), ideal + math.log2(20 / (ends[s + 1] - ends[s]))
    assert abs(math.log2(state) - 32 - ideal) < 0.1, "the state should grow by -log2 p bits for each symbol"
