"""Wrong answers to the exercises of chapter 09, by the mistake in them, which the checks must refuse."""

import numpy as np
from scipy.interpolate import PchipInterpolator


def _bd_psnr(rate_ref, psnr_ref, rate, psnr, log=np.log, first=max, last=min, divided=True):
    reference, other = PchipInterpolator(log(rate_ref), psnr_ref), PchipInterpolator(log(rate), psnr)
    low, high = first(reference.x[0], other.x[0]), last(reference.x[-1], other.x[-1])
    return (other.integrate(low, high) - reference.integrate(low, high)) / (high - low if divided else 1)


def _front(points, beats):
    others = [[other for j, other in enumerate(points) if j != i] for i in range(len(points))]
    return [i for i, point in enumerate(points) if not any(beats(other, point) for other in others[i])]


def _by_time(points):
    order = np.argsort(points[:, 0], kind="stable")
    best, kept = np.inf, []
    for i in order:
        if points[i, 1] < best:
            best = points[i, 1]
            kept.append(int(i))
    return kept


WRONG = {
    "9.1": {
        "the other way round": lambda mse: (10 * np.log10(255**2 / np.mean(mse)), np.mean(10 * np.log10(255**2 / mse))),
        "the same twice": lambda mse: (10 * np.log10(255**2 / np.mean(mse)), 10 * np.log10(255**2 / np.mean(mse))),
        "one number": lambda mse: np.mean(10 * np.log10(255**2 / mse)),
        "the median": lambda mse: (np.mean(10 * np.log10(255**2 / mse)), 10 * np.log10(255**2 / np.median(mse) ** 1.1)),
    },
    "9.2": {
        "over the rate, not its logarithm": lambda *curves: _bd_psnr(*curves, log=np.asarray),
        "the sign": lambda *curves: -_bd_psnr(*curves),
        "an area, not a mean": lambda *curves: _bd_psnr(*curves, divided=False),
        "beyond the overlap": lambda *curves: _bd_psnr(*curves, first=min, last=max),
        "point by point": lambda rate_ref, psnr_ref, rate, psnr: np.mean(psnr) - np.mean(psnr_ref),
    },
    "9.3": {
        "better in both only": lambda points: _front(points, lambda other, point: (other < point).all()),
        "an equal beats it": lambda points: _front(points, lambda other, point: (other <= point).all()),
        "only the fastest of equals": _by_time,
        "better in one is enough": lambda points: _front(points, lambda other, point: not (point < other).any()),
    },
}
