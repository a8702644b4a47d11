"""Wrong answers to the exercises of chapter 07, by the mistake in them, which the checks must refuse."""

from itertools import product

import numpy as np
from scipy.interpolate import PchipInterpolator


def _bisection(size, n_bytes, low, high, halvings):
    for _ in range(halvings):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if size(middle) <= n_bytes else (low, middle)
    return low, high


def less_than(size, n_bytes, low=0.001, high=0.06):
    if size(high) < n_bytes:
        return high
    for _ in range(20):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if size(middle) < n_bytes else (low, middle)
    return low


def ignores_the_range(size, n_bytes, low=0.001, high=0.06):
    return 0.06 if size(0.06) <= n_bytes else _bisection(size, n_bytes, 0.001, 0.06, 15)[0]


def ignores_low(size, n_bytes, low=0.001, high=0.06):
    return high if size(high) <= n_bytes else _bisection(size, n_bytes, 0.001, high, 15)[0]


def ignores_high(size, n_bytes, low=0.001, high=0.06):
    return _bisection(size, n_bytes, low, 0.06, 15)[0]


def too_coarse_a_grid(size, n_bytes, low=0.001, high=0.06):
    return max(lam for lam in np.linspace(low, high, 20) if size(lam) <= n_bytes)


def too_many_files(size, n_bytes, low=0.001, high=0.06):
    return max(lam for lam in np.geomspace(low, high, 5000) if size(lam) <= n_bytes)


def does_not_fit(size, n_bytes, low=0.001, high=0.06):
    return _bisection(size, n_bytes, low, high, 12)[1]


def too_few_halvings(size, n_bytes, low=0.001, high=0.06):
    return _bisection(size, n_bytes, low, high, 6)[0]


# ---- 7.2


def _linear(curve, psnr):
    rates, qualities = np.array(sorted(curve)).T
    return np.interp(psnr, qualities, rates, left=np.nan, right=np.nan)


def _logarithmic(curve, psnr):
    return np.exp(_linear([(np.log(rate), quality) for rate, quality in curve], psnr))


def _points(curve):
    rates, qualities = np.array(sorted(curve)).T
    return np.log(rates), qualities


def straight_line(curve, bpp, psnr):
    logs, qualities = _points(curve)
    return 100 * (1 - bpp / np.exp(np.polyval(np.polyfit(qualities, logs, 1), psnr)))


def end_points_only(curve, bpp, psnr):
    logs, qualities = _points(curve)
    return 100 * (1 - bpp / np.exp(np.interp(psnr, qualities[[0, -1]], logs[[0, -1]])))


def pchip(curve, bpp, psnr):
    logs, qualities = _points(curve)
    return 100 * (1 - bpp / np.exp(PchipInterpolator(qualities, logs)(psnr)))


def hard_coded(curve, bpp, psnr):
    return 100 * (1 - bpp / 2 ** ((psnr - 36) / 4))


def not_sorted(curve, bpp, psnr):
    rates, qualities = np.array(curve).T
    jpeg = np.exp(np.interp(psnr, qualities, np.log(rates), left=np.nan, right=np.nan))
    return 100 * (1 - bpp / jpeg)


def repeats_the_ends(curve, bpp, psnr):
    logs, qualities = _points(curve)
    return 100 * (1 - bpp / np.exp(np.interp(psnr, qualities, logs)))


# ---- 7.3


def _picked(curves, lam):
    return [int((curve[:, 0] + lam * curve[:, 1]).argmin()) for curve in curves]


def _bits(sizes, curves, picked):
    return sum(size * curve[i, 0] for size, curve, i in zip(sizes, curves, picked, strict=True))


def _search(fits, picked):
    low, high = 1e-6, 1e3
    for _ in range(60):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if fits(picked(middle)) else (low, middle)
    return picked(low), picked(high)


def equal_shares(sizes, curves, budget):
    fits = [size * curve[:, 0] <= budget / len(sizes) for size, curve in zip(sizes, curves, strict=True)]
    return [int(max(np.flatnonzero(each), default=0)) for each in fits]


def shares_by_size(sizes, curves, budget):
    return [int(max(np.flatnonzero(curve[:, 0] <= budget / sum(sizes)), default=0)) for curve in curves]


def same_number(sizes, curves, budget):
    best = [0] * len(sizes)
    for i in range(min(map(len, curves))):
        if _bits(sizes, curves, [i] * len(sizes)) <= budget:
            best = [i] * len(sizes)
    return best


def sizes_ignored(sizes, curves, budget):
    def fits(picked):
        return sum(curve[i, 0] for curve, i in zip(curves, picked, strict=True)) * sum(sizes) <= budget * len(sizes)

    return _search(fits, lambda lam: _picked(curves, lam))[0]


def rates_as_bits(sizes, curves, budget):
    return _search(
        lambda picked: sum(c[i, 0] for c, i in zip(curves, picked, strict=True)) <= budget,
        lambda lam: _picked(curves, lam),
    )[0]


def bits_against_mean_error(sizes, curves, budget):
    def picked(lam):
        return [int((n * c[:, 0] + lam * 1000 * c[:, 1]).argmin()) for n, c in zip(sizes, curves, strict=True)]

    return _search(lambda points: _bits(sizes, curves, points) <= budget, picked)[0]


def just_too_large(sizes, curves, budget):
    return _search(lambda points: _bits(sizes, curves, points) <= budget, lambda lam: _picked(curves, lam))[1]


def least_error_of_all(sizes, curves, budget):
    def error(points):
        return sum(size * curve[i, 1] for size, curve, i in zip(sizes, curves, points, strict=True))

    every = product(*(range(len(curve)) for curve in curves))
    return list(min((points for points in every if _bits(sizes, curves, points) <= budget), key=error))


def fill_up(sizes, curves, budget):
    points = [0] * len(sizes)
    for _ in range(20):
        for photo, curve in enumerate(curves):
            more = [*points]
            more[photo] = min(points[photo] + 1, len(curve) - 1)
            points = more if _bits(sizes, curves, more) <= budget else points
    return points


def grid_of_lam(sizes, curves, budget):
    points = _picked(curves, 1e-6)
    for lam in np.geomspace(0.001, 0.06, 13):
        if _bits(sizes, curves, _picked(curves, lam)) <= budget:
            points = _picked(curves, lam)
    return points


def one_price_the_other_way_up(sizes, curves, budget):
    return _search(
        lambda points: _bits(sizes, curves, points) <= budget,
        lambda price: [int((curve[:, 1] + price * curve[:, 0]).argmin()) for curve in curves],
    )[0]


WRONG = {
    "7.1": {
        "too coarse a grid": too_coarse_a_grid,
        "a file that does not fit": does_not_fit,
        "never reaches the end of the range": too_few_halvings,
        "codes too many files": too_many_files,
        "less in place of at most": less_than,
        "ignores low and high": ignores_the_range,
        "ignores low": ignores_low,
        "ignores high": ignores_high,
    },
    "7.2": {
        "linear in the rate": lambda curve, bpp, psnr: 100 * (1 - bpp / _linear(curve, psnr)),
        "the sign": lambda curve, bpp, psnr: 100 * (bpp / _logarithmic(curve, psnr) - 1),
        "percent of our rate": lambda curve, bpp, psnr: 100 * (_logarithmic(curve, psnr) / bpp - 1),
        "a straight line through all points": straight_line,
        "only the end points": end_points_only,
        "PCHIP": pchip,
        "one curve by heart": hard_coded,
        "points as they come": not_sorted,
        "the ends repeated": repeats_the_ends,
    },
    "7.3": {
        "equal shares": equal_shares,
        "shares by size": shares_by_size,
        "the same number in each photo": same_number,
        "sizes ignored": sizes_ignored,
        "bits per pixel taken for bits": rates_as_bits,
        "bits weighed against the mean error": bits_against_mean_error,
        "just too large": just_too_large,
        "the least error of all choices": least_error_of_all,
        "filled up": fill_up,
        "13 λ only": grid_of_lam,
        "the price the other way up": one_price_the_other_way_up,
    },
}
