"""Solutions of the exercises of chapter 04."""

import math


# Exercise 4.1
def lam_of_beta(beta):
    """The factor 0.5 is 1 / (2 σ²) with σ = 1, so λ′ = 1 / (2 β), and λ = 3 λ′ / (255² log 2).

    β = 1 gives λ = 3.3e-5: a decoder that believes in noise of 255 grey levels. The smallest λ of this course is 30
    times as large.
    """
    return 3 / (2 * beta * 255**2 * math.log(2))


# Exercise 4.2
def laplace_losses(x, x_hat, bits, lam):
    """−log p = |x − x_hat| / b + log 2b, summed over 3 N samples.

    In bits per pixel the first part is 3 D1 / (255 b log 2), which is λ D1 if b = 3 / (255 λ log 2); the second is
    3 log2(2b).
    """
    bpp = bits / (x.numel() / 3)
    mean_absolute_error = 255 * (x - x_hat).abs().mean()
    b = 3 / (255 * lam * math.log(2))
    rd = bpp + lam * mean_absolute_error
    return rd, rd + 3 * math.log2(2 * b)


# Exercise 4.3
def rate_of_box(y, width):
    """E log2 q = −log2 w, and the mean of v² over the box is y² + w²/12.

    Where the prior is wide, only −log2 w changes with w: one bit less for twice the width, chapter 02's 6 dB per bit.
    """
    mean_square = y**2 + width**2 / 12
    return -math.log2(width) + (mean_square / 2 + math.log(2 * math.pi) / 2) / math.log(2)
