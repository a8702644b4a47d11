"""Answers to the exercises of chapter 09 that their checks must refuse."""

import numpy as np
from scipy.interpolate import PchipInterpolator


def wrong_9_1(mse):
    """The other way round."""
    return 10 * np.log10(255**2 / np.mean(mse)), np.mean(10 * np.log10(255**2 / mse))


def wrong_9_1_same_twice(mse):
    return 10 * np.log10(255**2 / np.mean(mse)), 10 * np.log10(255**2 / np.mean(mse))


def wrong_9_1_one_number(mse):
    return np.mean(10 * np.log10(255**2 / mse))


def wrong_9_1_median(mse):
    return np.mean(10 * np.log10(255**2 / mse)), 10 * np.log10(255**2 / np.median(mse) ** 1.1)


def wrong_9_2(rate_ref, psnr_ref, rate, psnr):
    """Over the rate, not its logarithm."""
    reference, other = PchipInterpolator(rate_ref, psnr_ref), PchipInterpolator(rate, psnr)
    low, high = max(rate_ref[0], rate[0]), min(rate_ref[-1], rate[-1])
    return (other.integrate(low, high) - reference.integrate(low, high)) / (high - low)


def wrong_9_2_sign(rate_ref, psnr_ref, rate, psnr):
    reference, other = PchipInterpolator(np.log(rate_ref), psnr_ref), PchipInterpolator(np.log(rate), psnr)
    low, high = max(reference.x[0], other.x[0]), min(reference.x[-1], other.x[-1])
    return (reference.integrate(low, high) - other.integrate(low, high)) / (high - low)


def wrong_9_2_not_divided(rate_ref, psnr_ref, rate, psnr):
    reference, other = PchipInterpolator(np.log(rate_ref), psnr_ref), PchipInterpolator(np.log(rate), psnr)
    low, high = max(reference.x[0], other.x[0]), min(reference.x[-1], other.x[-1])
    return other.integrate(low, high) - reference.integrate(low, high)


def wrong_9_2_beyond_the_overlap(rate_ref, psnr_ref, rate, psnr):
    reference, other = PchipInterpolator(np.log(rate_ref), psnr_ref), PchipInterpolator(np.log(rate), psnr)
    low, high = min(reference.x[0], other.x[0]), max(reference.x[-1], other.x[-1])
    return (other.integrate(low, high) - reference.integrate(low, high)) / (high - low)


def wrong_9_2_point_by_point(rate_ref, psnr_ref, rate, psnr):
    return np.mean(psnr) - np.mean(psnr_ref)


def wrong_9_3(points):
    """Better in both only."""
    return [i for i, point in enumerate(points) if not any((other < point).all() for other in points)]


def wrong_9_3_equal_beats(points):
    return [
        i
        for i, point in enumerate(points)
        if not any((other <= point).all() for j, other in enumerate(points) if j != i)
    ]


def wrong_9_3_by_time(points):
    order = np.argsort(points[:, 0], kind="stable")
    best, kept = np.inf, []
    for i in order:
        if points[i, 1] < best:
            best = points[i, 1]
            kept.append(int(i))
    return kept


def wrong_9_3_better_in_one(points):
    return [
        i for i, point in enumerate(points) if all((point < other).any() for j, other in enumerate(points) if j != i)
    ]
