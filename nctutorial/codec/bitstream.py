"""The .nct file: a fixed header, then one payload. What the payload holds is the range coder's affair.

All integers are little-endian.

| bytes | field | meaning |
|---|---|---|
| 3 | magic | `NCT` |
| 1 | version | format version, 1 |
| 4 | fingerprint | first bytes of the SHA-256 of the model that wrote the file |
| 2 | lam_index | position of λ on the model's grid, 0 to 4096 |
| 4, 4 | height, width | of the picture, in pixels, before any padding |
| 4 | length | of the payload, in bytes |
| 4 | checksum | CRC-32 of all the fields above and of the payload |
"""

import struct
import zlib
from dataclasses import dataclass

from .tiles import STRIDE

MAGIC = b"NCT"
VERSION = 1
MAX_PIXELS = 12 << 20  # 4096 x 3072, a phone's photo: decoding one takes 0.5 GB, Python and torch included

_FIELDS = struct.Struct("<3sB4sHIII")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size


class BitstreamError(ValueError):
    """The bytes are not a .nct file that this installation can decode; the message says why."""


@dataclass(frozen=True)
class Header:
    """What a decoder must know before the first symbol."""

    fingerprint: bytes
    lam_index: int
    height: int
    width: int


def pack(header: Header, payload: bytes) -> bytes:
    """The bytes of a file: header, checksum, payload."""
    fields = _FIELDS.pack(
        MAGIC,
        VERSION,
        header.fingerprint,
        header.lam_index,
        header.height,
        header.width,
        len(payload),
    )
    return fields + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(fields))) + payload


def unpack(data: bytes, max_pixels: int = MAX_PIXELS) -> tuple[Header, bytes]:
    """Read and check a file: (header, payload).

    Raises BitstreamError if the bytes are foreign, truncated or altered, or if they declare a picture of
    no pixels or of more than `max_pixels`. Nothing is allocated for the picture before these checks.
    """
    data = bytes(data)
    if data[:3] != MAGIC:
        raise BitstreamError("this is not a .nct file: it does not begin with the letters NCT")
    if len(data) < HEADER_BYTES:
        raise BitstreamError(f"the file ends inside its header ({len(data)} of {HEADER_BYTES} bytes): copy it again")
    _, version, fingerprint, lam_index, height, width, length = _FIELDS.unpack_from(data)
    if version != VERSION:
        raise BitstreamError(f"the file has format version {version}, this installation reads {VERSION}: update it")
    payload = data[HEADER_BYTES:]
    if len(payload) != length:
        raise BitstreamError(f"the file holds {len(payload)} bytes of payload and declares {length}: copy it again")
    (checksum,) = _CHECKSUM.unpack_from(data, _FIELDS.size)
    if checksum != zlib.crc32(payload, zlib.crc32(data[: _FIELDS.size])):
        raise BitstreamError("the checksum does not match, the file was altered: copy it again")
    if height == 0 or width == 0:
        raise BitstreamError(f"the file declares an empty picture ({width} x {height})")
    if max(height, STRIDE) * max(width, STRIDE) > max_pixels:  # a line of pixels takes the memory of STRIDE lines
        raise BitstreamError(
            f"the file declares {width} x {height} pixels, over the limit of {max_pixels} (a side counts as {STRIDE} "
            "or more): pass a larger max_pixels if you trust it"
        )
    return Header(fingerprint, lam_index, height, width), payload
