"""Checks of the exercises of chapter 07."""

import numpy as np

import nctutorial
from nctutorial import data

from . import exercise


@exercise("7.1")
def ex_7_1(lam_for_bytes):
    calls = []

    def size(lam):
        calls.append(lam)
        assert 0.001 * 0.999 <= lam <= 0.06 * 1.001, f"λ = {lam:.4g} was tried; the codec takes 0.001 to 0.06"
        return round(1e6 * lam)

    def call(n_bytes, size=size):
        calls.clear()
        lam = lam_for_bytes(size, n_bytes)
        assert size(lam) <= n_bytes, f"for {n_bytes} bytes you return a λ whose file has {size(lam)}: it must fit"
        return lam

    for budget in 20_000, 1_050, 59_000:
        lam = call(budget)
        best = budget / 1e6
        assert lam >= 0.99 * best, f"for {budget} bytes λ = {lam:.5f} fits, but so does {best:.5f}: search more finely"
        assert len(calls) <= 42, f"{len(calls)} files were coded to find one λ: 40 are plenty when each halves the rest"
    assert np.isclose(call(10**9), 0.06), "when every file fits, the answer is the largest λ, 0.06"
    codec, crop = nctutorial.load_codec(), data.photo("red_panda")[128:256, 256:384]
    latent = codec.analyze(crop)

    def coded(lam):
        return len(codec.encode(codec.quantize(latent, lam)))

    budget = coded(0.01)
    lam = call(budget, coded)
    assert lam >= 0.0099, f"on a piece of the panda λ = 0.01 fits into {budget} bytes, and you stop at {lam:.4f}"


@exercise("7.2")
def ex_7_2(saving):
    jpeg = [(0.25, 28.0), (1.0, 36.0), (2.0, 40.0)]
    equal = saving(jpeg, 0.25, 28.0)
    assert np.isclose(equal, 0), f"a codec on JPEG's own curve saves nothing, not {equal:.1f} %"
    half = saving(jpeg, 0.5, 36.0)
    assert not np.isclose(half, -50), "the sign: fewer bits than JPEG is a saving, so positive"
    assert np.isclose(half, 50), f"at 36 dB JPEG needs 1 bpp: a codec with 0.5 bpp saves 50 %, not {half:.1f} %"
    between = saving(jpeg, 0.4, 32.0)
    assert not np.isclose(between, 36), "0.625 bpp is the middle of 0.25 and 1; the middle of their logarithms is 0.5"
    assert np.isclose(between, 20), f"half-way between 28 and 36 dB JPEG needs 0.5 bpp: 20 % saved, not {between:.1f} %"
    worse = saving(jpeg, 3.0, 40.0)
    assert np.isclose(worse, -50), f"3 bpp where JPEG needs 2 is a saving of -50 % of JPEG's bits, not {worse:.1f} %"


@exercise("7.3")
def ex_7_3(lam_range):
    points = np.array([(1.0, 100.0), (2.0, 50.0), (4.0, 40.0)])
    low, high = lam_range(points, 1)
    said = f"({low:.3g}, {high:.3g})"
    assert np.isclose(low, 0.02), (
        f"points (1, 100), (2, 50), (4, 40): the middle one beats the first once λ (100 - 50) > 2 - 1, "
        f"so from λ = 0.02 on; you say {said}"
    )
    assert np.isclose(high, 0.2), f"the last one is better once λ (50 - 40) > 4 - 2, from λ = 0.2 on; you say {said}"
    assert lam_range(points, 0)[0] == 0, "the point with the largest D is best down to λ = 0"
    assert np.isinf(lam_range(points, 2)[1]), "the point with the smallest D is best however large λ is: up to infinity"
    shuffled = lam_range(points[[2, 0, 1]], 2)
    assert np.allclose(shuffled, (0.02, 0.2)), "the points may come in any order: compare with all, not with neighbours"
    above = np.array([(1.0, 100.0), (2.4, 60.0), (2.5, 20.0)])
    low, high = lam_range(above, 1)
    assert low > high, "(2.4, 60) lies above the line from (1, 100) to (2.5, 20): no λ chooses it, low must exceed high"
    rng = np.random.default_rng(0)
    for n in range(2, 20):
        points, lam = rng.uniform(1, 100, (n, 2)), rng.uniform(0.1, 3)
        best = (points @ [1, lam]).argmin()
        for j in range(n):
            low, high = lam_range(points, j)
            what = "is the best" if j == best else "is beaten"
            said = f"one of {n} random points {what} at λ = {lam:.2f}, and you give it ({low:.2f}, {high:.2f})"
            assert (low <= lam <= high) == (j == best), said
