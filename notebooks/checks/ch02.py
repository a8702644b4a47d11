"""Checks of chapter 02's exercises. Each prints a verdict; none raises."""

import numpy as np
import torch
from scipy.stats import norm

from . import exercise


@exercise("2.1")
def ex_2_1(integer_error):
    n = np.arange(-2520, 2520)  # a multiple of every step below: each remainder occurs equally often
    for step in (1, 2, 3, 4, 5, 7, 8, 9, 10):
        enumerated = np.square(n - np.round(n / step) * step).mean()
        found = integer_error(step)
        assert np.isclose(found, enumerated), (
            f"for step {step} it gives {found:.4g}, but rounding the integers -2520 to 2519 leaves a mean square of "
            f"{enumerated:.4g}; write down the errors of one cell for an odd and for an even step"
        )


@exercise("2.2")
def ex_2_2(gap_to_shannon):
    for step in (0.25, 1, 3):
        edges = (np.arange(-80, 82) - 0.5) * step
        p = np.diff(norm.cdf(edges))
        bits = -np.sum(p[p > 0] * np.log2(p[p > 0]))
        v = np.linspace(-9, 9, 400_001)
        mse = np.sum(norm.pdf(v) * np.square(np.round(v / step) * step - v)) * (v[1] - v[0])
        true, found = bits - 0.5 * np.log2(1 / mse), float(gap_to_shannon(step))
        assert not np.isclose(found, true * np.log(2), atol=0.01), "this looks like nats: use the logarithm to base 2"
        assert abs(found - true) < 0.01, (
            f"at step {step} it gives {found:.3f} bit; {bits:.3f} bits are spent for an error of {mse:.4f}, which "
            f"Shannon's formula sells for {0.5 * np.log2(1 / mse):.3f}"
        )


def soft_round(y, alpha):
    middle = torch.floor(y) + 0.5
    return middle + torch.tanh(alpha * (y - middle)) / (2 * np.tanh(alpha / 2))


@exercise("2.3")
def ex_2_3(soft_round_inverse):
    y = torch.linspace(-2.45, 2.45, 99, dtype=torch.float64)
    for alpha in (0.5, 4, 12):
        back = soft_round_inverse(soft_round(y, alpha), alpha)
        assert back.shape == y.shape, "the result has another shape than the argument"
        worst = int((back - y).abs().argmax())
        assert torch.allclose(back, y, atol=1e-6), (
            f"with alpha = {alpha}, y = {y[worst]:.2f} becomes {soft_round(y, alpha)[worst]:.3f}, and your "
            f"inverse makes {back[worst]:.3f} of that"
        )


@exercise("2.4")
def ex_2_4(deadzone):
    v = np.random.default_rng(0).laplace(scale=3, size=10_000)
    k = np.asarray(deadzone(v, 2.0, 0.0))
    assert np.array_equal(k, np.round(v / 2)), "without a dead zone (delta = 0) it must be plain rounding of v / step"
    for delta in (0.1, 0.3):
        k = np.asarray(deadzone(v, 2.0, delta))
        assert np.array_equal(k, np.round(k)), "the result must be integers"
        assert np.array_equal(k, -np.asarray(deadzone(-v, 2.0, delta))), "it must treat v and -v alike"
        zero = np.abs(v / 2) < 0.5 + delta
        assert (k[zero] == 0).all(), "a v within (1/2 + delta) steps of 0 must give 0"
        magnitude = np.floor(np.abs(v[~zero]) / 2 + 0.5 - delta)
        assert np.array_equal(np.abs(k[~zero]), magnitude), (
            "outside the dead zone every border moves outwards by delta: k > 0 begins at k - 1/2 + delta steps"
        )
