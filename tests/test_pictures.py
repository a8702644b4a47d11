import io
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from picture_files import as_bytes, chunk, png, tiff
from PIL import Image, ImageCms
from PIL.ExifTags import Base as Tag

from nctutorial import data, pictures

CASES = Path(__file__).parent / "cases"
SMOOTH = np.stack([*np.mgrid[:30, :40] * 6, np.full((30, 40), 90)], -1).astype(np.uint8)
SRGB = ImageCms.createProfile("sRGB")
with Image.open(CASES / "phone_p3.png") as file:
    P3 = file.info["icc_profile"]
ICCP = chunk(b"iCCP", b"P3\0\0" + zlib.compress(P3))
CONVERTED, UNAPPLIED = "Its colours were converted to sRGB.", "The colour profile was not applied."
FIRST, ON_WHITE = "Only the first of its pictures was taken.", "Transparency was put on white."
DEEP, DEEP_ON_WHITE = "16 bits a sample became 8.", "16 bits a sample became 8; transparency was put on white."


def noise(*shape, kind=np.uint16):
    return np.random.default_rng(shape).integers(0, np.iinfo(kind).max + 1, shape, kind)


def eighth(samples):
    return np.round(samples / 257)


def grey(values):
    return np.repeat(values[..., None], 3, axis=2)


def on_white(colours, alpha):
    return colours * (alpha / 255) + 255 - alpha


def by_littlecms(picture, profile=P3):
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    return np.asarray(ImageCms.profileToProfile(picture, io.BytesIO(profile), SRGB, outputMode="RGB"))


def with_chunks(*chunks, behind=b""):
    raw = as_bytes(SMOOTH, "PNG")
    return raw[:33] + b"".join(chunks) + raw[33:-12] + behind + raw[-12:]


def turned(orientation):
    exif = Image.Exif()
    exif[Tag.Orientation] = orientation
    return exif.tobytes()


def opened(file, expected, said="", tolerance=0):
    """Check what comes out of a file: the picture, and the sentence about it. Nothing may be warned of."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        image, sentence = data.open_image(file)
    assert image.dtype == np.uint8 and image.shape == expected.shape
    assert np.abs(image - expected.astype(float)).max() <= tolerance
    assert sentence == said


def refused(file, message="cannot be read"):
    with pytest.raises(data.ImageError, match=message) as error:
        data.load_image(file)
    assert "\n" not in str(error.value) and len(str(error.value)) < 250


# ---- tests/cases, and what the command line says of them


def test_cases():
    with Image.open(CASES / "broken_exif.png") as picture:
        ramps = np.asarray(picture)
    for name, most in (("broken_exif.png", 0), ("long_text.png", 0), ("camera_with_preview.jpg", 4), ("phone.heic", 6)):
        opened(CASES / name, ramps, "", most)
    p3 = data.load_image(CASES / "phone_p3_as_srgb.png")
    opened(CASES / "phone_p3.png", p3, CONVERTED)
    opened(CASES / "phone_p3_other_name.png", p3, CONVERTED)
    raw = (CASES / "colour_16_bit.png").read_bytes()
    rows = zlib.decompressobj().decompress(raw[raw.index(b"IDAT") + 4 :])
    samples = np.frombuffer(rows, np.uint8).reshape(48, 1 + 64 * 6)[:, 1:].copy().view(">u2").reshape(48, 64, 3)
    opened(CASES / "colour_16_bit.png", eighth(samples), DEEP)


def test_readers_of_other_formats_are_not_reached(monkeypatch):
    def reached(*_):
        raise AssertionError("an open door")

    for kind in set(Image.OPEN) - set(pictures.FORMATS):
        monkeypatch.setitem(Image.OPEN, kind, (reached, None))
    refused(CASES / "postscript.png", "postscript.png is not a picture that can be read: PNG, JPEG, WebP, AVIF, HEIC")
    for kind in ("PCX", "TGA", "QOI", "ICO", "EPS"):
        refused(as_bytes(SMOOTH, kind), "is not a picture that can be read")


def test_what_the_command_line_says(tmp_path):
    """On stderr nothing when all is well, and the error alone when it is not: in a process without test fixtures."""
    (tmp_path / "samples.tif").write_bytes(tiff(noise(9, 11, 3), SamplesPerPixel=900))
    files = [*(str(CASES / name) for name in ("broken_exif.png", "long_text.png", "phone.heic")), "samples.tif"]
    code = "import sys; from nctutorial import cli; print(*[cli.main(['compress', f, 'x.nct']) for f in sys.argv[1:]])"
    run = subprocess.run([sys.executable, "-c", code, *files], cwd=tmp_path, capture_output=True, text=True)
    assert len(run.stdout.splitlines()) == 4 and run.stdout.splitlines()[-1] == "0 0 0 2"
    assert len(run.stderr.splitlines()) == 1 and "cannot be read: it is damaged" in run.stderr


# ---- orientation, further pictures, transparency


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP", "AVIF", "HEIF"])
def test_orientation(kind, orientation):
    upright = SMOOTH.swapaxes(0, 1) if orientation > 4 else SMOOTH  # by the table of the EXIF standard
    upright = upright[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]
    opened(as_bytes(SMOOTH, kind, exif=turned(orientation)), upright, "", 4)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"])
def test_an_animation_gives_its_first_frame(kind):
    first, *others = [Image.new("RGB", (16, 16), colour) for colour in ("red", "lime", "blue")]
    opened(as_bytes(first, kind, save_all=True, append_images=others), np.asarray(first), FIRST, 2)


def test_a_preview_is_no_second_picture():
    small = Image.fromarray(SMOOTH[::2, ::2])
    small.encoderinfo = {"tiffinfo": {Tag.NewSubfileType: 1}}
    opened(as_bytes(SMOOTH, "TIFF", save_all=True, append_images=[small]), SMOOTH)
    gain_map = as_bytes(SMOOTH, "MPO", save_all=True, append_images=[small], quality=100, subsampling=0)
    opened(gain_map, SMOOTH, "", 4)
    entry = struct.pack("<LL", 0, len(gain_map) - gain_map.rindex(b"\xff\xd8\xff"))
    stereo = gain_map.replace(entry, struct.pack("<L", 0x020002) + entry[4:])
    opened(stereo, SMOOTH, FIRST, 4)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF", "AVIF", "TIFF", "JPEG2000"])
def test_transparency(kind):
    alpha = SMOOTH[..., :1]
    opened(as_bytes(np.dstack([SMOOTH, alpha]), kind), on_white(SMOOTH, alpha), ON_WHITE, 3)
    opened(as_bytes(np.dstack([SMOOTH, alpha | 255]), kind), SMOOTH, "", 3)


def test_transparency_of_palettes_and_of_multiplied_colours():
    palette = Image.fromarray(np.array([[0, 1, 2]], np.uint8), "P")
    palette.putpalette([1, 2, 3, 4, 5, 6, 0, 0, 0])
    for transparency, black in (1, 0), (b"\xff\0\x33", 204):
        expected = np.array([[[1, 2, 3], [255] * 3, [black] * 3]])
        opened(as_bytes(palette, "PNG", transparency=transparency), expected, ON_WHITE)
    alpha = noise(9, 11, 1, kind=np.uint8)
    for channels in (1, 3):
        colours = noise(9, 11, channels, kind=np.uint8)
        stored = np.dstack([np.round(colours * (alpha / 255)), alpha]).astype(np.uint8)
        opened(tiff(stored, ExtraSamples=1), on_white(np.repeat(colours, 3 // channels, 2), alpha), ON_WHITE, 2)


# ---- more than 8 bits


@pytest.mark.parametrize("interlaced", [False, True])
def test_16_bits_in_png(interlaced):
    g, rgb, ga, rgba = noise(9, 11), noise(9, 11, 3), noise(9, 11, 2), noise(9, 11, 4)
    clear, colour = chunk(b"tRNS", struct.pack(">H", g[4, 4])), chunk(b"tRNS", struct.pack(">3H", *rgb[4, 4]))
    without = np.where((rgb == rgb[4, 4]).all(-1, keepdims=True), 255, eighth(rgb))
    mixed_grey, mixed = (on_white(eighth(x[..., :-1]), eighth(x[..., -1:])) for x in (ga, rgba))
    for file, expected, said in (
        ((g, 0), grey(eighth(g)), DEEP),
        ((rgb, 2), eighth(rgb), DEEP),
        ((g, 0, clear), grey(np.where(g == g[4, 4], 255, eighth(g))), DEEP_ON_WHITE),
        ((rgb, 2, colour), without, DEEP_ON_WHITE),
        ((ga, 4), np.repeat(mixed_grey, 3, 2), DEEP_ON_WHITE),
        ((rgba, 6), mixed, DEEP_ON_WHITE),
    ):
        opened(png(*file, interlaced=interlaced), expected, said, 0.5)


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("order", "<>")
def test_16_bits_and_floating_point_in_tiff(order, deflated):
    g, rgb, rgba = noise(9, 11), noise(9, 11, 3), noise(9, 11, 4)
    multiplied = np.dstack([np.round(rgba[..., :3] * (rgba[..., 3:] / 65535)), rgba[..., 3]]).astype(np.uint16)
    mixed = on_white(eighth(rgba[..., :3]), eighth(rgba[..., 3:]))
    cmyk = Image.frombytes("CMYK", (11, 9), eighth(rgba).astype(np.uint8).tobytes())
    for samples, tags, expected, said in (
        (g, {}, grey(eighth(g)), DEEP),
        (rgb, {}, eighth(rgb), DEEP),
        (rgb, {"Orientation": 6}, np.rot90(eighth(rgb), -1), DEEP),
        (rgba, {"ExtraSamples": 0}, eighth(rgba[..., :3]), DEEP),
        (rgba, {"ExtraSamples": 2}, mixed, DEEP_ON_WHITE),
        (multiplied, {"ExtraSamples": 1}, mixed, DEEP_ON_WHITE),
        (rgba, {"PhotometricInterpretation": 5}, np.asarray(cmyk.convert("RGB")), DEEP),
        *((g, {"PhotometricInterpretation": 0}, 255 - grey(eighth(g)), DEEP) for _ in "<" if order == "<"),
    ):
        opened(tiff(samples, order, deflated, **tags), expected, said, 2 if samples is multiplied else 0.5)
    refused(tiff(rgb, order, deflated, PlanarConfiguration=2), "save it as PNG")
    values = np.random.default_rng(0).random((9, 11)).astype(np.float32)
    for scale in np.float32(1), np.float32(255):
        opened(tiff(values * scale, order, deflated), grey(np.round(values * 255)), "32 bits a sample became 8.", 1)
    for wrong in values - 0.1, values * 300, np.where(values > 0.5, np.float32(np.nan), values):
        refused(tiff(wrong, order, deflated), "scale them first")


def test_10_and_12_bits():
    values = noise(8, 10) >> 4
    first, second = values[:, ::2], values[:, 1::2]
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1).astype(np.uint8).reshape(8, 15)
    file = tiff(packed, ImageWidth=10, BitsPerSample=12)
    opened(file, grey(np.round(values * (255 / 4095))), "12 bits a sample became 8.")
    for samples in values, values >> 2, np.dstack([values] * 3):  # without a word about it in the file
        said = f"no sample is above {samples.max()} of 65535: if they have 10 or 12 bits, scale them first."
        assert data.open_image(tiff(samples))[1] == f"16 bits a sample became 8; {said}"
    text = b"P6 2 1 1023 " + struct.pack(">6H", 0, 511, 1023, 512, 100, 2)
    opened(text, np.array([[[0, 127, 255], [128, 25, 0]]]), "10 bits a sample became 8.")


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("channels", [1, 3])
def test_heic_of_more_than_8_bits(channels, bits, monkeypatch):
    monkeypatch.setattr(pillow_heif.options, "SAVE_HDR_TO_12_BIT", bits == 12)
    samples = np.repeat(np.mgrid[:48, :64].sum(0)[..., None] * 590, channels, 2).astype(np.uint16)
    heif = pillow_heif.from_bytes({1: "L;16", 3: "RGB;16"}[channels], (64, 48), samples.tobytes())
    file = io.BytesIO()
    heif.save(file, quality=-1, chroma=444, matrix_coefficients=0)
    expected = grey(np.round((samples[..., 0] >> 16 - bits) * (255 / (2**bits - 1))))
    opened(file, expected, f"{bits} bits a sample became 8.", 1)


def test_other_depths():
    deep = noise(40, 30)
    opened(as_bytes(deep, "JPEG2000"), grey(eighth(deep)), DEEP)
    colour = bytearray(as_bytes(SMOOTH, "JPEG2000"))
    colour[colour.index(b"\xff\x4f\xff\x51") + 42] = 15  # 16 bits, of which Pillow would cut 8
    refused(bytes(colour), "save it as PNG")
    for kind in (np.int16, np.int8, np.uint32):
        refused(tiff(noise(5, 6, kind=kind)), "save it with 8 or 16 bits")


# ---- colours


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG", "AVIF", "HEIF"])
def test_profiles_are_applied(kind):
    file = as_bytes(SMOOTH, kind, icc_profile=P3)
    with Image.open(io.BytesIO(file)) as picture:
        expected = by_littlecms(picture)
    assert np.abs(expected.astype(int) - SMOOTH).max() > 20
    opened(file, expected, CONVERTED)


def test_profiles_are_applied_in_each_mode():
    for mode in ("P", "L", "1"):
        stored = Image.fromarray(SMOOTH).convert(mode)
        opened(as_bytes(stored, "PNG", icc_profile=P3), by_littlecms(stored.convert("RGB")), CONVERTED)
    alpha, deep = SMOOTH[..., :1], noise(9, 11, 3)
    file = as_bytes(np.dstack([SMOOTH, alpha]), "PNG", icc_profile=P3)
    opened(file, on_white(by_littlecms(SMOOTH), alpha), f"{CONVERTED[:-1]}; {ON_WHITE[0].lower()}{ON_WHITE[1:]}", 0.5)
    expected = by_littlecms(eighth(deep).astype(np.uint8))
    opened(png(deep, 2, ICCP), expected, f"{DEEP[:-1]}; {CONVERTED[0].lower()}{CONVERTED[1:]}")
    raw = as_bytes(SMOOTH, "JPEG2000")
    header, colour = raw.index(b"jp2h") - 4, raw.index(b"colr") - 4
    length, old = (int.from_bytes(raw[at : at + 4]) for at in (header, colour))
    box = (len(P3) + 11).to_bytes(4) + b"colr\2\0\0" + P3
    tagged = raw[:header] + (length - old + len(box)).to_bytes(4) + raw[header + 4 : colour] + box + raw[colour + old :]
    opened(tagged, by_littlecms(SMOOTH), CONVERTED)


def test_profiles_that_change_nothing_or_cannot_be_applied():
    srgb = ImageCms.ImageCmsProfile(SRGB).tobytes()
    for profile in srgb, srgb.replace("sRGB".encode("utf-16-be"), "abcd".encode("utf-16-be")):
        opened(as_bytes(SMOOTH, "PNG", icc_profile=profile), SMOOTH)
        opened(as_bytes(SMOOTH[..., 0], "PNG", icc_profile=profile), grey(SMOOTH[..., 0]))
    for profile in ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes(), b"broken", P3[:300]:
        opened(as_bytes(SMOOTH, "TIFF", icc_profile=profile), SMOOTH, UNAPPLIED)
    cmyk = Image.fromarray(SMOOTH).convert("CMYK")
    opened(as_bytes(cmyk, "TIFF", icc_profile=P3), np.asarray(cmyk.convert("RGB")), UNAPPLIED)


@pytest.mark.parametrize("primaries, transfer, said", [(1, 13, ""), (12, 13, UNAPPLIED), (1, 18, UNAPPLIED)])
def test_colours_that_a_code_names(primaries, transfer, said):
    opened(with_chunks(chunk(b"cICP", bytes([primaries, transfer, 0, 1]))), SMOOTH, said)
    for kind in ("AVIF", "HEIF"):
        raw = bytearray(as_bytes(SMOOTH, kind))
        at = raw.index(b"colrnclx") + 8
        raw[at : at + 4] = struct.pack(">HH", primaries, transfer)
        assert data.open_image(bytes(raw))[1] == said


def test_lab_and_ycbcr():
    lab = ImageCms.profileToProfile(Image.fromarray(SMOOTH), SRGB, ImageCms.createProfile("LAB"), outputMode="LAB")
    image, sentence = data.open_image(as_bytes(lab, "TIFF"))
    assert np.abs(image.astype(int) - SMOOTH).mean() < 1.5 and sentence == CONVERTED
    ycbcr = noise(9, 11, 3, kind=np.uint8)
    y, cb, cr = np.moveaxis(ycbcr - [0.0, 128, 128], -1, 0)
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb], -1).clip(0, 255)
    for deflated in (False, True):
        opened(tiff(ycbcr, "<", deflated, PhotometricInterpretation=6, YCbCrSubSampling=[1, 1]), rgb, "", 1)


# ---- broken metadata


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "AVIF", "HEIF"])
def test_broken_exif_is_ignored(kind):
    whole = as_bytes(SMOOTH, kind, exif=turned(6))
    start = max(whole.find(b"MM\0*"), whole.find(b"II*\0"))
    upright = np.rot90(SMOOTH, -1) if kind in ("AVIF", "HEIF") else SMOOTH  # these turn without EXIF
    opened(whole[:start] + b"none" + whole[start + 4 :], upright, "", 4)


def test_a_png_is_read_without_what_is_broken_in_it():
    exif, bomb = chunk(b"eXIf", turned(6)[6:]), b"k\0\0" + zlib.compress(bytes(70 << 20))
    checksum, method = chunk(b"tEXt", b"k\0v")[:-1] + b"?", chunk(b"zTXt", b"k\0\7 of no known method")
    for broken in chunk(b"zTXt", bomb), checksum, method, chunk(b"pHYs", b"short"):
        opened(with_chunks(broken), SMOOTH)
        opened(with_chunks(behind=broken), SMOOTH)
        opened(with_chunks(ICCP, exif, broken), np.rot90(by_littlecms(SMOOTH), -1), CONVERTED)


def test_what_is_needed_is_not_ignored():
    for broken in ICCP[:-4] + b"none", chunk(b"iCCP", ICCP[8:99]), chunk(b"iCCP", b"P3\0\0no zlib"):
        opened(with_chunks(broken), SMOOTH, UNAPPLIED)
    raw = as_bytes(SMOOTH, "PNG")
    refused(raw[:29] + b"none" + raw[33:])  # the checksum of the header
    refused(with_chunks(chunk(b"tRNS", b"\0\1")))
