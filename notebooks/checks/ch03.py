"""Checks of the exercises of chapter 03."""

import numpy as np
import torch
from scipy import stats

from . import exercise


@exercise("3.1")
def ex_3_1(two_boxes):
    t = np.linspace(-2.95, 2.95, 119)
    for width in (1, 0.25, 3):
        v = width * ((np.arange(4000) + 0.5) / 4000 - 0.5)
        expected = (np.abs(t[:, None] - v) < 0.5).mean(1)
        found = np.asarray(two_boxes(t, width), float)
        assert found.shape == t.shape, f"t has shape {t.shape}, the densities have {found.shape}"
        assert found.min() >= 0, "a density is never negative; far out the two intervals do not overlap at all"
        assert np.isclose(found.sum() * 0.05, 1, atol=0.02), (
            f"for width {width} the integral of your density is {found.sum() * 0.05:.2f}, not 1"
        )
        worst = np.abs(found - expected).argmax()
        assert np.allclose(found, expected, atol=0.005), (
            f"for width {width}, t = {t[worst]:.2f} it should be {expected[worst]:.2f}, not {found[worst]:.2f}"
        )


@exercise("3.2")
def ex_3_2(staircase_slope):
    functions = {"(k - 0.3)²": lambda k: (k - 0.3) ** 2, "k³": lambda k: k**3, "|k|": lambda k: abs(k)}
    u = (np.arange(4000) + 0.5) / 4000 - 0.5
    for name, f in functions.items():
        for y in (0.2, 0.8, -0.3, -1.9, 2.6):
            high, low = (np.mean([f(k) for k in np.round(y + shift + u)]) for shift in (0.05, -0.05))
            expected = (high - low) / 0.1
            found = float(staircase_slope(f, y))
            assert np.isclose(found, expected, atol=1e-2), (
                f"for f = {name} and y = {y} finite differences of E f(round(y + u)) give {expected:.2f}, "
                f"you have {found:.2f}"
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
    from_k = min(np.abs(y_hat - k - u).max(), np.abs(y_hat - k + u).max())
    error = y_hat - y
    assert np.abs(error).max() < 0.5 + 1e-9, (
        f"the largest error is {np.abs(error).max():.2f}; what was added before rounding must be taken off after it"
    )
    assert stats.kstest(error, "uniform", (-0.5, 1)).pvalue > 1e-6, "the error is not uniform on (-1/2, 1/2)"
    _, still = dithered(np.full(10_000, 0.2), u)
    assert stats.kstest(np.asarray(still, float) - 0.2, "uniform", (-0.5, 1)).pvalue > 1e-6, (
        "with every y at 0.2 the error is not uniform: it still depends on y"
    )
    assert from_k < 1e-9, "the decoder has k and u, nothing else; y_hat must follow from these two"


@exercise("3.4")
def ex_3_4(normal_bits):
    mean, sigma = torch.tensor([0.3, 0.0, -2.0, 0.1]), torch.tensor([0.1, 1.0, 4.0, 0.5])
    for y in (0.0, 1.0, -3.0, 0.37):
        below, above = ((y + half - mean.double()) / sigma.double() for half in (-0.5, 0.5))
        p = np.abs(stats.norm.sf(below) - stats.norm.sf(above))
        p = np.where(p > 1e-4, p, np.nan)  # tails come next
        expected = -np.log2(p)
        found = normal_bits(torch.full((4,), y), mean, sigma)
        assert tuple(found.shape) == (4,), f"y has shape (4,), the bits have {tuple(found.shape)}"
        found = found.detach().numpy()
        assert not np.allclose(np.nan_to_num(found / np.log2(np.e)), np.nan_to_num(expected), 1e-3), (
            "the logarithm has the wrong base: bits, please"
        )
        assert np.allclose(found[~np.isnan(expected)], expected[~np.isnan(expected)], atol=0.02), (
            f"for y = {y}, mean {mean.tolist()}, sigma {sigma.tolist()}: expected {expected.round(2)}, "
            f"found {found.round(2)}"
        )
    zero, one = torch.zeros(()), torch.ones(())
    for y in (-5.6, 5.2, 5.6):
        exact = -np.log2(stats.norm.sf(abs(y) - 0.5) - stats.norm.sf(abs(y) + 0.5))
        found = float(normal_bits(torch.tensor(y), zero, one))
        assert abs(found - exact) < 0.03, (
            f"at y = {y} it should be {exact:.2f} bits, not {found:.2f}: in single precision a small difference of "
            "two numbers near 1 is lost"
        )
    far = torch.tensor([300.0, -300.0], requires_grad=True)
    bits = normal_bits(far, zero, one)
    assert torch.isfinite(bits).all(), f"at y = ±300 the bits are {bits.tolist()}; a training would not survive that"
    (slope,) = torch.autograd.grad(bits.sum(), far)
    assert torch.isfinite(slope).all(), f"at y = ±300 the gradient is {slope.tolist()}"
