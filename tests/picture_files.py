"""Files of pictures, made for tests: by Pillow, and by hand those that Pillow cannot write."""

import io
import struct
import zlib

import numpy as np
from PIL import Image
from PIL.ExifTags import Base as Tag

LOSSLESS = {kind: {"quality": 100, "subsampling": "4:4:4"} for kind in ("AVIF", "JPEG")}  # or nearly so
LOSSLESS |= {"WEBP": {"lossless": True, "exact": True}, "HEIF": {"quality": -1, "chroma": 444}}


def as_bytes(picture, kind, **options):
    """picture: an array, or an Image of Pillow's."""
    file = io.BytesIO()
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(file, kind, **LOSSLESS.get(kind, {}), **options)
    return file.getvalue()


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(samples, colour, *chunks, interlaced=False):
    """A PNG of 16 bits. samples: (H, W) or (H, W, C); colour: the type in its header."""
    passes = [samples]
    if interlaced:
        grids = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
        passes = [samples[y::down, x::right] for y, x, down, right in grids]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for part in passes if part.size for row in part)
    header = struct.pack(">IIBBBBB", *samples.shape[1::-1], 16, colour, 0, 0, interlaced)
    parts = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def tiff(samples, order="<", deflated=False, **tags):
    """A TIFF of any samples, (H, W) or (H, W, C), with a strip for each plane. tags: by their names, one or several."""
    height, width, count = (*samples.shape, 1)[:3]
    samples = samples.astype(samples.dtype.newbyteorder(order))
    planes = np.moveaxis(samples, -1, 0) if "PlanarConfiguration" in tags else [samples]
    strips = [zlib.compress(plane.tobytes()) if deflated else plane.tobytes() for plane in planes]
    pixels = b"".join(strips)
    tags = {
        **{"ImageWidth": width, "ImageLength": height, "RowsPerStrip": height, "SamplesPerPixel": count},
        **{"BitsPerSample": count * [8 * samples.itemsize], "Compression": 8 if deflated else 1},
        "PhotometricInterpretation": 2 if count > 2 else 1,
        "SampleFormat": count * ["uif".index(samples.dtype.kind) + 1],
        "StripOffsets": [8 + sum(map(len, strips[:i])) for i in range(len(strips))],
        "StripByteCounts": [len(strip) for strip in strips],
        **tags,
    }
    entries, more, behind = b"", b"", 8 + len(pixels) + 2 + 12 * len(tags) + 4
    for number, values in sorted((Tag[name], np.atleast_1d(values)) for name, values in tags.items()):
        kind, size = (4, 4) if number in (Tag.StripOffsets, Tag.StripByteCounts) else (3, 2)
        packed = values.astype(f"{order}u{size}").tobytes().ljust(4, b"\0")
        if len(packed) > 4:
            packed, more = struct.pack(order + "I", behind + len(more)), more + packed
        entries += struct.pack(order + "HHI", number, kind, len(values)) + packed
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "HI", 42, 8 + len(pixels))
    return header + pixels + struct.pack(order + "H", len(tags)) + entries + bytes(4) + more
