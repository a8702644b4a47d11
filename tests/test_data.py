import csv
import hashlib
import http.client
import io
import zlib
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from nctutorial import data

GREYS = np.arange(256, dtype=np.uint8).reshape(16, 16)
SIDES = st.one_of(st.integers(1, 3), st.integers(1, 70))


def as_bytes(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


# ---- the bundled photos


def test_photos_are_complete_and_credited():
    with open(data.PHOTOS / "CREDITS.csv", newline="") as file:
        credits = {row["file"]: row for row in csv.DictReader(file)}
    paths = sorted(data.PHOTOS.glob("*/*.webp"))
    assert {str(path.relative_to(data.PHOTOS)) for path in paths} == set(credits)
    readme = (data.PHOTOS / "README.md").read_text()
    for path in paths:
        row = credits[str(path.relative_to(data.PHOTOS))]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        assert row["author"] and row["author"] in readme
        assert row["licence"].startswith(("CC0", "CC-BY-2", "CC-BY-3", "CC-BY-4", "Public Domain", "BSD-3"))
    assert len(data.photo_names("heldout")) == 6
    assert len(data.photo_names("train")) == 24


def test_photo_is_the_file_pixel_for_pixel():
    with Image.open(data.PHOTOS / "heldout" / "dogs_window.webp") as picture:
        np.testing.assert_array_equal(data.photo("dogs_window"), np.asarray(picture))
    assert data.photo("dogs_window").shape == (768, 512, 3)
    assert data.photo("astronaut").shape == (512, 512, 3)


def test_unknown_photo_names_the_known_ones():
    with pytest.raises(data.ImageError, match="red_panda"):
        data.photo("unknown")
    with pytest.raises(ValueError, match="heldout"):
        data.photo_names("test")


# ---- any picture a person has; tests/test_pictures.py says what comes out of it


def test_load_from_path_bytes_and_file(tmp_path, random_image):
    image = random_image(4, 6)
    path = tmp_path / "a picture.png"
    data.save_image(path, image)
    raw = path.read_bytes()
    for source in (path, str(path), raw, bytearray(raw), memoryview(raw), io.BytesIO(raw)):
        loaded = data.load_image(source)
        np.testing.assert_array_equal(loaded, image)
        assert loaded.flags.writeable and loaded.flags.c_contiguous
    stream = io.BytesIO(raw)
    stream.seek(5)  # it is read from its beginning all the same
    np.testing.assert_array_equal(data.load_image(stream), image)


@given(st.sampled_from([".png", ".webp", ".tif", ".bmp", ".jpg", ".avif", ".jp2", ".heic"]), SIDES, SIDES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_saved_is_there_again(tmp_path, suffix, height, width):
    image = np.random.default_rng(height * 100 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    data.save_image(path, image)
    with Image.open(path) as picture:
        assert picture.size == (width, height) and picture.mode == "RGB"
    again, losses = data.open_image(path)
    assert losses == "" and list(tmp_path.glob(".*")) == []  # no temporary file
    if suffix in (".png", ".webp", ".tif", ".bmp"):
        np.testing.assert_array_equal(again, image)


# ---- broken pictures: one line that helps; tests/long/test_fuzz_pictures.py tries more of them


def one_line(error):
    message = str(error.value)
    assert "\n" not in message and len(message) < 250
    return message


@pytest.mark.parametrize("raw", [b"", b"hello", bytes(1000), b"%!PS-Adobe-3.0 EPSF-3.0\n"])
def test_not_a_picture(raw):
    with pytest.raises(data.ImageError) as error:
        data.load_image(raw)
    assert "PNG, JPEG" in one_line(error)


@pytest.mark.parametrize("limit", [255, 127])  # Pillow warns from 1x the limit on and refuses from 2x on
def test_pixel_limit_is_adjustable(monkeypatch, limit):
    png = as_bytes(Image.fromarray(GREYS), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    with pytest.raises(data.ImageError) as error:
        data.load_image(png)
    assert f"more than {limit} pixels" in one_line(error) and "MAX_IMAGE_PIXELS" in one_line(error)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 256)
    assert data.load_image(png).shape == (16, 16, 3)


# ---- writing


def test_a_png_names_its_colours(tmp_path, random_image):
    data.save_image(tmp_path / "a.png", random_image(3, 5))
    raw = (tmp_path / "a.png").read_bytes()
    srgb = b"\0\0\0\1sRGB\0" + zlib.crc32(b"sRGB\0").to_bytes(4)
    assert raw.index(b"IHDR") < raw.index(srgb) < raw.index(b"IDAT")


def test_save_what_the_format_cannot_hold(tmp_path):
    with pytest.raises(data.ImageError, match="a.jpg cannot be written as JPEG"):
        data.save_image(tmp_path / "a.jpg", np.zeros((1, 70_000, 3), np.uint8))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((2, 2), np.uint8),
        np.zeros((2, 2, 4), np.uint8),
        np.zeros((2, 2, 3)),
        np.zeros((0, 2, 3), np.uint8),
    ],
)
def test_what_is_not_an_image(tmp_path, image):
    for use in (data.to_tensor, data.check_image, lambda image: data.save_image(tmp_path / "a.png", image)):
        with pytest.raises(data.ImageError, match="uint8 of shape"):
            use(image)


def test_write_atomic_replaces_or_leaves(tmp_path, monkeypatch):
    path = tmp_path / "a.bin"
    data.write_atomic(path, b"old")
    data.write_atomic(path, b"new")
    assert path.read_bytes() == b"new"

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(data.os, "replace", full)
    with pytest.raises(OSError, match="No space left .*a.bin"):
        data.write_atomic(path, b"newest")
    assert path.read_bytes() == b"new"
    assert [path.name for path in tmp_path.iterdir()] == ["a.bin"]


def test_write_atomic_does_not_replace_a_device():
    data.write_atomic("/dev/null", b"x")
    assert Path("/dev/null").is_char_device()


# ---- Kodak


def test_kodak_is_the_right_one(kodak):
    assert [path.name for path in kodak] == [f"kodim{number:02}.png" for number in range(1, 25)]
    shapes = {data.load_image(path).shape for path in kodak}
    assert shapes == {(512, 768, 3), (768, 512, 3)}


def test_kodak_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("NCTUTORIAL_KODAK", str(tmp_path / "none"))
    with pytest.raises(data.KodakError) as error:
        data.kodak_paths()
    assert "24 of the 24" in one_line(error) and "download=True" in one_line(error)


def test_kodak_cache_folder(tmp_path, monkeypatch):
    monkeypatch.delenv("NCTUTORIAL_KODAK", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(data.KodakError, match="nctutorial/kodak"):
        data.kodak_paths()


@pytest.fixture
def two_fake_kodak_images(tmp_path, monkeypatch):
    """A data folder whose Kodak list holds two tiny files, and an empty folder to fetch them into."""
    files = {"kodim01.png": b"one", "kodim02.png": b"two"}
    lines = [f"{hashlib.sha256(raw).hexdigest()}  {name}\n" for name, raw in files.items()]
    (tmp_path / "reference").mkdir()
    (tmp_path / "reference" / "kodak.sha256").write_text("".join(lines))
    monkeypatch.setattr(data, "DATA", tmp_path)
    monkeypatch.setenv("NCTUTORIAL_KODAK", str(tmp_path / "fetched"))
    return files


def test_kodak_download(tmp_path, monkeypatch, two_fake_kodak_images):
    asked = []

    def urlopen(url, timeout):
        asked.append(url)
        return io.BytesIO(two_fake_kodak_images[url.rsplit("/", 1)[1]])

    monkeypatch.setattr(data.urllib.request, "urlopen", urlopen)
    paths = data.kodak_paths(download=True)
    assert [path.read_bytes() for path in paths] == [b"one", b"two"]
    assert asked[0] == "https://r0k.us/graphics/kodak/kodak/kodim01.png"
    assert data.kodak_paths() == paths and len(asked) == 2

    paths[1].write_bytes(b"altered")
    with pytest.raises(data.KodakError, match="kodim02.png is not the Kodak image"):
        data.kodak_paths()


@pytest.mark.parametrize(
    "answer, message",
    [
        (OSError("Name or service not known"), "when online try again"),
        (http.client.IncompleteRead(b"half"), "when online try again"),
        (b"moved", "SHA-256"),
    ],
)
def test_kodak_download_that_fails(tmp_path, monkeypatch, two_fake_kodak_images, answer, message):
    reply = {"side_effect": answer} if isinstance(answer, Exception) else {"return_value": io.BytesIO(answer)}
    monkeypatch.setattr(data.urllib.request, "urlopen", Mock(**reply))
    with pytest.raises(data.KodakError, match=message):
        data.kodak_paths(download=True)
    assert not (tmp_path / "fetched").exists()


# ---- tensors


@given(st.integers(1, 20), st.integers(1, 20))
def test_tensor_round_trip(height, width):
    image = np.random.default_rng(height * 32 + width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    x = data.to_tensor(image)
    assert x.shape == (1, 3, height, width) and x.dtype == torch.float32
    assert x[0, 2, height - 1, 0].item() == np.float32(image[height - 1, 0, 2]) / np.float32(255)
    np.testing.assert_array_equal(data.to_uint8(x), image)


def test_to_tensor_does_not_share_memory_and_takes_any_strides(random_image):
    image = random_image(4, 5)
    np.testing.assert_array_equal(data.to_uint8(data.to_tensor(image[::-1, ::-1])), image[::-1, ::-1])
    x = data.to_tensor(image)
    image[:] = 0
    assert x.max() > 0


def test_to_uint8_clamps_and_rounds():
    x = torch.tensor([-1.0, 0.49 / 255, 0.51 / 255, 254.6 / 255, 1.0, 7.0]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    np.testing.assert_array_equal(data.to_uint8(x)[0, :, 0], [0, 0, 1, 255, 255, 255])
    assert data.to_uint8(x.bfloat16().requires_grad_()).dtype == np.uint8


@given(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 2, 16, 64]))
def test_padding_is_numpy_edge_padding(height, width, multiple):
    x = torch.rand(2, 3, height, width)
    padded = data.pad_to_multiple(x, multiple)
    below, right = -height % multiple, -width % multiple
    expected = np.pad(x.numpy(), [(0, 0), (0, 0), (0, below), (0, right)], mode="edge")
    np.testing.assert_array_equal(padded.numpy(), expected)
    assert padded.shape[2] % multiple == padded.shape[3] % multiple == 0
