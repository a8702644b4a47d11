"""Checks of the exercises of chapter 04."""

import math

import numpy as np
import torch

from . import exercise

UNIT = 255**2 * math.log(2)


@exercise("4.1")
def ex_4_1(lam_of_beta):
    lam = float(lam_of_beta(1))
    right = 1.5 / UNIT
    assert lam > 0, "λ is positive"
    mistakes = {
        1.5 / 255**2: "nats and bits: a factor log 2 is missing",
        1.5 / 255**2 * math.log(2): "nats and bits: divide by log 2, since a nat is more than a bit",
        0.5 / UNIT: "a pixel has three samples: D is a mean over 3 N of them",
        1.5 / math.log(2): "squares on the scale 0 to 255 are larger by 255²",
        0.5: "that is λ′; line 7 turns it into λ",
        3 / UNIT: "the factor 0.5 is 1 / (2 σ²): what is σ, then, and what λ′?",
    }
    for value, said in mistakes.items():
        assert not math.isclose(lam, value, rel_tol=1e-3), said
    near = math.isclose(lam, right, rel_tol=0.05)
    assert not near or math.isclose(lam, right, rel_tol=1e-3), (
        f"nearly: for β = 1 you have {lam:.4g} and should have {right:.4g}; log 2 needs more digits"
    )
    assert near, f"for β = 1 you have {lam:.3g}; write both losses in nats, with σ = 1, and compare"
    for beta in (4, 0.1):
        found = lam_of_beta(beta)
        assert not math.isclose(found, beta * lam, rel_tol=1e-3), "β multiplies the rate: a larger β is a smaller λ"
        assert not math.isclose(found, lam, rel_tol=1e-3), "for another β, λ is another one"
        assert math.isclose(found, lam / beta, rel_tol=1e-3), (
            f"right for β = 1; for β = {beta} λ should be {lam / beta:.3g}, not {found:.3g}"
        )


@exercise("4.2")
def ex_4_2(laplace_losses):
    generator = torch.Generator().manual_seed(0)
    differences = []
    for size, bits, lam in ((8, 100.0, 0.3), (8, 5000.0, 0.3), (16, 700.0, 0.05)):
        x = torch.rand((2, 3, size, size), generator=generator).double()
        x_hat = torch.rand((2, 3, size, size), generator=generator).double()
        found = laplace_losses(x, x_hat, bits, lam)
        assert isinstance(found, tuple | list) and len(found) == 2, "return two numbers, the two losses"
        rd, elbo = map(float, found)
        mae = 255 * (x - x_hat).abs().mean().item()
        pixels = 2 * size**2
        expected = bits / pixels + lam * mae
        assert math.isclose(rd, expected, rel_tol=1e-5), (
            f"R + λ d should be {expected:.4f} for {bits:.0f} bits, {pixels} pixels and an error of {mae:.1f}, "
            f"not {rd:.4f}"
        )
        differences.append(elbo - rd)
    first, second, _ = differences
    assert abs(first - second) < 1e-4, (
        "the two losses should differ by a constant, whatever x_hat and the bits are: is −ELBO in bits per pixel, and "
        "which b makes the factor of the mean absolute error λ?"
    )
    constant = 3 * math.log2(6 / (255 * 0.3 * math.log(2)))
    assert not math.isclose(first, constant / 3, rel_tol=1e-3), "the constant is that of one sample; a pixel has three"
    assert not math.isclose(first, constant * math.log(2), rel_tol=1e-3), "the constant is in nats; −ELBO is in bits"
    assert not math.isclose(first, -constant, rel_tol=1e-3), "the sign of the constant: −log p has + log 2b"
    assert not math.isclose(first, constant - 3, rel_tol=1e-3), "log 2b, not log b"
    assert abs(first) > 1e-6, "−ELBO has a constant, log 2b for each sample"
    assert math.isclose(first, constant, rel_tol=1e-3), (
        f"for λ = 0.3 the constant should be {constant:.4f} bpp, not {first:.4f}. Which b belongs to λ, for samples "
        "from 0 to 1?"
    )
    third = 3 * math.log2(6 / (255 * 0.05 * math.log(2)))
    assert math.isclose(differences[2], third, rel_tol=1e-3), (
        "it works for one λ and one size of image, not for another"
    )


@exercise("4.3")
def ex_4_3(rate_of_box):
    for y, width in ((0.0, 1.0), (1.5, 1.0), (0.0, 0.25), (-2.0, 3.0)):
        v = y + width * ((np.arange(200_000) + 0.5) / 200_000 - 0.5)
        expected = np.mean(-np.log2(width) + (v**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2))
        found = float(rate_of_box(y, width))
        without = expected + np.log2(width)
        assert not math.isclose(found, expected * math.log(2), rel_tol=1e-4), "that is the KL in nats"
        mean_only = -np.log2(width) + (y**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2)
        assert not math.isclose(found, mean_only, rel_tol=1e-4), "the mean of v² over the box is more than y²"
        assert width == 1 or not math.isclose(found, without, rel_tol=1e-4), "log q is not 0 where the width is not 1"
        assert width == 1 or not math.isclose(found, without + np.log2(width), rel_tol=1e-4), (
            "the sign of log q: a wider box is a lower density, and costs fewer bits"
        )
        assert math.isclose(found, expected, rel_tol=1e-4), (
            f"for y = {y}, width = {width} the average of log2 q − log2 p over the box is {expected:.4f}, "
            f"not {found:.4f}"
        )
    assert np.shape(rate_of_box(np.zeros(3), 1.0)) == (3,), "it should take arrays too"


def _square(x, x_hat):
    return 8 * (x - x_hat) ** 2


def _relative(x, x_hat):
    return 8 * (x - x_hat) ** 2 / (0.1 + abs(x_hat)) ** 2


@exercise("4.4")
def ex_4_4(z_ratio):
    x_hats, near, wide = np.linspace(-1, 0.5, 16), np.linspace(-4, 4, 801), np.linspace(-10, 10, 2001)
    found = float(z_ratio(_square, x_hats, near))
    assert math.isfinite(found), "the result is no number"
    assert abs(found) > 1e-6, "for squared error each Z is the same, and the ratio of equal numbers is 1, not 0"
    over_x_hats = np.exp(-_square(near[:, None], x_hats)).sum(1)
    assert not math.isclose(found, over_x_hats.max() / over_x_hats.min(), rel_tol=1e-2), (
        "Z(x_hat) is a sum over x, the values; not over x_hat"
    )
    assert math.isclose(found, 1, rel_tol=1e-2), (
        f"for squared error, far from any border, each Z is the same: the ratio is 1, not {found:.3g}; is your Z a sum "
        "of e^(-d)?"
    )
    z = np.exp(-_relative(wide[:, None], x_hats)).sum(0)
    swapped = np.exp(-_relative(x_hats, wide[:, None])).sum(0)
    right = z.max() / z.min()
    found = float(z_ratio(_relative, x_hats, wide))
    mistakes = {
        1.0: "Z is not always the same: relative error forgives more where x_hat is far from 0",
        1 / right: "the largest over the smallest is at least 1",
        np.log(z).max() / np.log(z).min(): "that is a ratio of log Z",
        z[-1] / z[0]: "all x_hats count, not only the first and the last",
        z[0] / z[-1]: "all x_hats count, not only the first and the last",
        swapped.max() / swapped.min(): "d takes the photo first: d(x, x_hat)",
    }
    for value, said in mistakes.items():
        assert not math.isclose(found, value, rel_tol=1e-2), said
    assert math.isclose(found, right, rel_tol=1e-2), (
        f"for 8 (x − x_hat)² / (0.1 + |x_hat|)² the ratio is {right:.1f}, not {found:.3g}"
    )
    found = float(z_ratio(lambda x, x_hat: 200 * (x - x_hat) ** 2, np.linspace(0, 1, 11), np.linspace(0, 1, 1001)))
    assert math.isclose(found, 2, rel_tol=2e-2), (
        f"for x from 0 to 1 and 200 (x − x_hat)² the ratio is 2, not {found:.3g}: x takes the given values and no other"
    )
