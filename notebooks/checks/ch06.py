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
    for a, b in itertools.combinations(range(31), 2):
        low, width = Fraction(a, 30), Fraction(b - a, 30)
        bits, where = shortest(low, width), f"the interval from {low} to {low + width}"
        assert isinstance(bits, str) and set(bits) <= set("01"), f"return a string of 0 and 1, not {bits!r}"
        assert inside(bits, low, width), f"some numbers that begin with {bits!r} lie outside {where}"
        best = fewest(low, width)
        assert len(bits) == best, f"for {where} you need {len(bits)} bits; {best} are enough"
    for n in range(1, 61):  # as narrow as the intervals of messages
        low, width = Fraction(2 * 3**n // 7, 3**n), Fraction(1, 3**n)
        bits, where = shortest(low, width), f"an interval of width 3^-{n}"
        message = "floats hold 53 binary digits: calculate with Fractions or integers throughout"
        assert inside(bits, low, width), f"for {where} some numbers that begin with your bits lie outside; {message}"
        best = fewest(low, width)
        assert len(bits) == best, f"for {where} you need {len(bits)} bits; {best} are enough"


def fewest(low, width):
    """How many bits an interval needs: the first multiple of 2^-m in it is the only candidate for each m."""
    return next(m for m in itertools.count() if math.ceil(low * 2**m) + 1 <= (low + width) * 2**m)


@exercise("6.2")
def ex_6_2(to_counts):
    for name, p, total in _distributions():
        kept = p.copy()
        counts = np.asarray(to_counts(p, total))
        where = f"{name}, total {total}"
        assert counts.shape == p.shape, f"return one count for each of the {len(p)} symbols, not {counts.shape}"
        assert np.array_equal(p, kept), "your function changes p itself, which the caller still needs: work on a copy"
        assert counts.dtype.kind in "iu", f"counts are integers: yours are {counts.dtype}"
        low, sum_ = int(counts.min()), sum(map(int, counts))
        assert low >= 0, f"{where}: one count is {low}; a correction of that size must be shared among many symbols"
        assert low > 0, f"{where}: {np.sum(counts == 0)} symbols have the count 0, and no interval"
        assert sum_ == total, f"{where}: your counts sum to {sum_}; what rounding adds or leaves must go somewhere"
        if total >= 100 * len(p):
            seen = p > 0
            share = p[seen].astype(float) / p[seen].sum(dtype=float)
            waste = (share * np.log2(share / (counts[seen] / total))).sum()
            assert waste < 0.05, (
                f"{where}: {waste:.2f} bits a symbol more than the entropy: each count should follow its p"
            )


def _distributions():
    """(name, probabilities, total) to try."""
    rng = np.random.default_rng(6)
    yield "three symbols", np.array([0.5, 0.25, 0.25]), 300
    yield "probabilities of 0", np.array([1.0, 0, 0, 0]), 400
    yield "a total of one for each symbol", np.array([0.7, 0.2, 0.1]), 3
    yield "40 symbols, each half as probable as the one before", 0.5 ** np.arange(1.0, 41), 4000
    yield "two frequent symbols and 198 that never occur", np.repeat([0.5, 0.0], [2, 198]), 210
    yield "200 equal symbols", np.full(200, 1 / 200), 255
    ten = rng.dirichlet(np.ones(10))
    yield "ten probabilities in float32 that sum to 1 + 1e-6", ten.astype(np.float32) * np.float32(1 + 1e-6), 1 << 22
    for size in 50, 300:
        random = rng.dirichlet(np.full(size, 0.3))
        yield f"{size} random probabilities", random, 100 * size
        yield f"{size} random probabilities in float32", random.astype(np.float32), 1 << 22


@exercise("6.3")
def ex_6_3(adaptive_bits):
    value = adaptive_bits(np.array([0]), 2)
    assert not np.isclose(value, 0.585, atol=0.01), (
        "count a symbol after coding it: the decoder does not know it before"
    )
    assert not np.isclose(value, math.log(2)), "that is in nats: divide by log 2, or use log2"
    assert not np.isclose(value, 0), (
        "your first symbol is free: at the start the decoder knows only `size`, neither histogram nor alphabet"
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
