import csv
import math
from collections import defaultdict

import numpy as np
import pytest
import pytorch_msssim
import torch
from hypothesis import given
from hypothesis import strategies as st

from nctutorial import data, metrics


def curves(name, quality):
    """{codec: {image: (bpps, PSNRs)}} from a table in data/reference; "" if a row names no image."""
    found = defaultdict(lambda: defaultdict(lambda: ([], [])))
    with open(data.DATA / "reference" / name, newline="") as file:
        for row in csv.DictReader(file):
            if row[quality]:
                rates, psnrs = found[row["codec"]][row.get("image", "")]
                rates.append(float(row["bpp"]))
                psnrs.append(float(row[quality]))
    return found


@pytest.fixture(scope="module")
def kodak_curves():
    return curves("kodak_classical.csv", "psnr")


# ---- MSE, PSNR, bits per pixel


def test_mse_and_psnr_by_hand():
    black, white = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    assert metrics.mse(black, white) == 255**2  # and no wrap-around at 256
    assert metrics.psnr(black, white) == 0
    assert metrics.psnr(black, black) == math.inf
    one = black.copy()
    one[0, 0, 0] = 3
    assert metrics.mse(black, one) == metrics.mse(one, black) == 9 / 18
    assert metrics.psnr(black, one) == pytest.approx(48.1308 + 3.0103, abs=1e-4)


@pytest.mark.parametrize("measure", [metrics.mse, metrics.psnr, metrics.ms_ssim])
def test_shapes_must_agree(measure):
    with pytest.raises(ValueError, match="different shapes"):
        measure(np.zeros((4, 5, 3), np.uint8), np.zeros((5, 4, 3), np.uint8))


def test_bpp():
    assert metrics.bpp(49152, (512, 768)) == 1
    assert metrics.bpp(10, np.zeros((4, 5, 3), np.uint8)) == metrics.bpp(10, (4, 5, 3)) == 4


# ---- MS-SSIM


def reference_ms_ssim(a, b):
    x, y = (torch.from_numpy(image).permute(2, 0, 1)[None].double() for image in (a, b))
    return pytorch_msssim.ms_ssim(x, y, data_range=255).item()


@pytest.mark.parametrize("shape", [(161, 161), (200, 333), (401, 256)])
@pytest.mark.parametrize("noise", [2, 20, 100])
def test_ms_ssim_is_that_of_pytorch_msssim(red_panda, shape, noise):
    a = np.ascontiguousarray(red_panda[: shape[0], : shape[1]])
    rng = np.random.default_rng(0)
    b = np.clip(a + rng.normal(0, noise, a.shape), 0, 255).astype(np.uint8)
    assert metrics.ms_ssim(a, b) == pytest.approx(reference_ms_ssim(a, b), abs=5e-6)
    assert metrics.ms_ssim(a, 255 - a) == reference_ms_ssim(a, 255 - a)  # 0, without a limit below it


def test_ms_ssim_mirrors_small_images(red_panda):
    a = red_panda[100:140, 200:400]
    b = a // 32 * 32
    wide = np.pad([a, b], [(0, 0), (0, 121), (0, 0), (0, 0)], mode="symmetric")
    assert wide.shape == (2, 161, 200, 3)
    assert metrics.ms_ssim(a, b) == pytest.approx(reference_ms_ssim(*wide), abs=5e-6)


@given(st.integers(1, 30), st.integers(1, 200))
def test_ms_ssim_is_defined_for_any_size(height, width):
    rng = np.random.default_rng(height + 64 * width)
    a, b = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    assert metrics.ms_ssim(a, a) == pytest.approx(1, abs=1e-6)
    assert 0 <= metrics.ms_ssim(a, b) < 1


# ---- BD-rate

RATE, PSNR = np.array([0.1, 0.2, 0.5, 1.2, 2.0]), np.array([26.0, 28.5, 32.0, 36.5, 39.0])


@given(st.floats(0.1, 10))
def test_bd_rate_of_a_scaled_rate_is_the_scale(factor):
    assert metrics.bd_rate(RATE, PSNR, factor * RATE, PSNR) == pytest.approx(100 * (factor - 1), abs=1e-9)
    assert metrics.bd_rate(RATE, PSNR, list(factor * RATE[::-1]), PSNR[::-1]) == pytest.approx(100 * (factor - 1))


def pchip_by_the_book(x, y, at):
    """Fritsch and Butland 1984: harmonic-mean slopes, cubic Hermite pieces. Not scipy's code."""
    h, d = np.diff(x), np.diff(y) / np.diff(x)
    slope = np.zeros(len(x))
    for i in range(1, len(x) - 1):
        if d[i - 1] * d[i] > 0:
            w1, w2 = 2 * h[i] + h[i - 1], h[i] + 2 * h[i - 1]
            slope[i] = (w1 + w2) / (w1 / d[i - 1] + w2 / d[i])
    for end, (i, j) in {0: (0, 1), -1: (-1, -2)}.items():
        s = ((2 * h[i] + h[j]) * d[i] - h[i] * d[j]) / (h[i] + h[j])
        if s * d[i] <= 0:
            s = 0
        elif d[i] * d[j] <= 0 and abs(s) > 3 * abs(d[i]):
            s = 3 * d[i]
        slope[end] = s
    k = np.clip(np.searchsorted(x, at) - 1, 0, len(h) - 1)
    t = (at - x[k]) / h[k]
    return (
        (1 + 2 * t) * (1 - t) ** 2 * y[k]
        + t * (1 - t) ** 2 * h[k] * slope[k]
        + t**2 * (3 - 2 * t) * y[k + 1]
        + t**2 * (t - 1) * h[k] * slope[k + 1]
    )


def test_bd_rate_against_an_independent_pchip(kodak_curves):
    for image in ("01", "13", "23"):
        (r1, q1), (r2, q2) = kodak_curves["jpeg420"][image], kodak_curves["webp_m6"][image]
        grid = np.linspace(max(q1[0], q2[0]), min(q1[-1], q2[-1]), 200_001)
        first = pchip_by_the_book(np.array(q1), np.log(r1), grid)
        second = pchip_by_the_book(np.array(q2), np.log(r2), grid)
        expected = 100 * np.expm1(np.trapezoid(second - first, grid) / (grid[-1] - grid[0]))
        assert metrics.bd_rate(r1, q1, r2, q2) == pytest.approx(expected, abs=1e-4)


def test_bd_rate_of_bpg_and_its_stand_in(kodak_curves):
    """x265 by PyAV stands in for BPG: per image, averaged, 0.3 % apart. JPEG needs 2.4 times the bits."""

    def mean(reference, codec):
        images = [f"{number:02}" for number in range(1, 25)]
        ref, other = kodak_curves[reference], kodak_curves[codec]
        return np.mean([metrics.bd_rate(*ref[i], *other[i]) for i in images])

    bpg = "bpg444_libbpg0.9.8_x265"
    assert mean(bpg, "hevc444_x265") == pytest.approx(-0.3, abs=0.05)
    assert mean("hevc444_x265", "jpeg420") == pytest.approx(142.5, abs=0.5)
    assert mean("hevc444_x265", "webp_m6") == pytest.approx(50.7, abs=0.5)


@pytest.mark.parametrize(
    "codec, expected",
    [
        ("jpeg", 143.0),
        ("webp", 44.2),
        ("shallow-ntc:2-layer_syn", 5.9),
        ("vtm", -18.0),
        ("mlicplusplus", -33.0),
    ],
)
def test_bd_rate_of_published_curves(codec, expected):
    """Differences to BPG that were computed from the same points by another program."""
    published = curves("published_kodak.csv", "psnr")
    bpg = published["bpg_444_x265_ycbcr"][""]
    assert metrics.bd_rate(*bpg, *published[codec][""]) == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize(
    "curve, message",
    [
        (([1, 2], [50, 60]), "no quality in common"),
        (([1, 2], [39, 41]), "no quality in common"),
        (([0.1, 0.2, 0.3], [28, 27, 30]), "must increase"),
        (([0.1, 0.1, 0.3], [27, 28, 30]), "must increase"),
        (([0.1, 0.2], [28, 28]), "must increase"),
        (([0.1], [28]), "two points"),
        (([0.1, 0.2], [28]), "two points"),
        (([0.0, 0.2], [28, 30]), "above 0"),
        (([0.1, 0.2], [28, math.inf]), "finite"),
        (([0.1, math.nan], [28, 30]), "finite"),
    ],
)
def test_bd_rate_refuses(curve, message):
    with pytest.raises(ValueError, match=message):
        metrics.bd_rate(RATE, PSNR, *curve)
    with pytest.raises(ValueError, match=message):
        metrics.bd_rate(*curve, RATE, PSNR)
