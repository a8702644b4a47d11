"""Solutions of the exercises of chapter 07."""

import numpy as np


# Exercise 7.1
def lam_for_bytes(size, n_bytes, low=0.001, high=0.06):
    """Bisection in log λ: `low` always fits, `high` never does, and each call halves the interval between them.

    The range spans log(60) = 4.1; ten halvings bring it to 0.4 %.
    """
    if size(high) <= n_bytes:
        return high
    while high / low > 1.005:
        middle = (low * high) ** 0.5
        if size(middle) <= n_bytes:
            low = middle
        else:
            high = middle
    return low


# Exercise 7.2
def saving(curve, bpp, psnr):
    """Read JPEG's log rate at our PSNR off its curve; the saving is what is missing from it in our rate.

    In the logarithm because R-D curves are nearly straight there: about 6 dB more for a bit more on every coefficient.
    """
    rates, qualities = np.array(curve).T
    jpeg = np.exp(np.interp(psnr, qualities, np.log(rates)))
    return 100 * (1 - bpp / jpeg)


# Exercise 7.3
def lam_range(points, i):
    """R_i + λ D_i <= R_j + λ D_j, or λ (D_i - D_j) <= R_j - R_i, for all j: one bound on λ from each other point.

    Against points of larger D it bounds λ from below, against those of smaller D from above.
    """
    rate, distortion = points[i]
    low, high = 0.0, np.inf
    for other_rate, other_distortion in np.delete(points, i, axis=0):
        bound = (other_rate - rate) / (distortion - other_distortion)
        if other_distortion > distortion:
            low = max(low, bound)
        else:
            high = min(high, bound)
    return low, high
