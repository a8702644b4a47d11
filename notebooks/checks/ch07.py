"""Checks of the exercises of chapter 07."""

import math
from itertools import combinations

import numpy as np

from . import exercise


@exercise("7.1")
def ex_7_1(lam_for_bytes):
    calls = []

    def find(size, n_bytes, *ends):
        """The reader's λ, which fits; the λ that were tried are then in `calls`. ends: low and high, if given."""
        calls.clear()

        def counted(lam):
            calls.append(lam)
            return size(lam)

        lam, (low, high) = lam_for_bytes(counted, n_bytes, *ends), ends or (0.001, 0.06)
        for tried in [*calls, lam]:
            inside = low * 0.999 <= tried <= high * 1.001
            assert inside, f"between low = {low} and high = {high} λ is to be found, and you try {tried:.4g}"
        took = size(lam)
        assert took <= n_bytes, f"for {n_bytes} bytes you return a λ whose file has {took}: it must fit"
        return lam

    def smooth(lam):
        return round(1e6 * lam)

    def stairs(lam):
        return 1000 * math.floor(1000 * lam + 1e-9)  # 1000 bytes from 0.001 on, 2000 from 0.002 on, ...

    for budget in 20_000, 1_050, 59_000:
        lam, best = find(smooth, budget), budget / 1e6
        assert lam >= 0.99 * best, f"for {budget} bytes λ = {lam:.5f} fits, but so does {best:.5f}: search more finely"
        assert len(calls) <= 40, f"{len(calls)} files were coded to find one λ: 40 are plenty when each halves the rest"
    assert np.isclose(find(smooth, 10**9), 0.06), "when every file fits, the answer is the largest λ, 0.06"
    lam = find(stairs, 20_000)
    assert lam >= 0.99 * 0.021, (
        f"files from λ = 0.020 to 0.021 all have 20000 bytes, and you return {lam:.4f}: 20000 bytes fit into 20000"
    )
    for low, high in ((0.008, 0.03), (0.002, 0.008)):
        lam = find(smooth, 10_000, low, high)
        assert lam >= 0.99 * min(0.01, high), f"with low = {low} and high = {high} you stop at {lam:.4f}; more fits"


@exercise("7.2")
def ex_7_2(saving):
    jpeg = [(0.25, 28.0), (1.0, 36.0), (2.0, 40.0)]
    equal = saving(jpeg, 0.25, 28.0)
    assert np.ndim(equal) == 0, f"one number is wanted, you return {equal}"
    assert np.isclose(equal, 0), f"a codec on JPEG's own curve saves nothing, not {equal:.1f} %"
    half = saving(jpeg, 0.5, 36.0)
    assert not np.isclose(half, -50), "the sign: fewer bits than JPEG is a saving, so positive"
    assert np.isclose(half, 50), f"at 36 dB JPEG needs 1 bpp: a codec with 0.5 bpp saves 50 %, not {half:.1f} %"
    between = saving(jpeg, 0.4, 32.0)
    assert not np.isclose(between, 36), "0.625 bpp is the middle of 0.25 and 1; the middle of their logarithms is 0.5"
    assert np.isclose(between, 20), f"half-way between 28 and 36 dB JPEG needs 0.5 bpp: 20 % saved, not {between:.1f} %"
    worse = saving(jpeg, 3.0, 40.0)
    assert np.isclose(worse, -50), f"3 bpp where JPEG needs 2 is a saving of -50 % of JPEG's bits, not {worse:.1f} %"
    bent = [(0.1, 24.0), (0.4, 32.0), (0.8, 34.0), (3.2, 42.0)]  # in the logarithm: two slopes
    for psnr, rate in ((32.0, 0.4), (33.0, 0.8 / 2**0.5), (26.0, 0.1 * 2**0.5)):
        found, said = saving(bent, 0.2, psnr), f"on the points {bent} JPEG needs {rate:.3f} bpp for {psnr:.0f} dB"
        right = 100 * (1 - 0.2 / rate)
        assert np.isclose(found, right), f"{said}: {right:.1f} % saved, not {found:.1f} %; go from point to point"
    mixed = [bent[i] for i in (2, 0, 3, 1)]
    found = saving(mixed, 0.2, 33.0)
    assert np.isclose(found, 100 * (1 - 0.2 / (0.8 / 2**0.5))), (
        f"the points may come in any order: with those of {bent} shuffled you say {found:.1f} %"
    )
    for psnr in (23.0, 43.0):
        found = saving(bent, 0.2, psnr)
        assert np.isnan(found), (
            f"JPEG's points end at 24 and 42 dB; of {psnr:.0f} dB they say nothing, you say {found:.1f} %"
        )


@exercise("7.3")
def ex_7_3(album):
    small = np.array([(0.5, 100.0), (1.0, 50.0), (2.0, 20.0)])
    large = np.array([(0.2, 80.0), (0.5, 40.0), (1.5, 30.0), (2.0, 5.0)])  # the third one wins for no λ
    for budget in (131, 850, 301, 299, 399, 999, 251, 5000):
        _check_album(album, [100, 400], [small, large], budget)
    rng = np.random.default_rng(0)
    for n in (1, 3, 3, 4, 5):
        curves = []
        for _ in range(n):
            m = int(rng.integers(3, 7))
            rates, errors = np.cumsum(rng.uniform(0.05, 0.6, m)), np.cumsum(rng.uniform(2, 60, m))[::-1]
            curves.append(np.stack([rates, errors], 1))
        sizes = [int(size) for size in rng.integers(100, 2000, n)]
        wide = [budget for budget, width in _pieces(sizes, curves) if width > 1.1]
        for budget in wide[::2]:
            _check_album(album, sizes, curves, budget)


def _pieces(sizes, curves):
    """Budgets that each choice just fits into, and the ratio of the λ between which it is made."""
    pieces = []
    for low, high in _intervals(curves):
        choice = _chosen(curves, (low * high) ** 0.5)
        pieces.append((_bits(sizes, curves, choice) + 0.5, high / low))
    return pieces


def _intervals(curves):
    """The intervals of λ in which no photo changes its point."""
    slopes = {1e-6, 1e3}
    for curve in curves:
        for (r, d), (other_r, other_d) in combinations(curve.tolist(), 2):
            slopes.add((other_r - r) / (d - other_d))
    slopes = sorted(slopes)
    return list(zip(slopes, slopes[1:], strict=False))


def _chosen(curves, lam):
    return [int((curve @ [1, lam]).argmin()) for curve in curves]


def _bits(sizes, curves, choice):
    return sum(size * curve[i, 0] for size, curve, i in zip(sizes, curves, choice, strict=True))


def _check_album(album, sizes, curves, budget):
    choice = album(list(sizes), [curve.copy() for curve in curves], budget)
    where = f"photos of {sizes} pixels, budget {budget:.0f} bits: you pick the points {choice}"
    try:
        choice = [int(i) for i in choice]
        assert len(choice) == len(sizes)
        bits = _bits(sizes, curves, choice)
    except (TypeError, ValueError, IndexError, AssertionError):
        raise AssertionError(f"{where}; a list with the number of one point for each photo is wanted") from None
    assert bits <= budget, f"{where}, which take {bits:.0f} bits: a photo of {sizes[0]} pixels takes {sizes[0]} R"
    every = [_chosen(curves, (low * high) ** 0.5) for low, high in _intervals(curves)]
    for number, (i, curve) in enumerate(zip(choice, curves, strict=True)):
        picked = any(choice_at[number] == i for choice_at in every)
        assert picked, f"{where}; no λ picks point {i} of photo {number}, whose points are {curve.round(2).tolist()}"
    assert choice in every, f"{where}; each of them is picked at some λ, but not all at the same λ"
    best = [each for each in every if _bits(sizes, curves, each) <= budget][-1]
    assert choice == best, (
        f"{where}; a larger λ picks {best}, which takes {_bits(sizes, curves, best):.0f} bits and fits"
    )
