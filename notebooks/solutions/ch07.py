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

    np.interp wants rising qualities, so sort by them. Beyond the ends it repeats the end, unless it is told nan. In the
    logarithm because R-D curves are nearly straight there: about 6 dB more for a bit more on every coefficient.
    """
    rates, qualities = np.array(sorted(curve, key=lambda point: point[1])).T
    jpeg = np.exp(np.interp(psnr, qualities, np.log(rates), left=np.nan, right=np.nan))
    return 100 * (1 - bpp / jpeg)


# Exercise 7.3
def album(sizes, curves, budget):
    """Bisection as in 7.1, on the bits of the whole album: N R for each photo, summed.

    What a photo picks at a given λ does not depend on its size: N R + λ N D and R + λ D are smallest at the same point.
    """

    def picked(lam):
        return [int(np.argmin(curve[:, 0] + lam * curve[:, 1])) for curve in curves]

    def bits(points):
        return sum(size * curve[i, 0] for size, curve, i in zip(sizes, curves, points, strict=True))

    low, high = 1e-6, 1e3
    if bits(picked(high)) <= budget:
        return picked(high)
    for _ in range(60):
        middle = (low * high) ** 0.5
        if bits(picked(middle)) <= budget:
            low = middle
        else:
            high = middle
    return picked(low)
