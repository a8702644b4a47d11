import itertools
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nctutorial import BitstreamError
from nctutorial.codec import bitstream
from nctutorial.codec.bitstream import HEADER_BYTES, Header

HEADER = Header(b"\x01\x02\x03\x04", 0x0567, 0x89ABCD, 3)


def declaring(height, width):
    return bitstream.pack(Header(b"1234", 0, height, width), b"")


def test_header_layout_byte_by_byte():
    payload = b"payload"
    fields = b"NCT\x01\x01\x02\x03\x04\x67\x05\xcd\xab\x89\x00\x03\x00\x00\x00\x07\x00\x00\x00"
    data = fields + struct.pack("<I", zlib.crc32(fields + payload)) + payload
    assert bitstream.pack(HEADER, payload) == data
    assert HEADER_BYTES == len(fields) + 4
    assert bitstream.unpack(data, max_pixels=2**32) == (HEADER, payload)


@given(
    st.builds(Header, st.binary(min_size=4, max_size=4), st.integers(0, 2**16 - 1), *[st.integers(1, 9000)] * 2),
    st.binary(max_size=50),
    st.sampled_from([bytes, bytearray, memoryview]),
)
def test_unpack_inverts_pack(header, payload, kind):
    assert bitstream.unpack(kind(bitstream.pack(header, payload)), max_pixels=9000**2) == (header, payload)


def test_every_shorter_file_is_an_error():
    data = bitstream.pack(HEADER, b"12345678")
    for length in range(len(data)):
        with pytest.raises(BitstreamError, match="begin with the letters" if length < 3 else "copy it again"):
            bitstream.unpack(data[:length])


def test_every_changed_bit_is_an_error():
    data = bitstream.pack(HEADER, b"12345678")
    for i, bit in itertools.product(range(len(data)), range(8)):
        altered = bytearray(data)
        altered[i] ^= 1 << bit
        with pytest.raises(BitstreamError):
            bitstream.unpack(altered, max_pixels=2**64)


@pytest.mark.parametrize(
    "data, message",
    [
        (b"GIF89a", "not a .nct file"),
        (b"NCT\x02" + bitstream.pack(HEADER, b"1234")[4:], "version 2, .* reads 1: update"),
        (bitstream.pack(HEADER, b"1234") + b"!", "holds 5 bytes of payload and declares 4"),
        (bitstream.pack(HEADER, b"1234")[:-1] + b"5", "checksum"),
        (declaring(0, 5), r"empty picture \(5 x 0\)"),
        (declaring(5, 0), r"empty picture \(0 x 5\)"),
    ],
)
def test_errors_say_what_is_wrong(data, message):
    with pytest.raises(BitstreamError, match=message):
        bitstream.unpack(data)


@pytest.mark.parametrize(
    "height, width, pixels",  # a side counts as at least 16: a line of pixels takes the memory of 16 lines
    [(30, 40, 1200), (16, 16, 256), (1, 1, 256), (1, 40, 640), (40, 15, 640), (2**32 - 1, 2**32 - 1, (2**32 - 1) ** 2)],
)
def test_the_pixel_limit(height, width, pixels):
    data = declaring(height, width)
    header, _ = bitstream.unpack(data, max_pixels=pixels)
    assert (header.height, header.width) == (height, width)
    with pytest.raises(BitstreamError, match=f"{width} x {height} pixels, over the limit of {pixels - 1} .*max_pixels"):
        bitstream.unpack(data, max_pixels=pixels - 1)
