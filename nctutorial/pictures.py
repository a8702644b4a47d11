"""Any picture file as the RGB that a screen shows: what Pillow leaves to those who call it.

Pillow cuts 16 bits a sample to 8, keeps colours as they are stored, refuses a sound picture for a broken comment, and
opens PostScript by starting a program. Here 16 bits are rounded, colours become sRGB, broken metadata are ignored, and
nothing is opened but the formats in FORMATS, for which no program is needed.
"""

import contextlib
import io
import logging
import sys
import warnings
import zlib
from typing import IO, Any

import numpy as np
import pillow_heif
from PIL import Image, ImageCms
from PIL.ExifTags import Base as Tag
from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "HEIF", "TIFF", "GIF", "BMP", "PPM", "JPEG2000")
TURN = Image.Transpose
TURNS = {  # by EXIF orientation
    2: TURN.FLIP_LEFT_RIGHT,
    3: TURN.ROTATE_180,
    4: TURN.FLIP_TOP_BOTTOM,
    5: TURN.TRANSPOSE,
    6: TURN.ROTATE_270,
    7: TURN.TRANSVERSE,
    8: TURN.ROTATE_90,
}
SRGB, LAB = (ImageCms.ImageCmsProfile(ImageCms.createProfile(space)) for space in ("sRGB", "LAB"))
GRID = Image.fromarray(np.moveaxis(np.indices((16, 16, 16), np.uint8), 0, -1).reshape(64, 64, 3) * 17)
MOST_PAGES = 50  # of a TIFF that are looked at

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else its errors go to stderr, beside the one raised
pillow_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)
Image.init()


def read(stream: IO[bytes]) -> tuple[np.ndarray, list[str]]:
    """The picture in a file: (uint8 (H, W, 3), in sRGB, upright, on white; what was changed or left out).

    stream: open for reading, and for seeking if it is not at its beginning. Raises UnidentifiedImageError if it does
    not begin as one of FORMATS, ValueError if it goes on as none that can be shown, and whatever else Pillow raises.
    """
    if stream.seekable():
        stream.seek(0)
    raw = stream.read(16)
    if not any((Image.OPEN[kind][1] or bool)(raw) for kind in FORMATS):  # before the rest is read: it may be long
        raise Image.UnidentifiedImageError
    raw += stream.read()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        try:
            return _read(raw)
        except Exception:
            if (bare := _without_metadata(raw)) == raw:
                raise
        return _read(bare)


def _without_metadata(raw: bytes) -> bytes:
    """A PNG with its pixels, its colours and its EXIF alone, an AVIF without EXIF; another file as it is."""
    if raw[4:8] == b"ftyp":
        return raw.replace(b"Exif", b"none")  # the type of an item
    if not raw.startswith(b"\x89PNG"):
        return raw
    kept, at = bytearray(raw[:8]), 8
    while chunk := raw[at : at + 12 + int.from_bytes(raw[at : at + 4])]:
        at += len(chunk)
        name, sound = chunk[4:8], zlib.crc32(chunk[4:-4]) == int.from_bytes(chunk[-4:])
        if name.isupper() or name == b"tRNS" or (sound and name in (b"iCCP", b"cICP", b"eXIf")):
            kept += chunk
        elif name == b"iCCP":  # an empty one in its place, so that it is said
            kept += b"\0\0\0\2iCCP\0\0" + zlib.crc32(b"iCCP\0\0").to_bytes(4)
    return bytes(kept)


def _open(raw: bytes) -> ImageFile:
    try:
        return Image.open(io.BytesIO(raw), formats=FORMATS)
    except Image.UnidentifiedImageError:  # though it begins as one of FORMATS
        raise ValueError("it is damaged, or of a rare kind; save it as PNG with 8 or 16 bits first") from None


def _read(raw: bytes) -> tuple[np.ndarray, list[str]]:
    with _open(raw) as file:
        picture, said = _eight_bits(file, raw)
        alpha = None
        if picture.has_transparency_data:
            if picture.mode == "La":
                picture = picture.convert("LA")  # to all other modes Pillow knows no way
            alpha = picture.convert("RGBA").getchannel("A")
            picture = picture.convert("L" if picture.mode in ("L", "LA") else "RGBA")
        picture, about_colours = _to_srgb(picture, _profile(file, raw))
        said += about_colours
        if alpha and alpha.getextrema() != (255, 255):
            said.append("transparency was put on white")
            white = Image.new("RGB", picture.size, "white")
            white.paste(picture, mask=alpha)
            picture = white
        with contextlib.suppress(Exception):  # no orientation, or broken EXIF
            if file.format != "TIFF":  # these Pillow has turned already
                picture = picture.transpose(TURNS[file.getexif()[Tag.Orientation]])
        image = np.array(picture)  # before `file` turns to another one
        with contextlib.suppress(Exception):  # what stands behind the first picture may be damaged
            if _holds_more(file):
                said.append("only the first of its pictures was taken")
        return image, said


def _holds_more(file: Any) -> bool:
    """Whether there are further pictures, which a preview or the gain map of an HDR photo is not."""
    if file.format == "MPO":
        return any(entry["Attribute"]["MPType"].startswith("Multi-Frame") for entry in file.mpinfo[0xB002][1:])
    if file.format == "TIFF":
        for page in range(1, MOST_PAGES):
            file.seek(page)  # raises EOFError behind the last
            if not file.tag_v2.get(Tag.NewSubfileType, 0) & 1:
                return True
    return getattr(file, "is_animated", False)


# ---- samples


def _eight_bits(file: Any, raw: bytes) -> tuple[Image.Image, list[str]]:
    """The picture with 8 bits a sample, and what is to be said of that."""
    bits = _bits(file, raw)
    said = [f"{bits} bits a sample became 8"] if bits > 8 else []
    tags = getattr(file, "tag_v2", {})  # of a TIFF
    if 2 in tags.get(Tag.SampleFormat, ()):
        raise ValueError("its samples are signed; save it with 8 or 16 bits, unsigned, first")
    values = _samples(file, raw, bits) if said else None
    if values is None:
        file.load()
        return file, said
    if values.dtype.kind == "f":
        top = 1 if values.max() <= 1 else 255
        if not 0 <= values.min() <= values.max() <= top:  # false for NaN, too
            raise ValueError("its floating-point samples lie neither in 0..1 nor in 0..255; scale them first")
        samples = np.round(values * (255 / top)).astype(np.uint8)
    else:
        samples = np.round(np.arange(2**bits) * 255 / (2**bits - 1)).astype(np.uint8)[values]
        if bits == 16 and 0 < values.max() < 4096:
            said.append(f"no sample is above {values.max()} of 65535: if they have 10 or 12 bits, scale them first")
    mode = {(): "L", (2,): "LA", (3,): "RGB"}.get(samples.shape[2:], file.mode)
    if tags and tags.get(Tag.PhotometricInterpretation, 0) == 0:  # white is 0
        samples = 255 - samples
    if mode == "RGBA" and 1 in tags.get(Tag.ExtraSamples, ()):  # colours that were multiplied by alpha
        mode = "RGBa"
    picture = Image.frombytes(mode, samples.shape[1::-1], samples.tobytes())
    if "transparency" in file.info:  # of a PNG: one value or colour, in 16 bits
        clear = (values.reshape(*values.shape[:2], -1) == file.info["transparency"]).all(-1)
        picture.putalpha(Image.fromarray(255 - 255 * clear.astype(np.uint8)))
    return picture, said


def _bits(file: Any, raw: bytes) -> int:
    """Bits a sample, as the file declares them."""
    match file.format:
        case "PNG":
            return raw[24]
        case "TIFF":
            return max(file.tag_v2.get(Tag.BitsPerSample, (1,)))
        case "PPM":
            args = file.tile[0].args
            return {"I": 16, "F": 32}.get(file.mode) or (args[1].bit_length() if isinstance(args, tuple) else 8)
        case "HEIF":
            return file.info["bit_depth"]
        case "AVIF":
            return int.from_bytes(raw.partition(b"pixi")[2][5:6]) or 8
        case "JPEG2000":
            return (raw.partition(b"\xff\x4f\xff\x51")[2][38] & 127) + 1
    return 8


def _samples(file: Any, raw: bytes, bits: int) -> np.ndarray | None:
    """Samples of more than 8 bits, as stored: (H, W) or (H, W, C). None if Pillow rounds them. Raises ValueError."""
    if file.format == "HEIF":
        heif = pillow_heif.open_heif(io.BytesIO(raw), convert_hdr_to_8bit=False, hdr_to_16bit=False)
        return np.array(heif[heif.primary_index])  # a copy: the samples may go with `heif`
    tags = getattr(file, "tag_v2", {})
    if tags and file.mode == "I":
        raise ValueError(f"it has {bits} bits a sample; save it with 8 or 16 bits first")
    if file.mode == "F" and file.tile[0].codec_name == "libtiff":
        return _unpacked(raw, "F;32NF")  # libtiff has put the bytes in this machine's order
    if file.mode == "F" or file.mode.startswith("I"):
        values = np.asarray(file)
        return values >> 16 - bits if file.format == "JPEG2000" else values
    if file.format == "JPEG2000" or tags.get(Tag.PlanarConfiguration) == 2:
        raise ValueError(f"a {file.format} of this kind can have no more than 8 bits a sample; save it as PNG first")
    if file.format not in ("PNG", "TIFF"):
        return None
    # Of each of these samples Pillow keeps one byte. The raw mode says which: for the other one it names the other
    # order of bytes.
    args = file.tile[0].args
    rawmode = args if isinstance(args, str) else args[0]
    if rawmode == "LA;16B":
        pairs = _unpacked(raw, "RGBA").astype(np.uint16)
        return pairs[..., ::2] << 8 | pairs[..., 1::2]
    channels, order = rawmode[:-1].replace("a", "A"), rawmode[-1].replace("N", sys.byteorder[0].upper())
    samples = _unpacked(raw, channels + order).astype(np.uint16)
    samples <<= 8
    samples |= _unpacked(raw, channels + ("B" if order == "L" else "L"))
    return samples


def _unpacked(raw: bytes, rawmode: str) -> np.ndarray:
    """The picture as Pillow reads it in another raw mode: uint8 (H, W, C)."""
    with _open(raw) as file:
        for i, tile in enumerate(file.tile):
            args = (rawmode, *tile.args[1:]) if isinstance(tile.args, tuple) else rawmode
            file.tile[i] = tile._replace(args=args)
        return np.asarray(file)


# ---- colours


def _profile(file: Any, raw: bytes) -> bytes | None:
    """The ICC profile; b"" if it is broken, or if the colours are others by a code for which there is no profile."""
    if "icc_profile" in file.info:
        return file.info["icc_profile"] or b""
    if file.format == "JPEG2000" and b"colr\2" in raw:
        return raw.partition(b"colr\2")[2][2:]
    primaries, transfer = 1, 13  # of sRGB
    if file.format == "PNG" and b"cICP" in (head := raw.partition(b"IDAT")[0]):
        primaries, transfer = head.partition(b"cICP")[2][:2]
    elif file.format in ("AVIF", "HEIF") and b"colrnclx" in raw:
        primaries, transfer = raw.partition(b"colrnclx")[2][1:4:2]
    return b"" if primaries in (9, 11, 12) or transfer in (8, 16, 18) else None  # wide gamuts; linear light, HDR


def _to_srgb(picture: Image.Image, icc: bytes | None) -> tuple[Image.Image, list[str]]:
    """The colours of a picture as RGB in sRGB, and what is to be said of them. icc: as `_profile` returns it."""
    if picture.mode not in ("L", "RGB", "CMYK", "LAB"):
        picture = picture.convert("L" if picture.mode == "1" else "RGB")
    if icc is None and picture.mode != "LAB":
        return picture if picture.mode == "RGB" else picture.convert("RGB"), []
    try:
        profile = LAB if picture.mode == "LAB" else ImageCms.ImageCmsProfile(io.BytesIO(icc or b""))
        if picture.mode == "L" and profile.profile.xcolor_space == "RGB ":
            picture = picture.convert("RGB")
        transform = ImageCms.buildTransform(profile, SRGB, picture.mode, "RGB")
    except Exception:  # broken, or for other colours than these
        return picture.convert("RGB"), ["the colour profile was not applied"]
    if picture.mode in ("L", "RGB"):  # what a profile does decides whether it is sRGB, not its name
        grid = GRID.convert(picture.mode)
        moved = np.asarray(transform.apply(grid), int) - np.asarray(grid.convert("RGB"))
        if abs(moved).max() <= 2:
            return _to_srgb(picture, None)
    return transform.apply(picture), ["its colours were converted to sRGB"]
