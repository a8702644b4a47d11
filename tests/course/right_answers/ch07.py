"""Right answers to the exercises of chapter 07 that look different from the solutions."""

import math

import numpy as np
from scipy.interpolate import interp1d


def linear_bisection(size, n_bytes, low=0.001, high=0.06):
    if size(high) <= n_bytes:
        return high
    for _ in range(20):
        middle = (low + high) / 2
        if size(middle) <= n_bytes:
            low = middle
        else:
            high = middle
    return low


def recursion(size, n_bytes, low=0.001, high=0.06, first=True):
    if first and size(high) <= n_bytes:
        return high
    if high < 1.002 * low:
        return low
    middle = math.exp((math.log(low) + math.log(high)) / 2)
    ends = (middle, high) if size(middle) <= n_bytes else (low, middle)
    return recursion(size, n_bytes, *ends, first=False)


def in_bits(curve, bpp, psnr):
    points = np.array(curve)
    points = points[points[:, 1].argsort()]
    if not points[0, 1] <= psnr <= points[-1, 1]:
        return np.nan
    return 100 - 100 * bpp / 2 ** np.interp(psnr, points[:, 1], np.log2(points[:, 0]))


def by_hand(curve, bpp, psnr):
    curve = sorted(curve)
    for (rate, quality), (next_rate, next_quality) in zip(curve, curve[1:], strict=False):
        if quality <= psnr <= next_quality:
            part = (psnr - quality) / (next_quality - quality)
            return 100 * (1 - bpp / (rate ** (1 - part) * next_rate**part))
    return float("nan")


def with_scipy(curve, bpp, psnr):
    rates, qualities = zip(*curve, strict=True)
    return 100 * (1 - bpp / 10 ** interp1d(qualities, np.log10(rates), bounds_error=False)(psnr))


def _picked(curves, lam):
    return [int(np.argmin(curve @ np.array([1, lam]))) for curve in curves]


def all_slopes(sizes, curves, budget):
    lams = [1e-6, 1e3]
    for curve in curves:
        for i in range(len(curve)):
            for j in range(i):
                lams.append((curve[i, 0] - curve[j, 0]) / (curve[j, 1] - curve[i, 1]))
    lams = np.sort(lams)
    answer = _picked(curves, 1e-6)
    for lam in (lams[1:] + lams[:-1]) / 2:
        points = _picked(curves, lam)
        if sum(n * curve[i, 0] for n, curve, i in zip(sizes, curves, points, strict=True)) <= budget:
            answer = points
    return answer


def step_by_step(sizes, curves, budget):
    """Always the steepest step of all photos next, until one does not fit."""
    points = [0] * len(sizes)
    while True:
        steps = []
        for photo, (curve, i) in enumerate(zip(curves, points, strict=True)):
            for j in range(i + 1, len(curve)):
                steps.append(((curve[j, 0] - curve[i, 0]) / (curve[i, 1] - curve[j, 1]), photo, j))
        if not steps:
            return tuple(points)
        _, photo, j = min(steps)
        old, points[photo] = points[photo], j
        if sum(n * curve[i, 0] for n, curve, i in zip(sizes, curves, points, strict=True)) > budget:
            points[photo] = old
            return np.array(points)


def a_fine_grid(sizes, curves, budget):
    answer = None
    for lam in np.geomspace(1e-4, 10, 200):
        points = _picked(curves, lam)
        if np.dot(sizes, [curve[i, 0] for curve, i in zip(curves, points, strict=True)]) <= budget:
            answer = points
    return answer


RIGHT = {
    "7.1": {"halving λ itself": linear_bisection, "recursion": recursion},
    "7.2": {"log2": in_bits, "by hand": by_hand, "interp1d": with_scipy},
    "7.3": {"all slopes": all_slopes, "step by step": step_by_step, "a fine grid": a_fine_grid},
}
