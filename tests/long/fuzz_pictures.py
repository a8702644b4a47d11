"""Hostile pictures for `load_image`: python -m tests.long.fuzz_pictures --count 100000 --seed 0

Each file is made from one small picture, stored in every format that may be opened, in several modes and with metadata.
Half of the PNGs get right checksums again, so that the code behind them is tried too. What must hold of every file:

- it gives a picture, uint8 (H, W, 3), or raises ImageError with one line: no other exception;
- it takes no more than a second of processor time, and the process no more than 512 MB;
- no process is started, nothing is written, removed or connected to;
- unaltered, it gives the picture that it was made from.

Pictures may have as many pixels here as `decompress` makes: a larger one takes its time and memory because it is large.
Prints a table, and exits with 1 if anything else happened. libtiff speaks of damaged TIFFs on stderr.
"""

import collections
import faulthandler
import itertools
import os
import sys
import time
import zlib

import numpy as np
from PIL import Image

from nctutorial import data, pictures
from nctutorial.codec.bitstream import MAX_PIXELS
from tests.long.fuzz_decompress import megabytes, mutate, options
from tests.picture_files import as_bytes, png, tiff

MUTATIONS = ("flip", "replace", "cut", "copy", "splice", "noise", "number")
OUTCOMES = ("opened", "ImageError", "violation")
EDGES = (0, 1, 2, 3, 7, 8, 9, 16, 127, 128, 255, 256, 4096, 16384, 32767, 32768, 65535, 2**31 - 1, 2**31, 2**32 - 1)
PICTURE = np.random.default_rng(0).integers(0, 2, (24, 32, 1), np.uint8).repeat(3, 2) * 255  # the same in all modes
ACTS = ("subprocess.", "os.", "pty.", "tempfile.", "shutil.", "socket.", "ctypes.")  # audit events that begin so
done: list[str] | None = None  # what was done beyond reading; None while nobody looks


def _hook(event: str, arguments: tuple) -> None:
    writing = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)
    if done is not None and (writing or event.startswith(ACTS)) and event not in ("os.listdir", "os.scandir"):
        done.append(f"{event} {arguments}")


sys.addaudithook(_hook)


def corpus() -> dict[str, list[bytes]]:
    """By format: files of PICTURE."""
    files = {kind: [as_bytes(PICTURE, kind)] for kind in pictures.FORMATS}
    picture, grey = Image.fromarray(PICTURE), PICTURE[..., 0]
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 3, "a camera"
    metadata = {"exif": exif.tobytes(), "icc_profile": pictures.SRGB.tobytes()}
    for kind in ("PNG", "JPEG", "WEBP", "AVIF", "HEIF", "TIFF"):
        files[kind].append(as_bytes(PICTURE[::-1, ::-1], kind, **metadata))
    for kind in ("PNG", "WEBP", "AVIF", "HEIF", "TIFF", "JPEG2000"):
        files[kind].append(as_bytes(picture.convert("RGBA"), kind))
    for kind in ("PNG", "GIF", "WEBP", "AVIF", "TIFF"):
        files[kind].append(as_bytes(picture, kind, save_all=True, append_images=[picture.rotate(180)]))
    for kind in ("PNG", "TIFF", "PPM", "BMP"):
        files[kind] += [as_bytes(picture.convert(mode), kind) for mode in ("1", "L")]
    for kind in ("PNG", "TIFF", "PPM", "JPEG2000", "HEIF"):
        files[kind].append(as_bytes(grey * np.uint16(257), kind))
    files["PNG"] += [png(PICTURE * np.uint16(257), 2), as_bytes(picture.quantize(), "PNG", transparency=b"\xff" * 9)]
    files["JPEG"] += [as_bytes(PICTURE, "JPEG", progressive=True), as_bytes(picture.convert("CMYK"), "JPEG")]
    files["JPEG"].append(as_bytes(PICTURE, "MPO", save_all=True, append_images=[picture], quality=95, subsampling=0))
    files["TIFF"] += [as_bytes(picture, "TIFF", compression=name) for name in ("tiff_lzw", "packbits")]
    files["TIFF"].append(as_bytes(picture, "TIFF", compression="jpeg", quality=100))
    files["TIFF"].append(as_bytes(picture.convert("1"), "TIFF", compression="group4"))
    files["TIFF"] += [tiff(PICTURE * np.uint16(257), deflated=True), tiff(grey.astype(np.float32))]
    files["PPM"] += [b"P6 32 24 1020 " + (PICTURE * np.uint16(4)).astype(">u2").tobytes()]
    files["PPM"] += [b"P3 32 24 255 " + b" ".join(b"%d" % value for value in PICTURE.ravel())]
    return files


def repaired(png: bytes) -> bytes:
    """A PNG whose chunks have right checksums, as far as they can be followed."""
    fixed, at = bytearray(png), 8
    while (end := at + 8 + int.from_bytes(fixed[at : at + 4])) + 4 <= len(fixed):
        fixed[end : end + 4] = zlib.crc32(fixed[at + 4 : end]).to_bytes(4)
        at = end + 4
    return bytes(fixed)


def make(files: dict[str, list[bytes]], rng: np.random.Generator) -> tuple[str, str, bytes]:
    """A hostile file: (its format, its last mutation, the bytes)."""
    format = str(rng.choice([*files]))
    file = files[format][rng.integers(len(files[format]))]
    for kind in rng.choice(MUTATIONS, size=1 + (rng.random() < 0.3)):
        if kind == "number" and file:
            size, order = int(rng.choice([1, 2, 4])), str(rng.choice(["big", "little"]))
            where = int(len(file) ** rng.random()) - 1 if rng.random() < 0.7 else int(rng.integers(len(file)))
            number = int(rng.choice(EDGES)) % 256**size
            file = file[:where] + number.to_bytes(size, order) + file[where + size :]
        elif len(file) > 24:
            others = files[format if rng.random() < 0.7 else str(rng.choice([*files]))]
            file = mutate(str(kind), file, others[rng.integers(len(others))], rng)
    return format, str(kind), repaired(file) if file[:4] == b"\x89PNG" and rng.random() < 0.5 else file


def judge(open_image, file: bytes, whole: bool = False) -> str:
    """What became of a file: "opened", "ImageError", or what must not be. whole: it was not altered."""
    global done
    done = []
    try:
        image, sentence = open_image(file)
    except data.ImageError as error:
        image, sentence = None, str(error) or "\n"
    except BaseException as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        return f"{type(error).__name__}: {error}"
    finally:
        acts, done = done, None
    if acts or "\n" in sentence:
        return f"did {acts[0]}" if acts else f"no single line: {sentence!r}"
    if image is not None and (image.dtype != np.uint8 or image.shape[2:] != (3,)):
        return f"{image.dtype} of shape {image.shape}"
    if whole and (image is None or image.shape != PICTURE.shape or abs(image - PICTURE.astype(int)).max() > 8):
        return f"an unaltered file is not what it was: {sentence}"
    return "ImageError" if image is None else "opened"


def main(argv: list[str] | None = None) -> int:
    args = options(argv, __doc__, 100_000, "file")
    files, slowest, began = corpus(), 0.0, time.time()
    table: collections.Counter = collections.Counter()
    whole = [(format, "unaltered", file) for format in files for file in files[format]]
    made = (make(files, np.random.default_rng([args.seed, i])) for i in range(args.count))
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, MAX_PIXELS
    for i, (format, kind, file) in enumerate(itertools.chain(whole, made), -len(whole)):
        start = time.process_time()
        outcome = judge(data.open_image, file, i < 0)
        seconds = time.process_time() - start
        slowest = max(slowest, seconds)
        if seconds > args.seconds or megabytes() > args.megabytes:
            outcome = f"{seconds:.1f} seconds, {megabytes():.0f} MB"
        table[format, outcome if outcome in OUTCOMES else "violation"] += 1
        if outcome not in OUTCOMES:
            print(f"seed {args.seed}, file {i}, {format}, {kind}: {outcome}")
        if megabytes() > args.megabytes:  # the peak says nothing of later files
            break
    Image.MAX_IMAGE_PIXELS = limit
    print("format    " + "".join(f"{outcome:>12}" for outcome in OUTCOMES))
    for format in files:
        print(f"{format:10}" + "".join(f"{table[format, outcome]:12,}" for outcome in OUTCOMES))
    print("all       " + "".join(f"{sum(table[format, outcome] for format in files):12,}" for outcome in OUTCOMES))
    print(f"slowest {slowest:.3f} s, peak {megabytes():.0f} MB, {time.time() - began:.0f} s in all")
    return 1 if any(outcome == "violation" for _, outcome in table) else 0


if __name__ == "__main__":
    faulthandler.enable()  # the readers are C
    sys.exit(main())
