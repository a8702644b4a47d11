"""Solutions of the exercises of chapter 04."""

import math

import numpy as np


# Exercise 4.1
def lam_of_beta(beta):
    """The factor 0.5 is 1 / (2 σ²) with σ = 1, so λ′ = 1 / (2 β), and λ = 3 λ′ / (255² log 2).

    β = 1 gives λ = 3.3e-5, where this course begins at 0.001. Its σ is 1 on the scale 0 to 1, that is 255 grey levels.
    Such a decoder takes every error for noise, and details are not worth their bits.
    """
    return 3 / (2 * beta * 255**2 * math.log(2))


# Exercise 4.2
def laplace_losses(x, x_hat, bits, lam):
    """−log p = |x − x_hat| / b + log 2b, summed over 3 N samples.

    In bits per pixel the first part is 3 d / (255 b log 2), which is λ d if b = 3 / (255 λ log 2); the second is
    3 log2(2b).

    Noise of 14.7 grey levels has b = 14.7 / 255 / √2, so λ = 0.42. It prices an absolute error, the 0.01 a squared
    one: bits per pixel for a grey level, and for a grey level squared.
    """
    bpp = bits / (x.numel() / 3)
    mean_absolute_error = 255 * (x - x_hat).abs().mean()
    b = 3 / (255 * lam * math.log(2))
    rd = bpp + lam * mean_absolute_error
    return rd, rd + 3 * math.log2(2 * b)


# Exercise 4.3
def rate_of_box(y, width):
    """E log2 q = −log2 w, and the mean of v² over the box is y² + w²/12.

    While the box is narrow, only −log2 w changes with w: one bit less for twice the width, chapter 02's 6 dB per bit.
    For y = 0 the cheapest width is √12, where the variance of the box is that of the prior; it costs 0.25 bits. That
    is section 2's best step and its gap: again a box that must pass for a bell.
    """
    mean_square = y**2 + width**2 / 12
    return -math.log2(width) + (mean_square / 2 + math.log(2 * math.pi) / 2) / math.log(2)


# Exercise 4.4
def z_ratio(d, x_hats, values):
    """A row of the table for each x, a column for each x_hat; Z is the sum of a column.

    Squared error has the ratio 1, and so has the one-sided error: both are functions of x − x_hat, symmetric or not.
    Relative error has 11: its bell is 11 times as wide at x_hat = 1 as at 0. From 0 to 1 even squared error has the
    ratio 2: at the border half of its bell lies outside. So the normal likelihood of this chapter allows photos with
    samples below 0 and above 1; of photos that keep within their range, R + λ D is not exactly the ELBO.
    """
    z = np.exp(-d(values[:, None], x_hats[None, :])).sum(0)
    return z.max() / z.min()
