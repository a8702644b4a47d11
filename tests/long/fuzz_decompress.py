"""Hostile bytes for `decompress`: python -m tests.long.fuzz_decompress --count 1000000 --seed 0

Each stream is made from the golden streams: bits flipped, bytes cut, copied or replaced, two streams spliced, noise,
a header that lies. Half of them get a right checksum again, so that the code behind the checksum is tried too. Most
go to tiny codecs of both kinds, which are fast; the rest, about one in fifty, to the bundled ones. A million streams
take 40 minutes on one core. What must hold of every stream:

- it decodes, or raises BitstreamError: no other exception, and no PanicException, which `except Exception` misses;
- it takes no more than a second of processor time, and the process no more than 512 MB;
- unless the checksum was repaired, it decodes only if it is one of the golden streams, and then to that picture.

Prints a table, and exits with 1 if anything else happened. The same seed makes the same streams.
"""

import argparse
import collections
import functools
import re
import resource
import struct
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import torch

import nctutorial
from nctutorial import BitstreamError, data
from nctutorial.codec import CODECS
from nctutorial.codec.base import Codec
from nctutorial.codec.bitstream import MAX_PIXELS
from tests.small_codec import SIZES

GOLDEN = Path(__file__).parent.parent / "codec" / "golden"
HEADER = struct.Struct("<3sB4sHIII")  # as in codec/bitstream.py, written down a second time
HEADER_BYTES = HEADER.size + 4  # and the checksum
MUTATIONS = ("flip", "replace", "cut", "copy", "splice", "noise", "header", "grow")


@functools.cache
def tiny_codec(kind: str) -> Codec:
    """Never trained: its pictures are noise. No PCA either, which would take the memory that is watched here."""
    torch.manual_seed(0)
    model = CODECS[kind][0](**SIZES[kind])
    model.start_prior(torch.logspace(1.5, -1, len(model.y_scale)))
    return CODECS[model.kind][1].finish(model)


def corpus() -> dict[str, list[bytes]]:
    """The golden streams, and those that tiny codecs make of the golden pictures."""
    paths = sorted(GOLDEN.glob("*.nct"))
    images = [data.load_image(path.with_suffix(".png")) for path in paths]
    streams = {"bundled": [path.read_bytes() for path in paths]}
    for kind in CODECS:
        streams[kind] = [tiny_codec(kind).compress(image, lam) for image in images for lam in (0.001, 0.01, 0.06)]
    return streams


def lying_header(stream: bytes, rng: np.random.Generator) -> bytes:
    """Another value in one field of the header, often one at some limit."""
    fields = list(HEADER.unpack_from(stream))
    which = rng.integers(1, 7)
    if which == 2:
        fields[2] = rng.bytes(4)
    else:
        most = {1: 8, 3: 16}.get(which, 32)
        size = int(rng.integers(most + 1))  # as many small numbers as large ones
        edge = int(rng.choice([0, 1, 4096, 4097, 65535, len(stream) - HEADER_BYTES, MAX_PIXELS // max(fields[5], 1)]))
        fields[which] = (edge if rng.random() < 0.3 else int(rng.integers(2**size))) % 2**most
    if which != 6 and rng.random() < 0.3:  # and another lie beside it
        fields[4], fields[5] = int(rng.integers(1, 2**14)), int(rng.integers(1, 2**14))
    return HEADER.pack(*fields) + stream[22:]


def mutate(kind: str, stream: bytes, other: bytes, rng: np.random.Generator) -> bytes:
    """One mutation of a stream. kind: one of MUTATIONS; other: a second stream, to splice."""
    altered, where = bytearray(stream), int(rng.integers(len(stream)))
    piece = slice(where, where + int(rng.integers(1, 1 + 2 ** rng.integers(8))))
    if kind == "flip":
        for i in rng.integers(len(stream), size=rng.integers(1, 5)):
            altered[i] ^= 1 << int(rng.integers(8))
    elif kind == "replace":
        altered[piece] = rng.bytes(piece.stop - where)
    elif kind == "cut":
        del altered[where : None if rng.random() < 0.5 else piece.stop]
    elif kind == "copy":
        there = int(rng.integers(len(stream)))
        altered[there:there] = stream[piece]
    elif kind == "splice":
        at = (HEADER_BYTES, HEADER_BYTES) if rng.random() < 0.3 else (where, int(rng.integers(len(other))))
        altered[at[0] :] = other[at[1] :]
    elif kind == "noise":
        altered[int(rng.choice([0, 3, HEADER_BYTES])) :] = rng.bytes(int(rng.integers(2 ** rng.integers(12))))
    elif kind == "header":
        return lying_header(stream, rng)
    elif kind == "grow":  # words behind the end, or a payload of many kilobytes under a large size
        altered += rng.bytes(4 * int(rng.integers(2 ** rng.integers(14))))
        if rng.random() < 0.5:
            altered[12:20] = struct.pack("<II", *(int(side) for side in rng.integers(1, 4097, 2)))
    return bytes(altered)


def make(streams: list[bytes], rng: np.random.Generator) -> tuple[str, bool, bytes]:
    """A hostile stream: (its last mutation, whether the checksum was repaired, the bytes)."""
    stream = streams[rng.integers(len(streams))]
    for kind in rng.choice(MUTATIONS, size=1 + (rng.random() < 0.3)):
        if len(stream) >= HEADER_BYTES:
            stream = mutate(str(kind), stream, streams[rng.integers(len(streams))], rng)
    repair = bool(rng.random() < 0.5)
    if repair and len(stream) >= HEADER_BYTES:
        fields, payload = stream[: HEADER.size], stream[HEADER_BYTES:]
        if rng.random() < 0.7:
            payload = payload[: len(payload) // 4 * 4]  # whole words, else nothing behind that check is tried
        if rng.random() < 0.9:  # else the length goes on lying
            fields = fields[:18] + struct.pack("<I", len(payload))
        stream = fields + struct.pack("<I", zlib.crc32(fields + payload)) + payload
    return str(kind), repair, stream


def megabytes() -> float:
    """The most memory that this process has used so far."""
    if (status := Path("/proc/self/status")).exists():  # getrusage begins with the peak of the parent
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) / 1e3
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def judge(decompress, stream: bytes, repair: bool, pictures: dict[bytes, np.ndarray]) -> str:
    """What became of a stream: "decoded", "BitstreamError", or what must not be. pictures: of the golden streams."""
    try:
        image = decompress(stream)
    except BitstreamError as error:
        message = str(error)
        if stream in pictures:
            return f"a golden stream was refused: {message}"
        return "BitstreamError" if message and "\n" not in message else f"no single line: {message!r}"
    except BaseException as error:  # PanicException is no Exception
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"
    if stream in pictures:
        return "decoded" if np.array_equal(image, pictures[stream]) else "a golden stream gave another picture"
    if not repair:
        return "an altered stream was decoded"
    height, width = HEADER.unpack_from(stream)[4:6]
    if image.dtype != np.uint8 or image.shape != (height, width, 3):
        return f"{image.dtype} of shape {image.shape} for {height} x {width}"
    return "decoded"


def options(argv: list[str] | None, about: str, count: int, what: str) -> argparse.Namespace:
    """The options of a fuzzer. about: its docstring; count: how many files by default; what: the name of one."""
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--count", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=1.0, help=f"that a {what} may take")
    parser.add_argument("--megabytes", type=float, default=512, help="that the process may take")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    args = options(argv, __doc__, 1_000_000, "stream")
    torch.set_num_threads(1)
    decoders = {kind: tiny_codec(kind).decompress for kind in CODECS} | {"bundled": nctutorial.decompress}
    streams = corpus()
    pictures = {name: {s: decoders[name](s) for s in streams[name]} for name in decoders}
    table: collections.Counter = collections.Counter()
    violations, slowest, began = 0, 0.0, time.time()
    for i in range(args.count):
        rng = np.random.default_rng([args.seed, i])
        name = str(rng.choice([*decoders], p=[0.49, 0.49, 0.02]))
        kind, repair, stream = make(streams[name], rng)
        start = time.process_time()
        outcome = judge(decoders[name], stream, repair, pictures[name])
        seconds = time.process_time() - start
        slowest = max(slowest, seconds)
        if seconds > args.seconds:
            outcome = f"{seconds:.1f} seconds"
        elif megabytes() > args.megabytes:
            outcome = f"{megabytes():.0f} MB"
        wrong = outcome not in ("decoded", "BitstreamError")
        violations += wrong
        if wrong and violations <= 20:
            print(f"seed {args.seed}, stream {i}, {name}, {kind}: {outcome}", file=sys.stderr)
        table[name, kind, repair, "violation" if wrong else outcome] += 1
        if megabytes() > args.megabytes:
            print("stopped: the peak of memory says nothing of later streams", file=sys.stderr)
            break
    outcomes = ("decoded", "BitstreamError", "violation")
    print("codec      mutation  checksum" + "".join(f"{outcome:>16}" for outcome in outcomes))
    for name, kind, repair in sorted({key[:3] for key in table}):
        counts = "".join(f"{table[name, kind, repair, outcome]:16,}" for outcome in outcomes)
        print(f"{name:10} {kind:9} {'repaired' if repair else 'as it is'}{counts}")
    print("all" + " " * 26 + "".join(f"{sum(n for k, n in table.items() if k[3] == o):16,}" for o in outcomes))
    print(f"slowest {slowest:.3f} s, peak {megabytes():.0f} MB, {time.time() - began:.0f} s in all")
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
