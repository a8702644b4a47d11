"""The .nct file: a fixed header, then one range-coded payload of integer symbols under integer tables.

Nothing here knows of networks or of torch. All integers are little-endian.

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
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np

MAGIC = b"NCT"
VERSION = 1
MAX_PIXELS = 1 << 24  # 4096 x 4096: decoding one takes about 0.5 GB, Python and torch included
ESCAPE_BITS = 16  # an escaped symbol is written as a plain 16-bit number
SLACK_BITS = 64  # what a range coder may save at the end of a payload
SYMBOL_LIMIT = 1 << (ESCAPE_BITS - 1)  # symbols lie in [-SYMBOL_LIMIT, SYMBOL_LIMIT)

_FIELDS = struct.Struct("<3sB4sHIII")
_CHECKSUM = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECKSUM.size

_escape_model = constriction.stream.model.Uniform(1 << ESCAPE_BITS)


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
    if height * width > max_pixels:
        raise BitstreamError(
            f"the file declares {width} x {height} pixels, over the limit of {max_pixels}: "
            "pass a larger max_pixels if you trust it"
        )
    return Header(fingerprint, lam_index, height, width), payload


@dataclass(frozen=True)
class Tables:
    """Integer probability tables, one row of symbols for each channel.

    counts[c] holds the relative frequencies (positive integers) of the symbols low[c], low[c] + 1, ... and,
    as its last entry, of the escape.
    """

    low: np.ndarray  # (C,) int
    counts: list[np.ndarray]  # C arrays of int64, each of length (number of symbols + 1)

    def models(self) -> Iterator[Any]:
        """constriction's entropy models. Sums of integers below 2^53 are exact in float64, on any machine."""
        for counts in self.counts:
            yield constriction.stream.model.Categorical(counts.astype(np.float64), perfect=False)

    def bits(self, symbols: np.ndarray) -> np.ndarray:
        """Cross-entropy of each symbol in bits, escapes included. symbols: (C, N) int. Returns (C, N)."""
        starts = np.cumsum([0] + [len(c) for c in self.counts[:-1]])
        sizes = np.array([len(c) for c in self.counts])
        flat = np.concatenate(self.counts).astype(np.float64)
        cost = np.log2(np.repeat(np.add.reduceat(flat, starts), sizes)) - np.log2(flat)
        cost[starts + sizes - 1] += ESCAPE_BITS
        index = symbols - self.low[:, None]
        last = (sizes - 1)[:, None]
        index = np.where((index < 0) | (index > last), last, index)
        return cost[index + starts[:, None]]


def encode_symbols(symbols: np.ndarray, tables: Tables) -> bytes:
    """Range-code integer symbols, channel after channel.

    symbols: (C, N) int32 in [-SYMBOL_LIMIT, SYMBOL_LIMIT). A symbol outside its channel's table is coded as the
    escape; the escaped values of a channel follow it as plain 16-bit numbers. Raises ValueError for a symbol
    outside the limit.
    """
    if symbols.size and (symbols.min() < -SYMBOL_LIMIT or symbols.max() >= SYMBOL_LIMIT):
        raise ValueError(f"symbols must lie in [-{SYMBOL_LIMIT}, {SYMBOL_LIMIT})")
    encoder = constriction.stream.queue.RangeEncoder()
    escapes = np.array([len(c) - 1 for c in tables.counts])
    index = symbols.astype(np.int32) - tables.low[:, None].astype(np.int32)
    outside = np.logical_or(index < 0, index >= escapes[:, None])
    index = np.where(outside, escapes[:, None], index).astype(np.int32)
    has_escape = np.asarray(outside.any(axis=1))
    for c, model in enumerate(tables.models()):
        encoder.encode(index[c], model)
        if has_escape[c]:
            values = symbols[c, outside[c]] + SYMBOL_LIMIT
            encoder.encode(values.astype(np.int32), _escape_model)
    return encoder.get_compressed().astype("<u4").tobytes()


def _least_bits(counts: np.ndarray) -> np.ndarray:
    """The least that each entry of a table can take: constriction rounds probabilities, up by 2^-23 at most."""
    bits = np.maximum(-np.log2(counts / counts.sum() + 2.0**-23), 0)
    bits[-1] += ESCAPE_BITS
    return bits


def decode_symbols(payload: bytes, n: int, tables: Tables) -> np.ndarray:
    """The inverse of `encode_symbols`: (C, n) int32.

    Raises BitstreamError if the payload is no whole number of 32-bit words, holds more or less than was asked for,
    or is nothing that `encode_symbols` writes. A payload too short for n symbols costs neither their time nor their
    memory: constriction goes on behind the end, so the bits that symbols take at least are counted here.
    """
    if len(payload) % 4:
        raise BitstreamError("the payload is not a whole number of 32-bit words: the file was altered")
    costs = [_least_bits(counts) for counts in tables.counts]
    left = 8 * len(payload) + SLACK_BITS - n * sum(cost.min() for cost in costs)
    if left < 0:
        raise BitstreamError(
            f"{len(payload)} bytes of payload cannot hold a picture of this size: the file was altered"
        )
    decoder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
    symbols = np.empty((len(tables.counts), n), np.int32)
    try:
        for c, model in enumerate(tables.models()):
            index = decoder.decode(model, n)
            left -= costs[c][index].sum() - n * costs[c].min()
            if left < 0:
                raise BitstreamError("the payload ends before the picture is complete: the file was altered")
            symbols[c] = index + tables.low[c]
            escaped = index == len(tables.counts[c]) - 1
            if escaped.any():
                symbols[c, escaped] = decoder.decode(_escape_model, int(escaped.sum())) - SYMBOL_LIMIT
    except AssertionError:  # constriction's word for bits that no encoder writes
        raise BitstreamError("the payload is not what an encoder writes: the file was altered") from None
    if not decoder.maybe_exhausted():
        raise BitstreamError("the payload holds more symbols than the picture needs: the file was altered")
    return symbols
