import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from nctutorial.codec.rounding import (
    HARD,
    Rounding,
    add_noise,
    best_deadzone,
    random_round,
    shrink,
    ste_round,
    unshrink,
)

NOISE, RANDOM = Rounding("noise"), Rounding("random", 0.35)


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


# ---- random rounding


@pytest.mark.parametrize("v", [-1.7, -0.2, 0.1, 0.35, 0.5, 2.8])
def test_random_round_takes_either_neighbour_as_often_as_the_paper_says(v):
    torch.manual_seed(0)
    t = random_round(torch.full((200_000,), v), 0.5).numpy()
    assert np.floor(v) <= t.min() and t.max() <= np.ceil(v)
    # with weights exp(-atanh(distance) / temperature), Yang, Bamler and Mandt 2020, equation 10
    down, up = (np.exp(-np.arctanh(distance) / 0.5) for distance in (v - np.floor(v), np.ceil(v) - v))
    assert (t > np.floor(v) + 0.5).mean() == pytest.approx(up / (up + down), abs=0.005)


def test_random_round_leaves_integers_and_is_rounding_when_cold():
    v = torch.linspace(-3, 3, 61)
    assert torch.allclose(random_round(v[::10], 0.35), v[::10], atol=1e-3)
    clear = v[(v - v.floor() - 0.5).abs() > 0.05]
    assert torch.allclose(random_round(clear, 0.01), clear.round(), atol=1e-3)


def cost_of_a_one(t):
    """Bits between two integers, where all that a 1 costs more than a 0 is a jump at 1/2, as behind a deadzone."""
    return RANDOM.bits(lambda k: 9.0 * (k > 0.5), t)


@pytest.mark.parametrize("v", [0.1, 0.4, 0.5, 0.7])
@pytest.mark.parametrize("function", [torch.Tensor.clone, cost_of_a_one])
def test_the_gradient_of_random_symbols_and_their_bits_is_that_of_the_average(function, v):
    def mean(v):
        torch.manual_seed(0)
        return function(random_round(v.expand(200_000), 0.35)).double().mean()

    at = torch.tensor(v, requires_grad=True)
    mean(at).backward()
    with torch.no_grad():
        slope = ((mean(at + 0.01) - mean(at - 0.01)) / 0.02).item()
    assert at.grad.item() == pytest.approx(slope, rel=0.05, abs=0.01)


# ---- what stands in for rounding


@pytest.mark.parametrize("rounding", [HARD, NOISE, RANDOM])
def test_symbols_for_the_picture_and_for_the_rate(rounding):
    v = torch.linspace(-2, 2, 41, requires_grad=True)
    torch.manual_seed(0)
    for_picture, for_rate = rounding.symbols(v)
    torch.manual_seed(0)
    expected = {
        HARD: lambda: (v.round(), v.round()),
        NOISE: lambda: (v.round(), v + torch.rand(41) - 0.5),
        RANDOM: lambda: (random_round(v, 0.35),) * 2,
    }[rounding]()
    torch.testing.assert_close((for_picture, for_rate), expected)
    (slope,) = torch.autograd.grad(for_picture.sum() + for_rate.sum(), v)
    assert slope.any() == (rounding != HARD)
    assert rounding.bin_of_zero(torch.tensor(0.3)).item() == pytest.approx(0 if rounding == NOISE else 0.3)


def test_bits_of_integers_and_of_noisy_symbols_are_as_they_are():
    k, t = torch.arange(-3.0, 4), torch.linspace(-3, 3, 9)
    assert torch.equal(RANDOM.bits(torch.square, k), k**2)
    for rounding in (HARD, NOISE):
        assert torch.equal(rounding.bits(torch.square, t), t**2)


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
