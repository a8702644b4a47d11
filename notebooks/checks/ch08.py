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
    assert abs(found) < 1e-9, f"two places with the same distribution: knowing is worth nothing, not {found:.3f}"
    apart = np.array([[0.5, 0.5, 0, 0], [0, 0, 0.9, 0.1]])
    found = float(worth_knowing(apart, np.array([0.5, 0.5])))
    assert not math.isnan(found), "with probabilities of 0 the result is not a number"
    assert not math.isclose(found, math.log(2), rel_tol=1e-6), "that is in nats"
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


@exercise("8.2")
def ex_8_2(cost_of_wrong_scale):
    def pmf(scale):  # with the tail on the side where it is small
        k = np.arange(1001)
        upper = 1 / (1 + np.exp(np.minimum((k + 0.5) / scale, 700)))  # mass above k + 1/2
        mass = np.append(1 - 2 * upper[0], upper[:-1] - upper[1:])
        return mass

    found = float(cost_of_wrong_scale(2.0, 2.0))
    assert abs(found) < 1e-6, f"the right scale costs nothing, not {found:.3g}"
    for scale, used in ((1.0, 1.5), (1.5, 1.0), (0.3, 0.32), (10.0, 10.6), (30.0, 15.0), (0.4, 1.0)):
        p, q = pmf(scale), pmf(used)
        ok = (p > 1e-30) & (q > 1e-300)
        expected = (p * np.log2(np.where(ok, p, 1) / np.where(ok, q, 1)) * np.where(np.arange(1001), 2, 1))[ok].sum()
        found = float(cost_of_wrong_scale(scale, used))
        assert not math.isclose(found, expected * math.log(2), rel_tol=1e-2), "that is in nats"
        assert math.isclose(found, expected, rel_tol=1e-2, abs_tol=1e-6), (
            f"symbols of scale {scale} under scale {used} lose {expected:.5f} bits each, not {found:.5f}"
        )


@exercise("8.3")
def ex_8_3(largest_activation):
    weight, bias = np.array([[3, -4], [1, 1]]), np.array([0, 0])
    found = largest_activation(weight, bias, 4)
    assert found != 4, "the signs of the activations may be the worst ones: 3 a + 4 b can be as large as 7 A"
    assert found == 2, f"for weights 3 and -4 and sums up to 16, A is 2 (7 A <= 16), not {found}"
    found = largest_activation(weight, np.array([-3, 0]), 4)
    assert found == 1, f"with a bias of -3 there are 13 left for 7 A: A is 1, not {found}"
    rng = np.random.default_rng(8)
    for m in (24, 53):
        weight, bias = rng.integers(-4096, 4097, (16, 90)), rng.integers(-(2**20), 2**20, 16)
        expected = min((2**m - abs(int(b))) // int(np.abs(row).sum()) for row, b in zip(weight, bias, strict=True))
        found = largest_activation(weight, bias, m)
        assert int(found) == found, f"A is an integer, not {found}"
        assert found == expected, f"for 16 outputs with 90 inputs and m = {m}, A is {expected}, not {int(found)}"
