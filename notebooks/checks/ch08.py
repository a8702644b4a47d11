"""Checks of the exercises of chapter 08."""

import math

import numpy as np

from . import exercise


def _entropy(pmf):
    return -(pmf * np.log2(np.where(pmf > 0, pmf, 1))).sum(-1)


@exercise("8.1")
def ex_8_1(worth_knowing):
    same = np.array([[0.5, 0.25, 0.25], [0.5, 0.25, 0.25]])
    found = float(worth_knowing(same, np.array([0.3, 0.7])))
    assert not math.isnan(found), "the result is not a number"
    assert abs(found) < 1e-6, f"two places with the same distribution: knowing is worth nothing, not {found:.3f}"
    apart = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.9, 0.1]])
    found = float(worth_knowing(apart, np.array([0.5, 0.5])))
    assert not math.isnan(found), "with probabilities of 0 the result is not a number: 0 · log 0 should count as 0"
    assert not math.isclose(found, math.log(2), rel_tol=1e-6), "that is in nats"
    assert not math.isclose(found, -1, rel_tol=1e-6), "the sign: the mixture has the larger entropy"
    assert math.isclose(found, 1, rel_tol=1e-6), (
        f"two places of equal weight that share no symbol: every symbol tells its place, 1 bit, not {found:.3f}"
    )
    rng = np.random.default_rng(8)
    pmfs, weights = rng.dirichlet(np.ones(6), 4), rng.dirichlet(np.ones(4))
    expected = _entropy(weights @ pmfs) - weights @ _entropy(pmfs)
    found = float(worth_knowing(pmfs, weights))
    assert math.isclose(found, expected, rel_tol=1e-6), (
        f"four places of unequal weight: it is {expected:.4f} bits, not {found:.4f}; are both parts weighted?"
    )


def _half_pmf(scale):
    """Of 0, 1, 2, ... 1000 under a logistic, with the tail on the side where it is small."""
    upper = 1 / (1 + np.exp(np.minimum((np.arange(1001) + 0.5) / scale, 700)))  # mass above k + 1/2
    return np.append(1 - 2 * upper[0], upper[:-1] - upper[1:])


@exercise("8.2")
def ex_8_2(cost_of_wrong_scale):
    twice = np.where(np.arange(1001), 2, 1)
    found = float(cost_of_wrong_scale(2.0, 2.0))
    assert not math.isnan(found), "the result is not a number: leave out symbols that have a probability of 0"
    assert abs(found) < 1e-6, f"the right scale costs nothing, not {found:.3g}"
    for scale, used in ((1.0, 1.5), (1.5, 1.0), (0.3, 0.32), (10.0, 10.6), (30.0, 15.0), (0.4, 1.0)):
        p, q = _half_pmf(scale), _half_pmf(used)
        ok = (p > 1e-30) & (q > 1e-300)
        expected = (p * np.log2(np.where(ok, p, 1) / np.where(ok, q, 1)) * twice)[ok].sum()
        found = float(cost_of_wrong_scale(scale, used))
        assert math.isfinite(found), (
            f"scale {scale} under scale {used} gives {found}: far out in the upper tail 1 - 1 is 0 in floats, though "
            "the probability is not; take the probability of -k for that of k"
        )
        assert not math.isclose(found, expected * math.log(2), rel_tol=1e-2), "that is in nats"
        assert math.isclose(found, expected, rel_tol=1e-2, abs_tol=1e-6), (
            f"symbols of scale {scale} under scale {used} lose {expected:.5f} bits each, not {found:.5f}; "
            "which of the two do the symbols follow, and do both tails reach far enough?"
        )


@exercise("8.3")
def ex_8_3(largest_activation):
    weight, bias = np.array([[3, -4], [1, 1]]), np.array([0, 0])
    found = largest_activation(weight, bias, 4)
    assert found != 4, "the signs of the activations may be the worst ones: 3 a + 4 b can be as large as 7 A"
    assert found == 2, f"for weights 3 and -4 and sums up to 16, A is 2 (7 A <= 16), not {found}"
    found = largest_activation(weight, np.array([-3, 0]), 4)
    assert found == 1, f"with a bias of -3 there are 13 left for 7 A: A is 1, not {found}"
    found = largest_activation(np.array([[3, 5]]), np.array([0]), 4)
    assert found == 2, f"with weights 3 and 5, A = 2 gives the sum 16 = 2^4, which is allowed; you say {found}"
    rng = np.random.default_rng(8)
    for m in (24, 53):
        weight, bias = rng.integers(-4096, 4097, (16, 90)), rng.integers(-(2**20), 2**20, 16)
        expected = min((2**m - abs(int(b))) // int(np.abs(row).sum()) for row, b in zip(weight, bias, strict=True))
        found = largest_activation(weight, bias, m)
        assert int(found) == found, f"A is an integer, not {found}"
        assert found == expected, f"for 16 outputs with 90 inputs and m = {m}, A is {expected}, not {int(found)}"


@exercise("8.4")
def ex_8_4(white_then_black):
    alone, given = np.array([0.5, 0.25, 0.25]), np.array([[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]])
    found = white_then_black(np.zeros((3, 3), int), alone, given)
    assert np.shape(found) == (2,), "return two numbers: the bits of all white squares and of all black ones"
    white, black = map(float, found)
    assert not math.isclose(white, 5 * math.log(2), rel_tol=1e-6), "that is in nats"
    assert not math.isclose(white, 1), "sum the bits over the squares; a mean of them is no size"
    assert not math.isclose(white, 4), "the square in the upper left corner is white"
    assert math.isclose(white, 5) and math.isclose(black, 4), (
        f"a 3×3 board of zeros at 1 bit each: 5 bits of white and 4 of black, not {white:.3f} and {black:.3f}"
    )
    board = np.zeros((4, 4), int)
    board[0, 0] = 2
    found = float(white_then_black(board, alone, given)[1])
    assert not math.isclose(found, 16), (
        "one loud white square, in the corner, has two black neighbours, not four: does your board end at its borders, "
        "or does it go on at the other side?"
    )
    assert math.isclose(found, 12), (
        f"one loud white square, in the corner of 4×4: two black ones at 3 bits and six at 1 make 12, not {found:.3f}; "
        "one loud neighbour is enough, and only white squares count"
    )
    board = np.array([[0, 2, 0], [2, 0, 2], [0, 2, 0]])
    white, black = map(float, white_then_black(board, alone, given))
    assert math.isclose(white, 5), f"white squares know nothing: they cost 5 bits under `alone`, not {white:.3f}"
    assert math.isclose(black, 8), (
        f"black squares of 2 beside zeros cost 2 bits each, 8 in all, not {black:.3f}: they see white squares only, "
        "neither themselves nor other black ones"
    )
    rng = np.random.default_rng(8)
    for shape in (6, 9), (7, 4):
        board = rng.choice(3, shape, p=[0.6, 0.25, 0.15])
        expected = _two_colours(board, alone, given)
        found = tuple(map(float, white_then_black(board, alone, given)))
        assert np.allclose(found, expected, rtol=1e-4), (
            f"a random board of {shape[0]}×{shape[1]}: {expected[0]:.2f} and {expected[1]:.2f} bits, "
            f"not {found[0]:.2f} and {found[1]:.2f}"
        )


def _two_colours(board, alone, given):
    """Square by square: bits of white, bits of black."""
    bits = [0.0, 0.0]
    h, w = board.shape
    for i, j in np.ndindex(h, w):
        beside = [(i - 1, j), (i + 1, j), (i, j - 1), (i, j + 1)]
        loud = any(board[a, b] > 0 for a, b in beside if 0 <= a < h and 0 <= b < w)
        black = (i + j) % 2
        bits[black] -= math.log2((given[int(loud)] if black else alone)[board[i, j]])
    return bits
