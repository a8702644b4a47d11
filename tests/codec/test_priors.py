from fractions import Fraction
from math import floor

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st

from nctutorial.codec import priors
from nctutorial.codec.priors import FactorizedPrior, IntegerPrior, interval_mass
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


# ---- the float prior


@pytest.mark.parametrize("seed", range(3))
def test_cumulative_is_that_of_the_paper_and_increases_from_0_to_1(seed):
    prior, y = random_prior(seed=seed), np.linspace(-300, 300, 2001)
    with torch.no_grad():
        logits = prior.logits(torch.from_numpy(y).expand(4, 1, -1))
    assert (logits.diff() > 0).all()
    for c, cumulative in enumerate(torch.sigmoid(logits)[:, 0].numpy()):
        np.testing.assert_allclose(cumulative, balle_2018(prior, c, y), rtol=1e-10)
        assert cumulative[0] < 1e-3 and cumulative[-1] > 1 - 1e-3


def test_the_start_has_the_width_it_was_asked_for():
    scale = torch.tensor([0.5, 3.0, 40.0])
    torch.manual_seed(0)
    prior = FactorizedPrior(3, scale)
    half = (prior.quantile(0.75) - prior.quantile(0.25)) / 2
    ratio = half.numpy() / scale.numpy()
    assert (ratio > 0.5).all() and (ratio < 3).all()
    np.testing.assert_allclose(ratio / ratio[0], 1, atol=0.5)  # proportional to what was asked for


@pytest.mark.parametrize("half, y", [(0.5, 0.3), (0.5, -4.0), (0.1, 2.0), (3.0, -1.0)])
def test_likelihood_is_a_difference_of_cumulatives(half, y):
    prior = random_prior()
    with torch.no_grad():
        mass = prior.likelihood(torch.full((4, 1, 1), y, dtype=torch.float64), half)
    for c in range(4):
        low, high = balle_2018(prior, c, np.array([y - half, y + half]))
        assert mass[c].item() == pytest.approx(high - low, rel=1e-8)


@pytest.mark.parametrize("half", [1e-3, 0.5, 4.0, 60.0])
def test_the_mass_of_an_interval_is_exact_in_both_tails_and_in_the_middle(half):
    centre = np.linspace(-60, 60, 241)
    below = -np.abs(centre)  # of the mirrored interval in the lower tail numpy loses no digits
    expected = np.maximum(scipy.special.expit(below + half) - scipy.special.expit(below - half), 1e-9)
    ends = torch.from_numpy(np.stack([centre - half, centre + half]))
    np.testing.assert_allclose(interval_mass(*ends).numpy(), expected, rtol=1e-9)
    np.testing.assert_allclose(interval_mass(*ends.float()).numpy(), expected, rtol=2e-3)


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


def knots(prior, c):
    """The positions of a channel's knots, in 1 / FIXED_POINT, and the cumulative there: two lists of int."""
    spacing, begin = max(int(prior.finest[c]) // 4, 1), int(prior.size[:c].sum())
    positions = [(int(prior.first[c]) + i) * spacing for i in range(prior.size[c])]
    return positions, [int(v) for v in prior.cdf[begin : begin + prior.size[c]]]


@st.composite
def integer_priors(draw):
    """An IntegerPrior of random increasing knots, and (channel, position) pairs in and out of their range."""
    channels = draw(st.integers(1, 3))
    cdfs = [sorted(draw(st.lists(st.integers(0, CDF_ONE), min_size=2, max_size=9))) for _ in range(channels)]
    finest, first = (
        draw(st.lists(numbers, min_size=channels, max_size=channels))
        for numbers in (st.integers(1, 2**30), st.integers(-60, 10))
    )
    arrays = np.concatenate(cdfs), first, [len(cdf) for cdf in cdfs], finest
    prior = IntegerPrior(*(np.asarray(array, np.int32) for array in arrays))
    pairs = st.tuples(st.integers(0, channels - 1), st.integers(-(2**35), 2**35))
    near = [(c, position + d) for c in range(channels) for position in knots(prior, c)[0] for d in (-1, 0, 1)]
    return prior, near + draw(st.lists(pairs, max_size=20))


@given(integer_priors())
def test_integer_cumulative_is_exact(drawn):
    prior, pairs = drawn
    values = prior.cumulative(*np.array(pairs).T)
    for (c, position), value in zip(pairs, values, strict=True):
        (first, second, *_), cdf = knots(prior, c)
        t = min(max(Fraction(position - first, second - first), Fraction(0)), Fraction(len(cdf) - 1))
        i = min(floor(t), len(cdf) - 2)
        assert int(value) == floor(cdf[i] + (cdf[i + 1] - cdf[i]) * (t - i))


@pytest.fixture(scope="module")
def pair():
    """A float prior, exactly that of `random_prior` rounded to float32, and its integers for a finest step of 1/2."""
    prior = random_prior(6, seed=3).float()
    return prior.double(), IntegerPrior.from_prior(prior, np.full(6, FIXED_POINT // 2, np.int32))


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
    steps = np.full(6, round(step * FIXED_POINT))
    tables = integer.tables(steps, np.full(6, deadzone))
    for c in range(6):
        counts, low = tables.counts[c], int(tables.low[c])
        assert counts.min() >= 1
        assert abs(counts.sum() - TABLE_ONE) <= len(counts)
        assert low <= 0 <= low + len(counts) - 2
        edges = [symbol_edges(k, deadzone / DEADZONE_ONE) for k in range(low, low + len(counts) - 1)]
        mass = np.array([np.diff(balle_2018(prior, c, np.array(e) * step))[0] for e in edges])
        mass = np.append(mass, 1 - mass.sum())
        q = counts / counts.sum()
        kl = np.sum(mass * np.log2(np.maximum(mass, 1e-300) / q))
        entropy = -np.sum(mass * np.log2(np.maximum(mass, 1e-300)))
        assert abs(mass[-1]) < 1e-5
        assert -1e-9 < kl < 2e-4 + 1e-3 * entropy


def test_every_channel_has_symbol_0_even_far_from_its_knots():
    arrays = [0, CDF_ONE], [40], [5 - 3], [4 * FIXED_POINT]  # two knots, at 40 and 41
    prior = IntegerPrior(*(np.array(array, np.int32) for array in arrays))
    tables = prior.tables(np.array([FIXED_POINT]), np.array([0]))
    counts, low = tables.counts[0], int(tables.low[0])
    assert low <= 0 and counts.min() >= 1
    assert counts.argmax() + low in (40, 41)


# ---- the logistic


def test_scales_and_their_numbers():
    scales = torch.tensor([priors.scale_at(number) for number in range(priors.SCALES)])
    assert priors.scale_number(scales).tolist() == [*range(priors.SCALES)]
    np.testing.assert_allclose(scales[8:] / scales[:-8], np.e, rtol=1e-6)
    assert priors.scale_number(torch.tensor([1e-9, 1e9])).tolist() == [0, priors.SCALES - 1]


@pytest.mark.parametrize("number", [0, 20, 40, 63])
def test_logistic_tables_hold_scipys_distribution_behind_the_deadzone(number):
    deadzone = priors.logistic_deadzones(8.66).numpy()
    tables = priors.logistic_tables(deadzone)
    counts, low = tables.counts[number], tables.low[number]
    edges = [symbol_edges(k, deadzone[number]) for k in range(low, low + len(counts) - 1)]
    expected = np.diff(scipy.stats.logistic.cdf(edges, scale=priors.scale_at(number)))[:, 0]
    np.testing.assert_allclose(counts[:-1] / TABLE_ONE, expected, atol=2 / TABLE_ONE)
    assert (counts > 0).all() and abs(counts.sum() - TABLE_ONE) <= len(counts)
