import csv
import hashlib
import http.client
import io
import struct
import zlib
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from nctutorial import data

GREYS = np.arange(256, dtype=np.uint8).reshape(16, 16)


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


# ---- any picture a person has


def test_load_from_path_bytes_and_file(tmp_path, random_image):
    image = random_image(4, 6)
    path = tmp_path / "a picture.png"
    data.save_image(path, image)
    raw = path.read_bytes()
    for source in (path, str(path), raw, bytearray(raw), memoryview(raw), io.BytesIO(raw)):
        loaded = data.load_image(source)
        np.testing.assert_array_equal(loaded, image)
        assert loaded.flags.writeable and loaded.flags.c_contiguous


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_not_clipped(kind):
    deep = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    image = data.load_image(as_bytes(Image.fromarray(deep), kind))
    np.testing.assert_array_equal(image[..., 0], np.round(deep / 257))


def test_16_bit_colour():
    # A 2 x 1 PNG with 16 bits a sample, made by hand: Pillow cannot write one.
    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", 2, 1, 16, 2, 0, 0, 0)
    row = b"\0" + struct.pack(">6H", 0, 257 * 100, 65535, 257 * 7, 257 * 8, 257 * 9)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    png += chunk(b"IDAT", zlib.compress(row)) + chunk(b"IEND", b"")
    np.testing.assert_array_equal(data.load_image(png), [[[0, 100, 255], [7, 8, 9]]])


def test_float_samples_are_refused_with_a_cure():
    with pytest.raises(data.ImageError, match="save it with 8 or 16 bits"):
        data.load_image(as_bytes(Image.fromarray(np.ones((2, 2), np.float32)), "TIFF"))


def test_transparency_goes_on_white():
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [0, 0, 0, 51]]], np.uint8)
    image = data.load_image(as_bytes(Image.fromarray(rgba), "PNG"))
    np.testing.assert_array_equal(image, [[[200, 100, 0], [255, 255, 255], [204, 204, 204]]])
    palette = Image.fromarray(np.array([[0, 1]], np.uint8), "P")
    palette.putpalette([1, 2, 3, 4, 5, 6])
    image = data.load_image(as_bytes(palette, "PNG", transparency=1))
    np.testing.assert_array_equal(image, [[[1, 2, 3], [255, 255, 255]]])


def test_a_quarter_turn_in_exif(random_image):
    image, exif = random_image(3, 5), Image.Exif()
    exif[0x0112] = 6
    png = as_bytes(Image.fromarray(image), "PNG", exif=exif)
    np.testing.assert_array_equal(data.load_image(png), np.rot90(image, -1))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_animation_gives_its_first_frame(kind):
    frames = [Image.new("RGB", (4, 3), colour) for colour in ("red", "lime", "blue")]
    options = {"lossless": True} if kind == "WEBP" else {}
    animation = as_bytes(frames[0], kind, save_all=True, append_images=frames[1:], duration=50, **options)
    np.testing.assert_array_equal(data.load_image(animation), np.full((3, 4, 3), (255, 0, 0)))


# ---- any size, mode, format and orientation, against Pillow


FORMATS = {  # what each format holds
    "PNG": ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"],
    "TIFF": ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"],
    "JPEG": ["L", "RGB", "CMYK"],
    "WEBP": ["RGB", "RGBA"],
    "GIF": ["1", "L", "P"],
    "BMP": ["1", "L", "P", "RGB"],
    "AVIF": ["RGB", "RGBA"],
    "JPEG2000": ["L", "LA", "RGB", "RGBA"],
}
WITH_EXIF = ("PNG", "JPEG", "TIFF", "WEBP", "AVIF")
SIDES = st.one_of(st.integers(1, 3), st.integers(1, 70))


@st.composite
def picture_files(draw):
    """(the bytes of a picture file, its mode, its size the right way up: width, height)."""
    kind = draw(st.sampled_from(sorted(FORMATS)))
    mode = draw(st.sampled_from(FORMATS[kind]))
    height, width, orientation = draw(SIDES), draw(SIDES), draw(st.integers(1, 8))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    if mode == "I;16":
        picture = Image.fromarray(rng.integers(0, 65536, (height, width), dtype=np.uint16))
    else:
        picture = Image.fromarray(rng.integers(0, 256, (height, width, 4), dtype=np.uint8), "RGBA")
        picture = picture.convert("RGB").convert(mode) if mode in ("1", "P", "CMYK") else picture.convert(mode)
    options = {}
    if kind in WITH_EXIF and draw(st.booleans()):
        options["exif"] = Image.Exif()
        options["exif"][0x0112] = orientation
    else:
        orientation = 1
    upright = (height, width) if orientation > 4 else (width, height)
    return as_bytes(picture, kind, **options), mode, upright


@given(picture_files())
def test_size_orientation_and_pixels_are_pillows(made):
    file, mode, size = made
    with Image.open(io.BytesIO(file)) as picture:
        upright = ImageOps.exif_transpose(picture)
        assert upright.size == size
        if mode == "I;16":
            expected = np.repeat(np.round(np.asarray(upright, float) / 257)[..., None], 3, axis=2)
        else:  # transparency on white, by hand
            rgba = np.asarray(upright.convert("RGBA"), float)
            expected = rgba[..., :3] * rgba[..., 3:] / 255 + 255 - rgba[..., 3:]
    image, losses = data.open_image(file)
    assert image.dtype == np.uint8 and image.shape == (size[1], size[0], 3)
    assert np.abs(image - expected).max() <= 1  # Pillow rounds once more
    np.testing.assert_array_equal(data.load_image(file), image)
    transparent = mode in ("LA", "RGBA") and rgba[..., 3].min() < 255
    assert ("Transparency was put on white" in losses) == transparent
    assert ("16 bits a sample became 8" in losses.lower()) == (mode == "I;16")


@given(st.sampled_from([".png", ".webp", ".tif", ".bmp", ".jpg", ".avif", ".jp2"]), SIDES, SIDES)
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


def test_what_was_left_out_is_said():
    frames = [Image.new("RGBA", (4, 3), colour) for colour in ("red", "#00ff0080")]
    assert data.open_image(as_bytes(frames[0], "PNG"))[1] == ""  # opaque
    both = as_bytes(frames[1], "WEBP", save_all=True, append_images=frames)
    assert data.open_image(both)[1] == "Transparency was put on white; only the first of its pictures was taken."
    for kind in ("GIF", "PNG", "TIFF", "WEBP"):
        several = as_bytes(frames[0].convert("RGB"), kind, save_all=True, append_images=[frames[1].convert("RGB")])
        assert data.open_image(several)[1] == "Only the first of its pictures was taken.", kind


def test_colour_profiles():
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for profile, said in ((srgb, ""), (lab, "The colour profile was not applied."), (b"broken", "The colour profile")):
        for kind in ("PNG", "TIFF"):
            found, losses = data.open_image(as_bytes(Image.fromarray(image), kind, icc_profile=profile))
            np.testing.assert_array_equal(found, image)  # the stored values
            assert losses.startswith(said) and bool(losses) == bool(said)


# ---- broken pictures: one line that helps


def one_line(error):
    message = str(error.value)
    assert "\n" not in message and len(message) < 250
    return message


@pytest.mark.parametrize("raw", [b"", b"hello", bytes(1000), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"])
def test_not_a_picture(raw):
    with pytest.raises(data.ImageError) as error:
        data.load_image(raw)
    assert "PNG, JPEG" in one_line(error)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "JPEG2000", "AVIF", "BMP"])
def test_truncated(kind, random_image):
    whole = as_bytes(Image.fromarray(random_image(64, 64)), kind)
    with pytest.raises(data.ImageError) as error:
        data.load_image(whole[: len(whole) // 2])
    one_line(error)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_altered_png_loads_or_raises_image_error(where, value):
    raw = bytearray(as_bytes(Image.fromarray(GREYS), "PNG"))
    raw[where % len(raw)] = value
    try:
        image = data.load_image(bytes(raw))
    except data.ImageError as error:
        assert "\n" not in str(error)
    else:
        assert image.dtype == np.uint8 and image.shape[2] == 3


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
