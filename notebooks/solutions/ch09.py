"""Solutions of the exercises of chapter 09."""

import numpy as np
from scipy.interpolate import PchipInterpolator


# Exercise 9.1
def two_means(mse):
    """The mean of -log D is at least -log of the mean of D: the logarithm is concave (Jensen's inequality).

    One nearly perfect picture raises the first without limit; the second hardly notices it.
    """
    return np.mean(10 * np.log10(255**2 / mse)), 10 * np.log10(255**2 / np.mean(mse))


# Exercise 9.2
def bd_psnr(rate_ref, psnr_ref, rate, psnr):
    """As `bd_rate` with the axes swapped: PSNR over log rate, integrated over the rates that both curves have."""
    reference = PchipInterpolator(np.log(rate_ref), psnr_ref)
    other = PchipInterpolator(np.log(rate), psnr)
    low = max(reference.x[0], other.x[0])
    high = min(reference.x[-1], other.x[-1])
    return (other.integrate(low, high) - reference.integrate(low, high)) / (high - low)


# Exercise 9.3
def frontier(points):
    """Every point against every other: n^2 comparisons, which is nothing for a handful of codecs."""

    def beaten(point):
        return any((other <= point).all() and (other < point).any() for other in points)

    return [i for i, point in enumerate(points) if not beaten(point)]
