"""Answers to the exercises of chapter 07 that their checks must refuse."""

import numpy as np


def wrong_7_1(size, n_bytes, low=0.001, high=0.06):
    """Too coarse a grid."""
    return max(lam for lam in np.linspace(low, high, 20) if size(lam) <= n_bytes)


def wrong_7_1_does_not_fit(size, n_bytes, low=0.001, high=0.06):
    if size(high) <= n_bytes:
        return high
    while high / low > 1.005:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if size(middle) <= n_bytes else (low, middle)
    return high


def wrong_7_1_never_the_end(size, n_bytes, low=0.001, high=0.06):
    for _ in range(6):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if size(middle) <= n_bytes else (low, middle)
    return low


def wrong_7_1_codes_too_often(size, n_bytes, low=0.001, high=0.06):
    return max(lam for lam in np.geomspace(low, high, 5000) if size(lam) <= n_bytes)


def wrong_7_2(curve, bpp, psnr):
    """Linear in the rate."""
    rates, qualities = np.array(curve).T
    return 100 * (1 - bpp / np.interp(psnr, qualities, rates))


def wrong_7_2_sign(curve, bpp, psnr):
    rates, qualities = np.array(curve).T
    return 100 * (bpp / np.exp(np.interp(psnr, qualities, np.log(rates))) - 1)


def wrong_7_2_percent_of_ours(curve, bpp, psnr):
    rates, qualities = np.array(curve).T
    return 100 * (np.exp(np.interp(psnr, qualities, np.log(rates))) / bpp - 1)


def wrong_7_3(points, i):
    """Ends swapped."""
    rate, distortion = points[i]
    bounds = {True: [0.0], False: [np.inf]}
    for other_rate, other_distortion in np.delete(points, i, axis=0):
        bounds[other_distortion > distortion].append((other_rate - rate) / (distortion - other_distortion))
    return min(bounds[False]), max(bounds[True])


def wrong_7_3_neighbours_only(points, i):
    def slope(a, b):
        return (b[0] - a[0]) / (a[1] - b[1])

    low = slope(points[i - 1], points[i]) if i > 0 else 0.0
    high = slope(points[i], points[i + 1]) if i + 1 < len(points) else np.inf
    return low, high


def wrong_7_3_loosest_bounds(points, i):
    rate, distortion = points[i]
    low, high = [], []
    for other_rate, other_distortion in np.delete(points, i, axis=0):
        bound = (other_rate - rate) / (distortion - other_distortion)
        (low if other_distortion > distortion else high).append(bound)
    return min(low, default=0.0), max(high, default=np.inf)
