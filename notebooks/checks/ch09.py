"""Checks of the exercises of chapter 09."""

import numpy as np
from scipy.interpolate import PchipInterpolator

from . import exercise


@exercise("9.1")
def ex_9_1(two_means):
    def call(mse):
        result = two_means(np.array(mse, float))
        assert np.shape(result) == (2,), "return two numbers: the mean of the PSNRs, the PSNR of the mean error"
        return result

    peak = 10 * np.log10(255**2)
    assert np.allclose(call([1.0, 1.0]), peak), f"for errors of 1 both are 10 log10(255^2) = {peak:.2f} dB"
    first, second = call([1.0, 100.0])
    assert not np.isclose(first, peak - 10 * np.log10(50.5)), "first the mean of the PSNRs, then the PSNR of the mean"
    assert np.isclose(first, peak - 10), (
        f"errors of 1 and 100: the PSNRs are {peak:.1f} and {peak - 20:.1f} dB; average them"
    )
    assert np.isclose(second, peak - 10 * np.log10(50.5)), (
        "the second: average the errors, to 50.5, and then take the PSNR"
    )
    rng = np.random.default_rng(0)
    for n in range(1, 30):
        first, second = call(rng.uniform(0.5, 300, n))
        assert first >= second - 1e-9, "the mean of PSNRs is never below the PSNR of the mean error"


def curve(scale=1.0, offset=0.0, n=7):
    rate = np.geomspace(0.1, 2, n) * scale
    return rate, 26 + 4.3 * np.log2(rate / scale / 0.1) + 0.3 * np.log(rate / scale) ** 2 + offset


@exercise("9.2")
def ex_9_2(bd_psnr):
    rate, psnr = curve()
    same = bd_psnr(rate, psnr, rate, psnr)
    assert np.isclose(same, 0), f"a curve is 0 dB better than itself, not {same:.2f}"
    better = bd_psnr(rate, psnr, rate, psnr + 1.5)
    assert not np.isclose(better, -1.5), "the sign: a curve that lies 1.5 dB higher is better, so +1.5"
    assert np.isclose(better, 1.5), f"a curve that lies 1.5 dB higher at every rate is at +1.5 dB, not {better:.2f}"
    # a straight line over log2(rate): half the rate is worth its slope, at every rate that both have
    line = 26 + 4 * np.log2(rate / 0.1)
    halved = bd_psnr(rate, line, rate / 2, line)
    assert np.isclose(halved, 4), (
        f"PSNR = 26 + 4 log2(R / 0.1), and the same at half the rate: 4 dB at every rate in common, not {halved:.2f}"
    )
    other_rate = np.geomspace(0.2, 3, 5)
    other = 27 + 3 * np.log(other_rate / 0.2)
    a, b = PchipInterpolator(np.log(rate), psnr), PchipInterpolator(np.log(other_rate), other)
    x = np.linspace(np.log(0.2), np.log(2), 20_001)
    expected, found = np.mean(b(x) - a(x)), bd_psnr(rate, psnr, other_rate, other)
    over_rate = np.linspace(0.2, 2, 20_001)
    linear = np.mean(b(np.log(over_rate)) - a(np.log(over_rate)))
    assert not np.isclose(found, linear, atol=1e-3), "average over the logarithm of the rate, not over the rate"
    assert np.isclose(found, expected, atol=1e-3), (
        f"rates from 0.1 to 2 and from 0.2 to 3 share 0.2 to 2: {expected:.3f} dB there, not {found:.3f}"
    )


@exercise("9.3")
def ex_9_3(frontier):
    def call(points):
        return [int(i) for i in frontier(np.array(points, float))]

    points = [(1, 9), (2, 5), (3, 6), (4, 1)]
    found = call(points)
    assert 2 not in found, "(3, 6) is beaten by (2, 5), which is faster and smaller"
    assert found == [0, 1, 3], f"of (1, 9), (2, 5), (3, 6), (4, 1) all but the third remain: [0, 1, 3], not {found}"
    found = call([(2, 5), (2, 7), (1, 8)])
    assert found == [0, 2], f"(2, 7) is as fast as (2, 5) and larger, so beaten: [0, 2], not {found}"
    found = call([(2, 5), (2, 5)])
    assert found == [0, 1], "two equal points do not beat each other: a beater is better in at least one"
    found = call([(4, 1), (1, 9), (2, 5)])
    assert found == [0, 1, 2], f"none of (4, 1), (1, 9), (2, 5) beats another: [0, 1, 2] in rising order, not {found}"
    rng = np.random.default_rng(0)
    for n in range(1, 15):
        cloud = rng.integers(0, 6, (n, 2))
        expected = [i for i, p in enumerate(cloud) if not any((o <= p).all() and (o < p).any() for o in cloud)]
        found = call(cloud)
        assert found == expected, f"of {cloud.tolist()} the points {expected} remain, not {found}"
