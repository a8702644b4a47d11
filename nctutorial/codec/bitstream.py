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

import functools
import struct
import zlib
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np

MAGIC = b"NCT"
VERSION = 1
MAX_PIXELS = 12 << 20  # 4096 x 3072, a phone's photo: decoding one takes 0.5 GB, Python and torch included
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

    @functools.cached_property
    def models(self) -> list[Any]:
        """constriction's entropy models. Sums of integers below 2^53 are exact in float64, on any machine."""
        model = constriction.stream.model.Categorical
        return [model(counts.astype(np.float64), perfect=False) for counts in self.counts]

    @functools.cached_property
    def least_bits(self) -> list[np.ndarray]:
        """The least that each entry can take: constriction rounds probabilities, up by 2^-23 at most."""
        found = [np.maximum(-np.log2(counts / counts.sum() + 2.0**-23), 0) for counts in self.counts]
        for bits in found:
            bits[-1] += ESCAPE_BITS
        return found

    def bits(self, symbols: np.ndarray, row: np.ndarray | None = None) -> np.ndarray:
        """Cross-entropy of each symbol in bits, escapes included. symbols: (C, N) int, or any shape with `row`.

        row: the table of each symbol, of the same shape; by default the first row of symbols has the first table,
        and so on. Returns the shape of symbols.
        """
        first, last, shift, costs = self._costs
        table = np.arange(len(first))[:, None] if row is None else row
        index = np.clip(symbols, first.take(table), last.take(table))
        index += shift.take(table)
        return costs.take(index)

    @functools.cached_property
    def _costs(self) -> tuple[np.ndarray, ...]:
        """The bits of all entries of all tables in one array, each table with its escape before it and behind it.

        Returns of each table the symbols before its first and behind its last, and where symbol 0 stands: (C,) int32;
        and the bits.
        """
        sizes = np.array([len(counts) for counts in self.counts])
        bits = [np.log2(counts.sum()) - np.log2(counts) for counts in self.counts]
        for of_table in bits:
            of_table[-1] += ESCAPE_BITS
        starts = np.cumsum(sizes + 1) - sizes - 1
        found = self.low - 1, self.low + sizes - 1, starts + 1 - self.low
        both = np.concatenate([np.concatenate([of_table[-1:], of_table]) for of_table in bits])
        return *(array.astype(np.int32) for array in found), both


class SymbolEncoder:
    """Range-codes integer symbols, one call after the other."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, symbols: np.ndarray, sizes: np.ndarray, tables: Tables) -> None:
        """Code sizes[0] symbols under the first table, then sizes[1] under the second, and so on.

        symbols: (N,) int in [-SYMBOL_LIMIT, SYMBOL_LIMIT), N the sum of the sizes. One outside its table is coded as
        the escape; the escaped values of a table follow it as plain 16-bit numbers. Raises ValueError for a symbol
        outside the limit.
        """
        if symbols.size and (symbols.min() < -SYMBOL_LIMIT or symbols.max() >= SYMBOL_LIMIT):
            raise ValueError(f"symbols must lie in [-{SYMBOL_LIMIT}, {SYMBOL_LIMIT})")
        symbols = symbols.astype(np.int32)
        index = symbols - np.repeat(tables.low.astype(np.int32), sizes)
        escapes = np.repeat(np.array([len(c) - 1 for c in tables.counts], np.int32), sizes)
        outside = np.logical_or(index < 0, index >= escapes)
        index = np.where(outside, escapes, index)
        ends = np.cumsum(sizes)
        for model, begin, end in zip(tables.models, ends - sizes, ends, strict=True):
            if begin == end:
                continue
            self._coder.encode(index[begin:end], model)
            if outside[begin:end].any():
                values = symbols[begin:end][outside[begin:end]] + SYMBOL_LIMIT
                self._coder.encode(values, _escape_model)

    def payload(self) -> bytes:
        """What was coded, as bytes."""
        return self._coder.get_compressed().astype("<u4").tobytes()


class SymbolDecoder:
    """The inverse of SymbolEncoder. Every method raises BitstreamError for a payload that it does not write.

    A payload too short for the symbols costs neither their time nor their memory: constriction goes on behind the
    end, so the bits that symbols take at least are counted here.
    """

    def __init__(self, payload: bytes):
        if len(payload) % 4:
            raise BitstreamError("the payload is not a whole number of 32-bit words: the file was altered")
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(payload, "<u4").astype(np.uint32))
        self._bytes, self._left = len(payload), 8.0 * len(payload) + SLACK_BITS

    def get(self, sizes: np.ndarray, tables: Tables) -> np.ndarray:
        """As many symbols of each table as `sizes` says: (N,) int32, N their sum."""
        costs = tables.least_bits
        self._left -= sum(int(n) * cost.min() for n, cost in zip(sizes, costs, strict=True))
        if self._left < 0:
            raise BitstreamError(
                f"{self._bytes} bytes of payload cannot hold a picture of this size: the file was altered"
            )
        symbols = np.empty(int(np.sum(sizes)), np.int32)
        end = 0
        try:
            for c, (model, n) in enumerate(zip(tables.models, sizes, strict=True)):
                if n == 0:
                    continue
                begin, end = end, end + int(n)
                index = self._coder.decode(model, int(n))
                self._left -= costs[c][index].sum() - int(n) * costs[c].min()
                if self._left < 0:
                    raise BitstreamError("the payload ends before the picture is complete: the file was altered")
                symbols[begin:end] = index + tables.low[c]
                escaped = index == len(tables.counts[c]) - 1
                if escaped.any():
                    symbols[begin:end][escaped] = self._coder.decode(_escape_model, int(escaped.sum())) - SYMBOL_LIMIT
        except AssertionError:  # constriction's word for bits that no encoder writes
            raise BitstreamError("the payload is not what an encoder writes: the file was altered") from None
        return symbols

    def finish(self) -> None:
        """Check that nothing is left."""
        if not self._coder.maybe_exhausted():
            raise BitstreamError("the payload holds more symbols than the picture needs: the file was altered")
