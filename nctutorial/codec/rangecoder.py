"""Integer symbols to bytes and back, under integer probability tables, by constriction's range coder.

A symbol outside its table is coded as the table's last entry, the escape; its value follows as a plain number.
"""

import functools
from dataclasses import dataclass
from typing import Any

import constriction
import numpy as np

from .bitstream import BitstreamError
from .units import TABLE_ONE

ESCAPE_BITS = 16  # an escaped symbol is written as a plain 16-bit number
SYMBOL_LIMIT = 1 << (ESCAPE_BITS - 1)  # symbols lie in [-SYMBOL_LIMIT, SYMBOL_LIMIT)
SLACK_BITS = 64  # what a range coder may save at the end of a payload
ROUNDING = 2.0**-23  # constriction rounds probabilities, up by so much at most

_escape_model = constriction.stream.model.Uniform(1 << ESCAPE_BITS)


def with_escape(counts: np.ndarray) -> np.ndarray:
    """The counts of a table: those of its symbols, each at least 1, and last what is left for the escape."""
    counts = np.maximum(counts, 1)
    return np.append(counts, max(TABLE_ONE - int(counts.sum()), 1))


@dataclass(frozen=True)
class Tables:
    """Integer probability tables.

    counts[t] holds the relative frequencies (positive integers) of the symbols low[t], low[t] + 1, ... and, as its
    last entry, of the escape.
    """

    low: np.ndarray  # (T,) int
    counts: list[np.ndarray]  # T arrays of int64, each of length (number of symbols + 1)

    @functools.cached_property
    def models(self) -> list[Any]:
        """constriction's entropy models. Sums of integers below 2^53 are exact in float64, on any machine."""
        model = constriction.stream.model.Categorical
        return [model(counts.astype(np.float64), perfect=False) for counts in self.counts]

    @functools.cached_property
    def least_bits(self) -> list[np.ndarray]:
        """The least that each entry of each table can take."""
        return [np.maximum(bits, 0) for bits in self._entry_bits(ROUNDING)]

    def _entry_bits(self, rounding: float = 0) -> list[np.ndarray]:
        entries = [-np.log2(counts / counts.sum() + rounding) for counts in self.counts]
        for entry in entries:
            entry[-1] += ESCAPE_BITS
        return entries

    @functools.cached_property
    def _bits(self) -> np.ndarray:
        """Bits of each symbol: (T, longest table + 1), from the one below each table's first to beyond its last."""
        entries = self._entry_bits()
        bits = np.repeat([[entry[-1]] for entry in entries], max(map(len, entries)) + 1, axis=1)
        for row, entry in zip(bits, entries, strict=True):
            row[1 : len(entry)] = entry[:-1]
        return bits

    def bits(self, symbols: np.ndarray, table: np.ndarray | None = None) -> np.ndarray:
        """Cross-entropy of each symbol in bits, escapes included. symbols: (T, ...) int, or any shape with `table`.

        table: the number of each symbol's table; by default its first index. Returns the shape of symbols.
        """
        table = np.arange(len(self.low)).reshape(-1, *[1] * (symbols.ndim - 1)) if table is None else table
        columns = self._bits.shape[1]
        index = symbols - (self.low - 1).astype(np.int32).take(table)
        np.clip(index, 0, columns - 1, out=index)
        index += table * np.int32(columns)
        return self._bits.take(index)


class SymbolEncoder:
    """Range-codes integer symbols, one call after the other."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()

    def put(self, symbols: np.ndarray, sizes: np.ndarray, tables: Tables) -> None:
        """Code sizes[0] symbols under the first table, then sizes[1] under the second, and so on.

        symbols: (N,) int in [-SYMBOL_LIMIT, SYMBOL_LIMIT), N the sum of the sizes. The escaped values of a table
        follow its symbols as plain 16-bit numbers. Raises ValueError for a symbol outside the limit.
        """
        if symbols.size and (symbols.min() < -SYMBOL_LIMIT or symbols.max() >= SYMBOL_LIMIT):
            raise ValueError(f"symbols must lie in [-{SYMBOL_LIMIT}, {SYMBOL_LIMIT})")
        end = 0
        for model, low, counts, n in zip(tables.models, tables.low, tables.counts, map(int, sizes), strict=True):
            begin, end = end, end + n
            if n == 0:
                continue
            escape = len(counts) - 1
            index = symbols[begin:end].astype(np.int32) - np.int32(low)
            outside = (index < 0) | (index >= escape)
            self._coder.encode(np.where(outside, np.int32(escape), index), model)
            if outside.any():
                values = symbols[begin:end][outside].astype(np.int32) + SYMBOL_LIMIT
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
        least = tables.least_bits
        self._left -= sum(int(n) * bits.min() for n, bits in zip(sizes, least, strict=True))
        if self._left < 0:
            raise BitstreamError(
                f"{self._bytes} bytes of payload cannot hold a picture of this size: the file was altered"
            )
        symbols = np.empty(int(np.sum(sizes)), np.int32)
        end = 0
        try:
            for t, (model, n) in enumerate(zip(tables.models, map(int, sizes), strict=True)):
                begin, end = end, end + n
                if n == 0:
                    continue
                index = self._coder.decode(model, n)
                self._left -= least[t][index].sum() - n * least[t].min()
                if self._left < 0:
                    raise BitstreamError("the payload ends before the picture is complete: the file was altered")
                symbols[begin:end] = index + tables.low[t]
                escaped = index == len(tables.counts[t]) - 1
                if escaped.any():
                    symbols[begin:end][escaped] = self._coder.decode(_escape_model, int(escaped.sum())) - SYMBOL_LIMIT
        except AssertionError:  # constriction's word for bits that no encoder writes
            raise BitstreamError("the payload is not what an encoder writes: the file was altered") from None
        return symbols

    def finish(self) -> None:
        """Check that nothing is left."""
        if not self._coder.maybe_exhausted():
            raise BitstreamError("the payload holds more symbols than the picture needs: the file was altered")
