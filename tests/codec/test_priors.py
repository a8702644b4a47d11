from fractions import Fraction
from math import floor

import numpy as np
import pytest
import scipy.integrate
import scipy.special
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from nctutorial.codec.priors import FactorizedPrior, IntegerPrior
from nctutorial.codec.units import CDF_ONE, DEADZONE_ONE, FIXED_POINT, TABLE_ONE


def random_prior(channels=4, seed=0):
    """A prior in float64 whose parameters are all off their starting values."""
    torch.manual_seed(seed)
    prior = FactorizedPrior(channels, torch.logspace(-0.3, 1.3, channels)).double()
    with torch.no_grad():
        for p in prior.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return prior


def balle_2018(prior, c, y):
    """F_c(y) by appendix 6.1 of arXiv:1802.01436 in plain numpy. y: float or (N,)."""
    x = np.atleast_1d(y)[None, :].astype(float)
    layers = len(prior.weights)
    for k in range(layers):
        h, b = prior.weights[k][c].detach().numpy(), prior.biases[k][c].detach().numpy()
        x = np.log1p(np.exp(h)) @ x + b  # softplus(H) x + b
        if k < layers - 1:
            x = x + np.tanh(prior.factors[k][c].detach().numpy()) * np.tanh(x)
    return scipy.special.expit(x[0])


def density(prior, c, y):
    """F_c'(y) by automatic differentiation."""
    y = torch.full((len(prior.weights[0]), 1, 1), float(y), dtype=torch.float64, requires_grad=True)
    torch.sigmoid(prior.logits(y))[c].sum().backward()
    return y.grad[c].item()


# ---- the float prior


def test_cumulative_is_that_of_the_paper():
    prior, y = random_prior(), np.linspace(-40, 40, 81)
    with torch.no_grad():
        found = torch.sigmoid(prior.logits(torch.from_numpy(y).expand(4, 1, -1)))
    for c in range(4):
        np.testing.assert_allclose(found[c, 0].numpy(), balle_2018(prior, c, y), rtol=1e-10)


def test_the_start_has_the_width_it_was_asked_for():
    scale = torch.tensor([0.5, 3.0, 40.0])
    torch.manual_seed(0)
    prior = FactorizedPrior(3, scale)
    half = (prior.quantile(0.75) - prior.quantile(0.25)) / 2
    ratio = half.numpy() / scale.numpy()
    assert (ratio > 0.5).all() and (ratio < 3).all()
    np.testing.assert_allclose(ratio / ratio[0], 1, atol=0.5)  # proportional to what was asked for


@pytest.mark.parametrize("seed", range(3))
def test_cumulative_increases_from_0_to_1(seed):
    prior = random_prior(seed=seed)
    for c in range(4):
        f = balle_2018(prior, c, np.linspace(-300, 300, 2001))
        with torch.no_grad():
            logits = prior.logits(torch.linspace(-300, 300, 2001, dtype=torch.float64).expand(4, 1, -1))
        assert (logits.diff() > 0).all()
        assert f[0] < 1e-3 and f[-1] > 1 - 1e-3


def test_density_integrates_to_1():
    prior = random_prior()
    low, high = prior.quantile(1e-7), prior.quantile(1 - 1e-7)
    for c in range(4):
        knots = [prior.quantile(p)[c].item() for p in (0.01, 0.3, 0.5, 0.7, 0.99)]
        mass, _ = scipy.integrate.quad(
            lambda y, c=c: density(prior, c, y), low[c].item(), high[c].item(), points=knots, limit=200
        )
        assert mass == pytest.approx(1, abs=1e-5)


def test_likelihood_is_the_density_of_the_noisy_latent():
    # p(y + u) = integral of p over (y - 1/2, y + 1/2), and so for other widths
    prior = random_prior()
    for half, y in ((0.5, 0.3), (0.5, -4.0), (0.1, 2.0), (3.0, -1.0)):
        with torch.no_grad():
            found = prior.likelihood(torch.full((4, 1, 1), y, dtype=torch.float64), half)
        for c in range(4):
            mass, _ = scipy.integrate.quad(lambda t, c=c: density(prior, c, t), y - half, y + half)
            assert found[c].item() == pytest.approx(mass, rel=1e-6)


def test_mass_is_a_difference_of_cumulatives():
    prior = random_prior()
    low, high = np.array([-7.0, -0.2, 3.0]), np.array([-6.5, 4.0, 3.001])
    with torch.no_grad():
        found = prior.mass(*(torch.from_numpy(y).expand(4, 1, -1) for y in (low, high)))
    for c in range(4):
        expected = balle_2018(prior, c, high) - balle_2018(prior, c, low)
        np.testing.assert_allclose(found[c, 0].numpy(), np.maximum(expected, 1e-9), rtol=1e-8)


def test_likelihoods_of_all_integers_sum_to_1():
    prior = random_prior()
    k = torch.arange(-2000.0, 2001, dtype=torch.float64)
    with torch.no_grad():
        mass = prior.likelihood(k.expand(4, 1, -1)).sum(2)
    np.testing.assert_allclose(mass.numpy(), 1, atol=1e-5)  # each has a floor of 1e-9


def test_likelihood_is_as_exact_in_the_upper_tail_as_in_the_lower():
    prior = FactorizedPrior(1, 1.0)
    with torch.no_grad():
        for bias in prior.biases:
            bias.zero_()  # symmetric now: F(-y) = 1 - F(y)
        tail = torch.linspace(0, 15, 16).view(1, 1, -1)
        upper, lower = prior.likelihood(tail), prior.likelihood(-tail)
    np.testing.assert_allclose(upper.numpy(), lower.numpy(), rtol=1e-5)
    assert 1e-9 <= upper.min() < 1e-4  # 1 - F would have lost its digits here


def test_likelihood_never_is_0():
    prior = FactorizedPrior(2, 0.1)
    y = torch.tensor([[[1e4, -1e4]]]).expand(2, 1, 2).requires_grad_()
    bits = -torch.log2(prior.likelihood(y))
    assert bits.isfinite().all()
    bits.sum().backward()
    assert y.grad.isfinite().all()


def test_quantile_inverts_the_cumulative():
    prior = random_prior()
    for probability in (1e-6, 0.2, 0.5, 0.999):
        y = prior.quantile(probability).numpy()
        found = [balle_2018(prior, c, y[c]).item() for c in range(4)]
        np.testing.assert_allclose(found, probability, rtol=1e-6)


# ---- the integer prior


@st.composite
def integer_priors(draw):
    """An IntegerPrior of random increasing knots, and (channel, position) pairs in and out of their range."""
    channels = draw(st.integers(1, 3))
    cdfs = [sorted(draw(st.lists(st.integers(0, CDF_ONE), min_size=2, max_size=9))) for _ in range(channels)]
    spacing = np.array(draw(st.lists(st.integers(1, 2**28), min_size=channels, max_size=channels)))
    first = np.array(draw(st.lists(st.integers(-60, 10), min_size=channels, max_size=channels))) * spacing
    start = np.cumsum([0] + [len(cdf) for cdf in cdfs])
    prior = IntegerPrior(np.concatenate(cdfs), start, first, spacing)
    pairs = st.tuples(st.integers(0, channels - 1), st.integers(-(2**35), 2**35))
    near = [(c, int(first[c] + i * spacing[c] + d)) for c in range(channels) for i in range(9) for d in (-1, 0, 1)]
    return prior, near + draw(st.lists(pairs, max_size=20))


@given(integer_priors())
def test_integer_cumulative_is_exact(drawn):
    prior, pairs = drawn
    channel, position = np.array(pairs).T
    found = prior.cumulative(channel, position)
    for (c, p), value in zip(pairs, found, strict=True):
        cdf = [int(v) for v in prior.cdf[prior.start[c] : prior.start[c + 1]]]
        t = Fraction(p - int(prior.first[c]), int(prior.spacing[c]))
        t = min(max(t, Fraction(0)), Fraction(len(cdf) - 1))
        i = min(floor(t), len(cdf) - 2)
        assert int(value) == floor(cdf[i] + (cdf[i + 1] - cdf[i]) * (t - i))


@pytest.fixture(scope="module")
def pair():
    """A float prior and its integers, made for a finest step of 1/2 in y."""
    prior = random_prior(6, seed=3).float()
    return prior, IntegerPrior.from_prior(prior, np.full(6, FIXED_POINT // 2))


def test_integer_knots_are_the_float_cumulative(pair):
    prior, integer = pair
    double = random_prior(6, seed=3).float().double()
    for c in range(6):
        knots = np.arange(integer.start[c + 1] - integer.start[c]) * integer.spacing[c] + integer.first[c]
        assert (integer.spacing == FIXED_POINT // 8).all()
        expected = balle_2018(double, c, knots / FIXED_POINT)
        cdf = integer.cdf[integer.start[c] : integer.start[c + 1]]
        np.testing.assert_allclose(cdf / CDF_ONE, expected, atol=1e-9)
        assert (np.diff(cdf) >= 0).all()
        assert expected[0] < 1e-6 and expected[-1] > 1 - 1e-6  # the tails beyond the knots are negligible


def symbol_edges(k, deadzone):
    """The interval of v = y / step that belongs to symbol k > 0, and its mirror image for k < 0."""
    if k == 0:
        return -0.5 - deadzone, 0.5 + deadzone
    a, b = abs(k) - 0.5 + deadzone, abs(k) + 0.5 + deadzone
    return (a, b) if k > 0 else (-b, -a)


@pytest.mark.parametrize("step", [0.5, 1.3, 7.0])
@pytest.mark.parametrize("deadzone", [0, 40, 115])
def test_tables_agree_with_the_float_prior(pair, step, deadzone):
    prior, integer = pair
    double = random_prior(6, seed=3).float().double()
    steps = np.full(6, round(step * FIXED_POINT))
    tables = integer.tables(steps, np.full(6, deadzone))
    for c in range(6):
        counts, low = tables.counts[c], int(tables.low[c])
        assert counts.min() >= 1
        assert abs(counts.sum() - TABLE_ONE) <= len(counts)
        assert low <= 0 <= low + len(counts) - 2
        edges = [symbol_edges(k, deadzone / DEADZONE_ONE) for k in range(low, low + len(counts) - 1)]
        mass = np.array([np.diff(balle_2018(double, c, np.array(e) * step))[0] for e in edges])
        mass = np.append(mass, 1 - mass.sum())
        q = counts / counts.sum()
        kl = np.sum(mass * np.log2(np.maximum(mass, 1e-300) / q))
        entropy = -np.sum(mass * np.log2(np.maximum(mass, 1e-300)))
        assert abs(mass[-1]) < 1e-5
        assert -1e-9 < kl < 2e-4 + 1e-3 * entropy


@pytest.mark.parametrize("deadzone", [0, 60])
def test_table_is_the_histogram_of_quantized_samples(pair, deadzone):
    prior, integer = pair
    double = random_prior(6, seed=3).float().double()
    step, n = 1.7, 200_000
    tables = integer.tables(np.full(6, round(step * FIXED_POINT)), np.full(6, deadzone))
    rng = np.random.default_rng(deadzone)
    for c in range(6):
        low, high = (prior.quantile(p)[c].item() for p in (1e-7, 1 - 1e-7))
        grid = np.linspace(low, high, 400_001)
        y = np.interp(rng.uniform(1e-7, 1 - 1e-7, n), balle_2018(double, c, grid), grid)
        v = y / step
        k = (np.sign(v) * np.floor(np.abs(v) + 0.5 - deadzone / DEADZONE_ONE)).astype(int)
        counts, first = tables.counts[c], int(tables.low[c])
        index = k - first
        assert ((index >= 0) & (index < len(counts) - 1)).mean() > 0.9999
        seen = np.bincount(index[(index >= 0) & (index < len(counts) - 1)], minlength=len(counts) - 1)
        expected = counts[:-1] / counts.sum() * n
        common = expected > 10
        chi2 = np.sum((seen[common] - expected[common]) ** 2 / expected[common])
        assert scipy.stats.chi2(common.sum()).sf(chi2) > 1e-4


def test_every_channel_has_symbol_0_even_far_from_its_knots():
    cdf = np.array([0, CDF_ONE])
    above = IntegerPrior(cdf, np.array([0, 2]), np.array([10 * FIXED_POINT]), np.array([FIXED_POINT]))
    tables = above.tables(np.array([FIXED_POINT]), np.array([0]))
    assert tables.low[0] <= 0
    counts = tables.counts[0]
    assert counts.argmax() + tables.low[0] in (10, 11)  # all mass lies between y = 10 and y = 11
    assert counts.min() >= 1
