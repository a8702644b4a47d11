"""Checks of the exercises of chapter 03."""

import numpy as np
import torch
from scipy import special, stats

from . import exercise


def _name(found, mistakes, otherwise=""):
    """What to say of a wrong number. mistakes: what it would be after a certain mistake, and how to say so."""
    return next((f": {said}" for value, said in mistakes if np.isclose(found, value, atol=0.01)), otherwise)


def _bits(pmf):
    """Entropies along the last axis."""
    return special.entr(pmf).sum(-1) / np.log(2)


@exercise("3.1")
def ex_3_1(overpaid):
    cumulatives = {
        "a normal density of mean 0 and σ = 0.2": lambda t: special.ndtr(t / 0.2),
        "a lopsided density (Gumbel's, at -0.4, of scale 0.4)": lambda t: np.exp(-np.exp(-(t + 0.4) / 0.4)),
        "a normal density of mean 20.1 and σ = 0.2": lambda t: special.ndtr((t - 20.1) / 0.2),
        "a uniform density on (-1, 1)": lambda t: np.clip((t + 1) / 2, 0, 1),
    }
    k, o, fine = np.arange(-40, 41), (np.arange(200) + 0.5) / 200 - 0.5, np.linspace(-40, 40, 80_001)
    for name, cdf in cumulatives.items():
        pmfs = cdf(k + o[:, None] + 0.5) - cdf(k + o[:, None] - 0.5)
        H, true = _bits(pmfs), _bits(cdf(k + 0.5) - cdf(k - 0.5))
        expected = H.mean() - true
        found = float(overpaid(cdf))
        assert not np.isnan(found), f"for {name} the result is nan: what is 0 times the logarithm of 0?"
        mistakes = [
            (-expected, "that is true less relaxed"),
            (H[o > 0].mean() - true, "half of the grids are missing; o goes from -1/2 to 1/2"),
            (H[o < 0].mean() - true, "half of the grids are missing; o goes from -1/2 to 1/2"),
            (expected * np.log(2), "that is in nats; bits, please"),
            (H.mean(), "that is the relaxed rate alone; take the true rate off, that of the grid at 0"),
            (_bits(pmfs.mean(0)) - true, "average the entropies of the grids, not their probabilities"),
            (_bits(np.diff(cdf(fine)) * 1000) / 1000 - true, "that takes the density of y; the box must smooth it"),
            (H.max() - true, "that is the worst grid; take the mean of all"),
            (0, "do your integers reach from -30 to 30, and does the grid move?"),
        ]
        assert np.isclose(found, expected, atol=0.02), (
            f"for {name} it should be {expected:.2f} bits, not {found:.2f}"
            + _name(found, mistakes, "; are there enough grids, evenly spread, and none of them twice?")
        )


@exercise("3.2")
def ex_3_2(staircase_slope):
    functions = {"(k - 0.3)²": lambda k: (k - 0.3) ** 2, "k³": lambda k: k**3, "|k|": lambda k: abs(k)}
    u = (np.arange(4000) + 0.5) / 4000 - 0.5
    for name, f in functions.items():
        for y in (0.2, 0.8, -0.3, -1.9, 2.6):
            high, low = (np.mean([f(k) for k in np.round(y + shift + u)]) for shift in (0.05, -0.05))
            expected, found, k = (high - low) / 0.1, float(staircase_slope(f, y)), np.round(y)
            mistakes = [
                ((f(k + 1e-4) - f(k - 1e-4)) / 2e-4, "that is straight-through's slope, f' at round(y)"),
                (f(y + 0.5) - f(y - 0.5), "that is noise without the staircase; f is to get integers"),
                (f(k + 1) - f(k), "the window ends at y + 1/2 and y - 1/2; what are these rounded to?"),
                (-expected, "the sign is wrong"),
            ]
            assert np.isclose(found, expected, atol=1e-2), (
                f"for f = {name} and y = {y} finite differences of E f(round(y + u)) give {expected:.2f}, "
                f"you have {found:.2f}{_name(found, mistakes)}"
            )


@exercise("3.3")
def ex_3_3(dithered):
    rng = np.random.default_rng(0)
    y, u = rng.normal(0, 2, 10_000), rng.uniform(-0.5, 0.5, 10_000)
    found = dithered(y, u)
    assert isinstance(found, tuple) and len(found) == 2, "return two arrays, k and y_hat"
    k, y_hat = (np.asarray(part, float) for part in found)
    assert k.shape == y.shape == y_hat.shape, "k and y_hat have the shape of y"
    assert np.array_equal(k, np.round(k)), "a file holds integers: k must be rounded"
    assert np.ptp(k) < np.ptp(y) + 3, f"k goes from {k.min():.0f} to {k.max():.0f}, in steps finer than 1: a dear file"
    error = y_hat - y
    assert np.abs(error).max() < 0.5 + 1e-9 or np.ptp(error) > 1 + 1e-9, (
        f"the errors lie between {error.min():.2f} and {error.max():.2f}: half a step is missing (floor rounds down)"
    )
    assert np.abs(error).max() < 0.5 + 1e-9, (
        f"the largest error is {np.abs(error).max():.2f}; what was added before rounding must be taken off after it"
    )
    assert stats.kstest(error, "uniform", (-0.5, 1)).pvalue > 1e-6, "the error is not uniform on (-1/2, 1/2)"
    _, still = dithered(np.full(10_000, 0.2), u)
    assert stats.kstest(np.asarray(still, float) - 0.2, "uniform", (-0.5, 1)).pvalue > 1e-6, (
        "with every y at 0.2 the error is not uniform: it still depends on y"
    )
    other_k, other_hat = (np.asarray(part, float) for part in dithered(y + rng.uniform(-0.3, 0.3, len(y)), u))
    same = k == other_k
    assert np.allclose(y_hat[same], other_hat[same], atol=1e-9), (
        "two different y with the same k and u give two different y_hat; the decoder has k and u, nothing else"
    )


@exercise("3.4")
def ex_3_4(normal_bits):
    mean, sigma = torch.tensor([0.3, 0.0, -2.0, 0.1]), torch.tensor([0.1, 1.0, 4.0, 0.5])
    for y in (1.0, 0.0, -3.0, 0.37):
        bits = normal_bits(torch.full((4,), y), mean, sigma)
        assert tuple(bits.shape) == (4,), f"y has shape (4,), the bits have {tuple(bits.shape)}"
        for found, m, s in zip(bits.tolist(), mean.tolist(), sigma.tolist(), strict=True):
            expected = _exact(y, m, s)
            mistakes = [
                (expected * np.log(2), "the logarithm has the wrong base; bits, please"),
                (-stats.norm.logpdf(y, m, s) / np.log(2), "that is the density of y; it lacks the box"),
            ]
            assert abs(found - expected) < 0.02 or expected > 13, (  # the tails come next
                f"for y = {y}, mean {m:.1f}, sigma {s:.1f} it should be {expected:.2f} bits, not {found:.2f}"
                + _name(found, mistakes)
            )
    y = torch.tensor([8.0, -8.0, 300.0, -300.0, -5.9, -5.6, 5.2, 5.9, 1.0], requires_grad=True)
    mean, sigma = torch.zeros(9, requires_grad=True), torch.ones(9, requires_grad=True)
    bits = normal_bits(y, mean, sigma)
    for at, found in zip(y.tolist(), bits.tolist(), strict=True):
        expected = _exact(at, 0, 1)
        assert np.isfinite(found), f"at y = {at:.1f} the bits are {found}; a training would not survive that"
        assert abs(found - expected) < 0.03 or expected < 29.8, (
            f"at y = {at:.1f} there are {found:.1f} bits: a density below 1e-9 counts as 1e-9, which is 29.9 bits"
        )
        assert abs(found - expected) < 0.03, (
            f"at y = {at:.1f} it should be {expected:.2f} bits, not {found:.2f}: in single precision a small "
            "difference of two numbers near 1 is lost, and so is 1 + erf near -1"
        )
    assert bits.requires_grad, "no gradient gets through to y; is there a detach, or numpy, on the way?"
    slopes = torch.autograd.grad(bits.sum(), (y, mean, sigma), allow_unused=True)
    for name, slope in zip(("y", "mean", "sigma"), slopes, strict=True):
        assert slope is not None, f"no gradient gets through to {name}; is there a detach, or numpy, on the way?"
        for at, found in zip(y.tolist(), slope.tolist(), strict=True):
            assert np.isfinite(found), f"at y = {at:.0f} the gradient for {name} is {found}"
    expected = (_exact(1.001, 0, 1) - _exact(0.999, 0, 1)) / 0.002
    assert abs(slopes[0][-1] - expected) < 0.02, f"at y = 1 the slope is {slopes[0][-1]:.2f}, not {expected:.2f}"


def _exact(y, mean, sigma):
    """Bits in double precision, from the upper tail on both sides, with the floor."""
    far = abs(y - mean)
    return -np.log2(max(stats.norm.sf((far - 0.5) / sigma) - stats.norm.sf((far + 0.5) / sigma), 1e-9))
