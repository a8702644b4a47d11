import csv
import sys

import numpy as np
import pytest
from PIL import Image

from nctutorial import classical, data, metrics

KODAK_NAMES = {
    "jpeg": "jpeg420",
    "jpeg2000": "jpeg2000",
    "webp": "webp_m6",
    "avif": "avif444_s6_psnr",
    "hevc": "hevc444_x265",
}
MAGIC = {  # offset and bytes, by the formats' specifications; HEVC starts with a start code and the VPS
    "jpeg": (0, b"\xff\xd8\xff"),
    "jpeg2000": (4, b"jP  \r\n\x87\n"),
    "webp": (8, b"WEBPVP8 "),
    "avif": (4, b"ftypavif"),
    "hevc": (0, b"\0\0\0\1\x40\1"),
}


@pytest.fixture(params=classical.CODECS)
def codec(request):
    if request.param == "hevc":
        pytest.importorskip("av", reason="the optional extra `codecs` is not installed")
    return request.param


@pytest.fixture(scope="module")
def small(red_panda):
    return np.ascontiguousarray(red_panda[100:228, 200:392])


def test_files_are_what_they_say(codec, small):
    offset, magic = MAGIC[codec]
    assert classical.encode(codec, small, classical.CURVE[codec][3])[offset:].startswith(magic)


def test_more_bits_better_picture(codec, small):
    curve = classical.rd_curve(codec, small)
    assert len(curve) == len(classical.CURVE[codec])
    assert np.all(np.diff(curve, axis=0) > 0)
    assert curve[0][1] < 30 and curve[-1][1] > 36


def test_rd_curve_is_encode_and_decode(codec, small):
    quality = classical.CURVE[codec][4]
    file = classical.encode(codec, small, quality)
    picture = classical.decode(codec, file)
    assert picture.dtype == np.uint8 and picture.shape == small.shape
    expected = (8 * len(file) / (128 * 192), metrics.psnr(small, picture))
    assert classical.rd_curve(codec, small, [quality]) == [expected]


def test_colours_are_not_swapped(codec):
    image = np.empty((64, 64, 3), np.uint8)
    image[:] = (200, 30, 90)
    picture = classical.decode(codec, classical.encode(codec, image, classical.CURVE[codec][-1]))
    np.testing.assert_allclose(picture.reshape(-1, 3).mean(0), (200, 30, 90), atol=2)


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (17, 5), (33, 31), (3, 200)])
def test_odd_sizes(codec, shape, random_image):
    image = random_image(*shape)
    quality = classical.CURVE[codec][-1]
    if codec == "hevc" and min(shape) < 16:
        with pytest.raises(data.ImageError, match="16 pixels"):
            classical.encode(codec, image, quality)
    else:
        assert classical.decode(codec, classical.encode(codec, image, quality)).shape == image.shape


def test_too_large_for_the_format():
    with pytest.raises(data.ImageError, match="webp cannot code this 20000 x 1 image"):
        classical.encode("webp", np.zeros((1, 20000, 3), np.uint8), 50)


def test_at_bytes_is_the_best_that_fits(codec, small):
    middle = classical.QUALITIES[codec][len(classical.QUALITIES[codec]) // 2]
    n_bytes = len(classical.encode(codec, small, middle))
    assert len(classical.at_bytes(codec, small, n_bytes)) == n_bytes
    one_less = classical.at_bytes(codec, small, n_bytes - 1)
    assert 0.8 * n_bytes < len(one_less) < n_bytes


def test_at_bytes_against_trying_all(small):
    files = [classical.encode("jpeg", small, quality) for quality in range(1, 101)]
    for n_bytes in (0, 600, 1500, 4000, 12000, 10**9):
        fitting = [file for file in files if len(file) <= n_bytes]
        assert classical.at_bytes("jpeg", small, n_bytes) == max(fitting, key=len, default=files[0])


def test_unknown_codec(small):
    for use in (classical.encode, classical.rd_curve, classical.at_bytes):
        with pytest.raises(ValueError, match="jpeg, jpeg2000, webp, avif, hevc"):
            use("gif", small, 50)
    with pytest.raises(ValueError, match="jpeg, jpeg2000, webp, avif, hevc"):
        classical.decode("gif", b"")


def test_not_an_image(codec):
    with pytest.raises(data.ImageError, match="uint8"):
        classical.encode(codec, np.zeros((32, 32)), classical.CURVE[codec][0])


def test_foreign_bytes(codec):
    with pytest.raises(data.ImageError):
        classical.decode(codec, b"not a picture")


def test_hevc_without_av(monkeypatch, small):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(RuntimeError, match="pip install av"):
        classical.encode("hevc", small, 37)
    with pytest.raises(RuntimeError, match="pip install av"):
        classical.decode("hevc", b"")


def test_ycbcr_is_that_of_jpeg():
    colours = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [12, 200, 77]]], np.uint8)
    expected = np.asarray(Image.fromarray(colours).convert("YCbCr")).astype(float)
    np.testing.assert_allclose((colours @ classical.RGB_TO_YCBCR.T + classical.CENTRE).clip(0, 255), expected, atol=1)


def test_kodak_table_is_reproduced(codec, kodak):
    """The settings here are those of the reference table: JPEG etc. to the byte, HEVC closely."""
    with open(data.DATA / "reference" / "kodak_classical.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["codec"] == KODAK_NAMES[codec]]
    image = data.load_image(kodak[22])
    rows = [row for row in rows if row["image"] == "23"]
    for row in (rows[3], rows[len(rows) // 2]):
        quality = float(row["quality"]) if codec == "jpeg2000" else int(row["quality"])
        file = classical.encode(codec, image, quality)
        picture = classical.decode(codec, file)
        # The numbers in the table are rounded to 4 digits; other library versions may differ a little.
        assert len(file) == pytest.approx(int(row["bytes"]), rel=0.02)
        assert metrics.psnr(image, picture) == pytest.approx(float(row["psnr"]), abs=0.05)
        assert metrics.ms_ssim(image, picture) == pytest.approx(float(row["msssim"]), abs=5e-4)
