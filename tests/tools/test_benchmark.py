"""Measuring one photo, and tables of rows."""

import csv

import numpy as np
import pytest
from small_codec import small_codec, smooth_noise

from nctutorial import data, metrics
from nctutorial.tools import benchmark
from nctutorial.tools.benchmark import MEASURED


def test_rows_are_the_facts_of_the_files():
    codec, image = small_codec(), smooth_noise(40, 61)
    rows = benchmark.measure(codec, image, [0.002, 0.05])
    for row, lam in zip(rows, [0.002, 0.05], strict=True):
        coded = codec.code(codec.analyze(image), lam)
        error = np.mean((image.astype(float) - coded.image) ** 2)
        assert row["lam"] == coded.lam
        assert row["bytes"] == len(coded.data)
        assert row["bpp"] == 8 * len(coded.data) / (40 * 61)
        assert row["estimated_bpp"] == pytest.approx(coded.bits.sum() / (40 * 61))
        assert row["psnr"] == pytest.approx(10 * np.log10(255**2 / error))
        assert row["ms_ssim"] == metrics.ms_ssim(image, coded.image)
        assert all(row[name] > 0 for name in benchmark.SECONDS)
        assert tuple(row) == MEASURED


def test_wrong_decoding_is_noticed(monkeypatch):
    codec = small_codec()
    decode = codec.decode

    def wrong(stream):
        symbols = decode(stream)
        symbols.values[0, 0] += 1
        return symbols

    monkeypatch.setattr(codec, "decode", wrong)
    with pytest.raises(AssertionError, match="decode to other symbols"):
        benchmark.measure(codec, smooth_noise(20, 20), [0.01])


def row(image="a.png", lam=0.01, **values):
    return {"codec": "ours", "image": image, "lam": lam} | {name: 1.0 for name in MEASURED[1:]} | values


def test_table_is_of_means():
    rows = [
        row(bpp=0.5, psnr=30.0, ms_ssim=0.9, analysis=0.01, encoding=0.002, decoding=0.003, synthesis=0.02),
        row("b.png", bpp=0.75, psnr=32.0, ms_ssim=0.91, analysis=0.03, encoding=0.004, decoding=0.005, synthesis=0.04),
        row(lam=0.001, bpp=0.125),
    ]
    lines = benchmark.table(rows).splitlines()
    assert len(lines) == 2 + 2  # λ in rising order
    assert lines[2].split()[:3] == ["ours", "0.00100", "0.1250"]
    assert lines[3].split() == "ours 0.01000 0.6250 1.0000 31.00 0.9050 20 3 4 30".split()
    assert lines[1].split() == "codec lambda bpp estimated PSNR MS-SSIM network coder coder network".split()


@pytest.fixture(scope="module")
def reference():
    """{image: [(bpp, psnr), ...]} of hevc444_x265, from the table."""
    points = {}
    with open(data.DATA / "reference" / "kodak_classical.csv", newline="") as file:
        for line in csv.DictReader(file):
            if line["codec"] == "hevc444_x265":
                points.setdefault("kodim" + line["image"], []).append((float(line["bpp"]), float(line["psnr"])))
    return points


def test_bd_rates_per_image_then_averaged(reference):
    # Image i costs i % more than HEVC at every quality: the mean of 1 to 24 is 12.5.
    rows = [
        row(f"{image}.png", bpp=bpp * (1 + i / 100), psnr=psnr)
        for i, image in enumerate(reference, 1)
        for bpp, psnr in reference[image]
    ]
    rows.append(row("holiday.png"))
    rates = benchmark.bd_rates(rows)
    assert list(rates) == ["hevc444_x265", "jpeg420"]
    assert rates["hevc444_x265"] == pytest.approx(12.5, abs=1e-6)
    assert -60 < rates["jpeg420"] < -40  # HEVC needs little more than 40 % of JPEG's bits
    line = benchmark.bd_line(rates, "ours")
    assert line.startswith("ours: BD-rate on Kodak +12.5 % against hevc444_x265, -") and "\n" not in line
    assert "measured bytes" in line and "PCHIP" in line and "mean of 24 images" in line


def test_no_bd_rates_without_all_of_kodak(reference):
    rows = [row(f"{image}.png", bpp=bpp, psnr=psnr) for image in list(reference)[:-1] for bpp, psnr in reference[image]]
    assert benchmark.bd_rates(rows) is None
    assert benchmark.bd_rates([]) is None


def test_speed_is_the_median_after_a_warm_up(monkeypatch):
    factors = iter([100.0, 1.0, 5.0, 2.0])  # the median of the last three is 2

    def measure(codec, image, lams):
        seconds = {"analysis": 0.015, "encoding": 0.002, "decoding": 0.003, "synthesis": 0.01}
        factor = next(factors)
        return [{name: factor * value for name, value in seconds.items()}]

    monkeypatch.setattr(benchmark, "measure", measure)
    lines = benchmark.speed(None, np.zeros((512, 768, 3), np.uint8), runs=3).splitlines()
    assert lines[0].startswith("768 x 512 pixels, lambda 0.01, 1 threads, median of 3")
    assert lines[2].split() == ["compress", "30.0", "4.0", "34.0"]
    assert lines[3].split() == ["decompress", "20.0", "6.0", "26.0"]
