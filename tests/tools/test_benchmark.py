import csv
from pathlib import Path

import numpy as np
import pytest
from small_codec import small_codec, small_hyperprior, smooth_noise

from nctutorial import data, metrics
from nctutorial.codec import bitstream, units
from nctutorial.tools import benchmark
from nctutorial.tools.benchmark import KODAK, LAMS, MEASURED
from nctutorial.tools.survey import COLUMNS, measure_folder, pictures


@pytest.fixture
def folder(tmp_path):
    for i, shape in enumerate([(40, 60), (33, 17)]):
        data.save_image(tmp_path / f"photo{i}.png", smooth_noise(*shape))
    (tmp_path / "CREDITS.txt").write_text("by nobody")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


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


def test_the_default_lams_span_the_range():
    assert len(LAMS) == 9
    np.testing.assert_allclose(LAMS[1:] / np.array(LAMS[:-1]), 60 ** (1 / 8))
    assert [units.lam_index(lam) for lam in (LAMS[0], LAMS[-1])] == [0, 4096]


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


def test_a_folder_and_its_csv(folder, tmp_path):
    out = tmp_path / "rows.csv"
    rows = measure_folder({"small": small_codec()}, folder, [0.001, 0.01], out)
    assert [(row["image"], units.lam_index(row["lam"])) for row in rows] == [
        (f"photo{i}.png", units.lam_index(lam)) for i in range(2) for lam in (0.001, 0.01)
    ]
    with open(out, newline="") as file:
        read = list(csv.DictReader(file))
    assert list(read[0]) == list(COLUMNS)
    for row, text in zip(rows, read, strict=True):
        assert text["image"] == row["image"] and int(text["bytes"]) == row["bytes"]
        assert text["origin"] == row["origin"] and text["codec"] == row["codec"] == "small"
        for name in MEASURED[2:]:
            assert float(text[name]) == pytest.approx(row[name], rel=1e-5)


def test_the_csv_is_whole_after_each_picture(folder, tmp_path):
    (folder / "zzz.png").write_bytes(b"broken")
    with pytest.raises(data.ImageError, match="zzz.png"):
        measure_folder({"small": small_codec()}, folder, [0.01], tmp_path / "rows.csv")
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + 2


# ---- an interrupted run goes on


@pytest.fixture
def measured(monkeypatch):
    """The shapes of the pictures that are measured from now on."""
    shapes, measure = [], benchmark.measure

    def noted(codec, image, lams):
        shapes.append(image.shape[:2])
        return measure(codec, image, lams)

    monkeypatch.setattr(benchmark, "measure", noted)
    return shapes


def run(folder, lams=(0.001, 0.01), codec=None):
    return measure_folder({"small": codec or small_codec()}, folder, lams, folder / "rows.csv")


def test_finished_photos_are_not_measured_again(folder, measured):
    (folder / "photo2.png").write_bytes(b"broken")
    with pytest.raises(data.ImageError):
        run(folder)
    before = (folder / "rows.csv").read_text()
    data.save_image(folder / "photo2.png", smooth_noise(20, 21))
    rows = run(folder)
    assert measured == [(40, 60), (33, 17), (20, 21)]
    assert (folder / "rows.csv").read_text().startswith(before)  # the seconds too
    assert len({row["lam"] for row in rows}) == 2 and len(rows) == 6  # the table groups by λ
    assert run(folder) == run(folder) and len(measured) == 3


def test_a_torn_or_damaged_row_is_measured_again(folder, measured):
    run(folder)
    whole = (folder / "rows.csv").read_bytes()
    lines = whole.splitlines(keepends=True)
    second = b"".join([lines[0], lines[1].replace(b",", b";"), *lines[2:]])
    for damaged in (whole[:-20], whole[: len(whole) // 2], second, lines[0], b"", b"\xff\0" * 99, b"x" * 200_000):
        (folder / "rows.csv").write_bytes(damaged)
        del measured[:]
        run(folder)
        assert 1 <= len(measured) <= 2
        again = (folder / "rows.csv").read_text().splitlines()
        assert len(again) == 5 and again[0] == ",".join(COLUMNS)


def test_rows_of_other_settings_are_measured_again(folder, measured, monkeypatch):
    run(folder)
    run(folder, (0.001, 0.02))  # another λ
    assert len(measured) == 4
    run(folder, (0.02, 0.001))  # the same ones
    assert len(measured) == 4
    data.save_image(folder / "photo0.png", smooth_noise(40, 60, seed=5))  # another picture of this name
    run(folder, (0.02, 0.001))
    assert measured[4:] == [(40, 60)]
    (folder / "photo1.png").rename(folder / "a.png")  # another name of this picture
    rows = run(folder, (0.02, 0.001))
    assert len(measured) == 5 and [row["image"] for row in rows] == ["a.png"] * 2 + ["photo0.png"] * 2
    monkeypatch.setitem(small_codec().__dict__, "sha256", "abcd" * 16)  # another model
    run(folder, (0.02, 0.001))
    assert len(measured) == 7


def test_several_codecs_in_one_table(folder, measured):
    run(folder)
    two = {"wide": small_hyperprior(), "small": small_codec()}
    rows = measure_folder(two, folder, (0.01, 0.001), folder / "rows.csv")
    assert len(measured) == 2 + 2  # the small codec's rows were there
    assert [(row["image"][:6], row["codec"], round(row["lam"], 3)) for row in rows] == [
        (f"photo{i}", name, lam) for i in range(2) for name in two for lam in (0.01, 0.001)
    ]
    assert [line.split()[:2] for line in benchmark.table(rows).splitlines()[2:]] == [
        [name, lam] for name in two for lam in ("0.00100", "0.01000")
    ]
    assert measure_folder(two, folder, (0.01, 0.001), folder / "rows.csv") != rows  # read back: 6 digits
    assert len(measured) == 4


def test_folders_without_pictures(tmp_path):
    with pytest.raises(data.ImageError, match="holds no pictures"):
        pictures(tmp_path)
    with pytest.raises(data.ImageError, match="is not a folder"):
        pictures(tmp_path / "nowhere")


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
        for i, image in enumerate(KODAK, 1)
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
    rows = [row(f"{image}.png", bpp=bpp, psnr=psnr) for image in KODAK[:-1] for bpp, psnr in reference[image]]
    assert benchmark.bd_rates(rows) is None
    assert benchmark.bd_rates([]) is None


def test_speed_is_the_median_after_a_warm_up(monkeypatch):
    seconds = iter([100.0, 1.0, 5.0, 2.0])

    def measure(codec, image, lams):
        return [dict.fromkeys(benchmark.SECONDS, next(seconds))]

    monkeypatch.setattr(benchmark, "measure", measure)
    assert benchmark.speed(None, None, runs=3) == dict.fromkeys(benchmark.SECONDS, 2.0)


def test_speed_table(monkeypatch):
    figures = {"analysis": 0.03, "encoding": 0.004, "decoding": 0.006, "synthesis": 0.02}
    monkeypatch.setattr(benchmark, "speed", lambda *arguments: figures)
    lines = benchmark.speed_table(None, np.zeros((512, 768, 3), np.uint8)).splitlines()
    assert lines[0].startswith("768 x 512 pixels, lambda 0.01, 1 threads, median of 9")
    assert lines[2].split() == ["compress", "30.0", "4.0", "34.0"]
    assert lines[3].split() == ["decompress", "20.0", "6.0", "26.0"]


def test_speed_for_real():
    assert all(seconds > 0 for seconds in benchmark.speed(small_codec(), smooth_noise(20, 20), runs=2).values())


def test_measured_includes_the_header():
    (measured,) = benchmark.measure(small_codec(), np.zeros((16, 16, 3), np.uint8), [0.001])
    assert measured["bytes"] >= bitstream.HEADER_BYTES
    assert measured["bpp"] - measured["estimated_bpp"] >= 8 * bitstream.HEADER_BYTES / 256


def test_kodak_is_known_by_the_names_of_its_files():
    lines = (data.DATA / "reference" / "kodak.sha256").read_text().splitlines()
    assert [Path(line.split()[1]).stem for line in lines] == list(KODAK)
