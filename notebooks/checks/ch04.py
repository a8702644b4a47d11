"""Checks of the exercises of chapter 04."""

import math

import numpy as np
import torch

from . import exercise

UNIT = 255**2 * math.log(2)


@exercise("4.1")
def ex_4_1(lam_of_beta):
    lam = float(lam_of_beta(1))
    assert lam > 0, "λ is positive"
    assert not math.isclose(lam, 1.5 / 255**2, rel_tol=1e-3), "nats and bits: a factor log 2 is missing"
    assert not math.isclose(lam, 0.5 / UNIT, rel_tol=1e-3), "a pixel has three samples: D is a mean over 3 N of them"
    assert not math.isclose(lam, 0.5, rel_tol=1e-3), "that is λ′; line 7 turns it into λ"
    assert math.isclose(lam, 1.5 / UNIT, rel_tol=1e-6), f"for β = 1 you have {lam:.3g}; compare both losses with σ = 1"
    assert math.isclose(lam_of_beta(4), lam / 4, rel_tol=1e-6), "β multiplies the rate: a larger β is a smaller λ"


@exercise("4.2")
def ex_4_2(laplace_losses):
    generator = torch.Generator().manual_seed(0)
    differences = []
    for size, bits, lam in ((8, 100.0, 0.3), (8, 5000.0, 0.3), (16, 700.0, 0.05)):
        x = torch.rand((2, 3, size, size), generator=generator).double()
        x_hat = torch.rand((2, 3, size, size), generator=generator).double()
        found = laplace_losses(x, x_hat, bits, lam)
        assert isinstance(found, tuple) and len(found) == 2, "return two numbers, the two losses"
        rd, elbo = map(float, found)
        mae = 255 * (x - x_hat).abs().mean().item()
        pixels = 2 * size**2
        expected = bits / pixels + lam * mae
        assert math.isclose(rd, expected, rel_tol=1e-6), (
            f"R + λ D1 should be {expected:.4f} for {bits:.0f} bits, {pixels} pixels and an error of {mae:.1f}, "
            f"not {rd:.4f}"
        )
        differences.append(elbo - rd)
    first, second, _ = differences
    assert abs(first - second) < 1e-6 * abs(expected), "the two losses should differ by a constant, whatever x_hat is"
    b = 3 / (255 * 0.3 * math.log(2))
    constant = 3 * math.log2(2 * b)
    assert math.isclose(first, constant, rel_tol=1e-6), (
        f"for λ = 0.3 the constant is 3 log2(2 b) = {constant:.4f} bpp with b = {b:.4f}; yours is {first:.4f}"
    )
    third = 3 * math.log2(2 * 3 / (255 * 0.05 * math.log(2)))
    assert math.isclose(differences[2], third, rel_tol=1e-6), (
        "it works for one λ and one size of image, not for another"
    )


@exercise("4.3")
def ex_4_3(rate_of_box):
    for y, width in ((0.0, 1.0), (1.5, 1.0), (0.0, 0.25), (-2.0, 3.0)):
        v = y + width * ((np.arange(200_000) + 0.5) / 200_000 - 0.5)
        expected = np.mean(-np.log2(width) + (v**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2))
        found = float(rate_of_box(y, width))
        assert not math.isclose(found, expected * math.log(2), rel_tol=1e-6), "that is the KL in nats"
        mean_only = -np.log2(width) + (y**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2)
        assert not math.isclose(found, mean_only, rel_tol=1e-6), "the mean of v² over the box is more than y²"
        assert math.isclose(found, expected, rel_tol=1e-6), (
            f"for y = {y}, width = {width} the average of log2 q − log2 p over the box is {expected:.4f}, "
            f"not {found:.4f}"
        )
    assert np.shape(rate_of_box(np.zeros(3), 1.0)) == (3,), "it should take arrays too"
