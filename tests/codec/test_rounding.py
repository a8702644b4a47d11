import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from nctutorial.codec.rounding import add_noise, best_deadzone, shrink, ste_round, unshrink


def test_noise_is_uniform_and_independent_of_its_input():
    torch.manual_seed(0)
    v = (5 * torch.randn(20_000)).requires_grad_()
    noisy = add_noise(v)
    u = (noisy - v).detach().numpy()
    assert scipy.stats.kstest(u, scipy.stats.uniform(-0.5, 1).cdf).pvalue > 0.01
    assert abs(np.corrcoef(u, v.detach().numpy())[0, 1]) < 0.02
    noisy.sum().backward()
    assert torch.equal(v.grad, torch.ones_like(v))


def test_straight_through_rounds_forward_and_is_the_identity_backward():
    v = torch.linspace(-3.3, 3.3, 67, requires_grad=True)
    rounded = ste_round(v)
    np.testing.assert_allclose(rounded.detach().numpy(), np.rint(v.detach().numpy()), atol=1e-6)
    (rounded * torch.arange(67)).sum().backward()
    assert torch.equal(v.grad, torch.arange(67.0))


# ---- the deadzone


def test_shrunk_and_rounded_is_the_quantizer_with_a_deadzone():
    v, deadzone = torch.linspace(-4, 4, 1601, dtype=torch.float64) + 1e-4, torch.tensor(0.2, dtype=torch.float64)
    expected = np.zeros(1601)
    for k in range(1, 5):  # symbol k begins at k - 1/2 + 0.2
        expected[v.numpy() >= k - 0.3] = k
        expected[v.numpy() <= -(k - 0.3)] = -k
    np.testing.assert_array_equal(shrink(v, deadzone).round().numpy(), expected)
    assert torch.equal(shrink(v, torch.zeros(())), v)


@given(st.floats(-50, 50).filter(lambda t: abs(t) > 1e-9), st.floats(0, 0.45))
def test_unshrink_inverts_shrink(t, deadzone):
    t, deadzone = torch.tensor([t, deadzone], dtype=torch.float64)
    torch.testing.assert_close(shrink(unshrink(t, deadzone), deadzone), t)


@pytest.mark.parametrize("cost", [2.0, 8.66, 30.0])
@pytest.mark.parametrize("scale", [0.3, 0.6, 1.0, 2.5])
def test_at_the_edge_of_the_best_deadzone_both_symbols_cost_the_same(cost, scale):
    """At v = 1/2 + d the costs R + cost (v - k)^2 of k = 0 and of k = 1 are equal."""
    mass = scipy.stats.laplace(scale=scale).cdf

    def dearer_0(d):
        bits = [-math.log2(mass(high) - mass(low)) for low, high in ((-0.5 - d, 0.5 + d), (0.5 + d, 1.5 + d))]
        return bits[0] + cost * (0.5 + d) ** 2 - bits[1] - cost * (0.5 - d) ** 2

    expected = scipy.optimize.brentq(dearer_0, 0, 0.45) if dearer_0(0.45) > 0 else 0.45
    deadzone = best_deadzone(lambda low, high: torch.tensor(mass(high) - mass(low)), torch.zeros(1), cost, rounds=40)
    assert deadzone.item() == pytest.approx(expected, abs=1 / 256)
    assert (deadzone * 256).item().is_integer()
