"""Wrong answers to the exercises of chapter 07, by the mistake in them, which the checks must refuse."""

import numpy as np


def _bisection(size, n_bytes, halvings):
    low, high = 0.001, 0.06
    for _ in range(halvings):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if size(middle) <= n_bytes else (low, middle)
    return low, high


def _on_a_grid(size, n_bytes, grid):
    return max(lam for lam in grid if size(lam) <= n_bytes)


def _linear(curve, psnr):
    rates, qualities = np.array(curve).T
    return np.interp(psnr, qualities, rates)


def _logarithmic(curve, psnr):
    return np.exp(_linear([(np.log(rate), quality) for rate, quality in curve], psnr))


def _swapped(points, i):
    rate, distortion = points[i]
    bounds = {True: [0.0], False: [np.inf]}
    for other_rate, other_distortion in np.delete(points, i, axis=0):
        bounds[other_distortion > distortion].append((other_rate - rate) / (distortion - other_distortion))
    return min(bounds[False]), max(bounds[True])


def _neighbours_only(points, i):
    def slope(a, b):
        return (b[0] - a[0]) / (a[1] - b[1])

    low = slope(points[i - 1], points[i]) if i > 0 else 0.0
    high = slope(points[i], points[i + 1]) if i + 1 < len(points) else np.inf
    return low, high


def _loosest_bounds(points, i):
    rate, distortion = points[i]
    low, high = [], []
    for other_rate, other_distortion in np.delete(points, i, axis=0):
        bound = (other_rate - rate) / (distortion - other_distortion)
        (low if other_distortion > distortion else high).append(bound)
    return min(low, default=0.0), max(high, default=np.inf)


WRONG = {
    "7.1": {
        "too coarse a grid": lambda *given: _on_a_grid(*given, np.linspace(0.001, 0.06, 20)),
        "a file that does not fit": lambda *given: _bisection(*given, 12)[1],
        "never reaches the end of the range": lambda *given: _bisection(*given, 6)[0],
        "codes too many files": lambda *given: _on_a_grid(*given, np.geomspace(0.001, 0.06, 5000)),
    },
    "7.2": {
        "linear in the rate": lambda curve, bpp, psnr: 100 * (1 - bpp / _linear(curve, psnr)),
        "the sign": lambda curve, bpp, psnr: 100 * (bpp / _logarithmic(curve, psnr) - 1),
        "percent of our rate": lambda curve, bpp, psnr: 100 * (_logarithmic(curve, psnr) / bpp - 1),
    },
    "7.3": {
        "ends swapped": _swapped,
        "neighbours only": _neighbours_only,
        "the loosest bounds": _loosest_bounds,
    },
}
