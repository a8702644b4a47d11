import math
import struct
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nctutorial import BitstreamError
from nctutorial.codec.rangecoder import ESCAPE_BITS, SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder, Tables


def table(counts, low):
    return Tables(np.array(low), [np.array(c, np.int64) for c in counts])


def encode_symbols(symbols, tables):
    """Symbols, (T, N), each row under its own table, as bytes."""
    encoder = SymbolEncoder()
    encoder.put(symbols.ravel(), np.full(len(symbols), symbols.shape[1]), tables)
    return encoder.payload()


def decode_symbols(payload, n, tables):
    """The inverse: (T, n) int32."""
    decoder = SymbolDecoder(payload)
    symbols = decoder.get(np.full(len(tables.counts), n), tables)
    decoder.finish()
    return symbols.reshape(len(tables.counts), n)


@st.composite
def coding_problems(draw):
    """Symbols (C, n), some beyond their tables, and tables of 1 to 40 symbols with counts from 1 to 2^22."""
    channels, n = draw(st.integers(1, 4)), draw(st.integers(0, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    sizes = rng.integers(1, draw(st.sampled_from([2, 40])), channels, endpoint=True)
    low = rng.integers(-30, 1, channels)
    counts = [np.floor(2 ** rng.uniform(0, 22, size + 1)).astype(np.int64) for size in sizes]
    symbols = low[:, None] + rng.integers(0, sizes[:, None], (channels, n))
    wild = rng.random((channels, n)) < draw(st.sampled_from([0, 0.1, 1]))
    symbols = np.where(wild, rng.integers(-SYMBOL_LIMIT, SYMBOL_LIMIT, (channels, n)), symbols)
    return symbols.astype(np.int32), Tables(low, counts)


@given(coding_problems())
def test_round_trip(problem):
    symbols, tables = problem
    payload = encode_symbols(symbols, tables)
    assert len(payload) % 4 == 0
    decoded = decode_symbols(payload, symbols.shape[1], tables)
    assert decoded.dtype == np.int32
    np.testing.assert_array_equal(decoded, symbols)


@given(coding_problems())
def test_bits_are_the_cross_entropy(problem):
    symbols, tables = problem
    bits = tables.bits(symbols)
    for (c, i), symbol in np.ndenumerate(symbols):
        counts = [int(v) for v in tables.counts[c]]
        index = int(symbol - tables.low[c])
        known = 0 <= index < len(counts) - 1
        probability = counts[index if known else -1] / sum(counts)
        assert bits[c, i] == pytest.approx(-math.log2(probability) + (0 if known else ESCAPE_BITS), abs=1e-9)
    assert bits.shape == symbols.shape
    order = np.random.default_rng(0).permutation(bits.size)  # and the same when each symbol names its table
    names = np.repeat(np.arange(len(symbols), dtype=np.uint8), symbols.shape[1])
    np.testing.assert_array_equal(tables.bits(symbols.ravel()[order], names[order]), bits.ravel()[order])


def test_several_calls_share_a_payload():
    tables = table([[3, 1, 4], [1, 5, 9], [2, 6, 5]], [0, -1, -2])
    encoder = SymbolEncoder()
    encoder.put(np.array([1, 0, -2]), np.array([2, 0, 1]), tables)  # none of the second table
    encoder.put(np.array([500, 0]), np.array([0, 2, 0]), tables)
    decoder = SymbolDecoder(encoder.payload())
    assert decoder.get(np.array([2, 0, 1]), tables).tolist() == [1, 0, -2]
    assert decoder.get(np.array([0, 2, 0]), tables).tolist() == [500, 0]
    decoder.finish()


def test_symbols_of_one_kind_cost_next_to_nothing_and_no_symbols_nothing():
    tables = table([[2**22 - 1, 1]], [0])
    for n, most in ((0, 0), (10_000, 8)):
        payload = encode_symbols(np.zeros((1, n), np.int32), tables)
        assert len(payload) <= most
        np.testing.assert_array_equal(decode_symbols(payload, n, tables), np.zeros((1, n)))


def test_the_extreme_symbols_and_those_beyond():
    tables = table([[3, 1]], [0])
    ends = np.array([[-SYMBOL_LIMIT, SYMBOL_LIMIT - 1, -1, 1]], np.int32)
    np.testing.assert_array_equal(decode_symbols(encode_symbols(ends, tables), 4, tables), ends)
    for symbol in (-SYMBOL_LIMIT - 1, SYMBOL_LIMIT, 2**31 - 1, -(2**31)):
        with pytest.raises(ValueError, match="must lie in"):
            encode_symbols(np.array([[symbol]], np.int32), tables)


@pytest.mark.parametrize("symbols", [[1] * 32, [0, 1, 1, 0] * 8, [1, 0] * 16])
def test_payload_is_the_arithmetic_code_in_little_endian_words(symbols):
    low, width = Fraction(0), Fraction(1)  # the interval of [0, 1) that belongs to the symbols so far
    for symbol in symbols:
        begin, probability = [(Fraction(0), Fraction(1, 2)), (Fraction(1, 2), Fraction(1, 4))][symbol]
        low, width = low + width * begin, width * probability
    payload = encode_symbols(np.array([symbols], np.int32), table([[2, 1, 1]], [0]))
    (first,) = struct.unpack_from("<I", payload)
    assert first / 2**32 == pytest.approx(float(low), abs=1e-5)  # constriction keeps 2^-24 of each symbol for others


def test_each_error_of_a_payload():
    tables = table([[1, 5, 2, 1]], [-1])
    symbols = np.random.default_rng(0).integers(-1, 2, (1, 200)).astype(np.int32)
    payload = encode_symbols(symbols, tables)
    with pytest.raises(BitstreamError, match="whole number of 32-bit words"):
        decode_symbols(payload[:-1], 200, tables)
    with pytest.raises(BitstreamError, match="more symbols than"):
        decode_symbols(payload, 20, tables)
    with pytest.raises(BitstreamError, match="not what an encoder writes"):
        decode_symbols(b"\xff" * 40, 200, table([[1, 1, 1]], [0]))


# ---- payloads too short for what is asked


@pytest.mark.parametrize("place", [lambda c: 0, lambda c: len(c) - 1, np.argmax, np.argmin, lambda c: 5000])
def test_the_cheapest_and_the_dearest_symbols_fit(place):
    """What is counted against a payload is never more than an encoder needs, however skewed the tables."""
    rng = np.random.default_rng(0)
    counts = [np.array([1, 1]), np.array([2**22, 1]), np.array([1, 2**22]), np.array([1] * 300 + [2**26])]
    counts += [np.floor(2 ** rng.uniform(0, 26, size)).astype(np.int64) for size in (2, 3, 30, 300)]
    tables = Tables(np.zeros(len(counts), int), counts)
    index = np.array([place(c[:-1]) for c in counts], np.int32)
    for n in (1, 30, 3000):
        symbols = np.repeat(index[:, None], n, axis=1)
        np.testing.assert_array_equal(decode_symbols(encode_symbols(symbols, tables), n, tables), symbols)


def test_a_size_that_no_payload_of_this_length_can_hold():
    tables = table([[2, 1, 1], [1, 1, 1]], [0, 0])  # the cheapest symbols take 1 and log2(3) bits
    zeros = encode_symbols(np.zeros((2, 400), np.int32), tables)
    for payload, most in ((zeros, 400), (b"", 0)):
        assert decode_symbols(payload, most, tables).shape == (2, most)
        for n in (most + 40, 10**12):  # the latter would take 8 terabytes, were they asked for
            with pytest.raises(BitstreamError, match="cannot hold a picture of this size"):
                decode_symbols(payload, n, tables)


def test_decoding_stops_where_the_payload_ends():
    """Only cheap symbols would fit; the payload holds others, and is at its end in the first of 50 channels."""
    tables = table([[1000, 1000, 2, 2]] * 50, [0] * 50)
    payload = encode_symbols(np.full((1, 100), 2, np.int32), table([[1000, 1000, 2, 2]], [0]))
    tables.models[5:] = [None] * 45  # nothing can be decoded with these
    with pytest.raises(BitstreamError, match="ends before the picture is complete"):
        decode_symbols(payload, 20, tables)
