"""Pictures that are made, not photographed: text, plots, pixel art, palettes, patterns. Photos teach none of it."""

from pathlib import Path

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
LETTERS = np.array(list("eeetttaaooiinnsshhrrdlucmfwypvbgkqjxz    ()[]{}=+-*/.,:;_'0123456789ETAOINSHR"))


def made_picture(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """A picture as large as a photo, of which palettes are made: uint8 (size, size, 3). Half of them show two kinds."""
    first, second = (KINDS[rng.integers(len(KINDS))](rng, photo) for _ in range(2))
    top, left = rng.integers(len(photo), size=2)
    if rng.random() < 0.5:
        first[top:, left:] = second[top:, left:]
    return first


def _colours(rng: np.random.Generator, count: int) -> np.ndarray:
    """Colours, half of the time the first black or white, or all of them grey: uint8 (count, 3)."""
    colours = rng.integers(0, 256, (count, 3), np.uint8)
    colours[0] = rng.choice([0, 255, colours[0, 0]])
    return colours if rng.random() < 0.7 else colours[:, :1].repeat(3, 1)


def _drawing(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Lines of text, or curves, axes and boxes."""
    side, colours = len(photo), [tuple(map(int, colour)) for colour in _colours(rng, 4)]
    picture = Image.new("RGB", (side, side), colours[0])
    pen, height = ImageDraw.Draw(picture), int(rng.integers(8, 40))
    font = ImageFont.truetype(FONTS / rng.choice(["DejaVuSans.ttf", "DejaVuSansMono.ttf"]), height)
    text = rng.random() < 0.6
    for top in range(0, side, height + int(rng.integers(2, 10))):
        colour, width, indent = colours[rng.integers(1, 4)], int(rng.integers(1, 4)), int(rng.integers(side // 4))
        if text:
            pen.text((indent, top), "".join(rng.choice(LETTERS, 3 * side // height)), colour, font)
        else:
            x = np.linspace(0, side, int(rng.integers(2, 60)))
            curve = top + height * np.sin(x * rng.uniform(0.01, 0.5)) + rng.normal(0, 3, len(x))
            pen.line(list(zip(x, curve, strict=True)), colour, width)
            pen.rectangle([indent, top, indent + height, side], None if top % 2 else colour, colour, width)
    return np.array(picture)


def _cells(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Pixel art: boxes of few colours, or noise of them, in large pixels."""
    zoom, colours = int(rng.integers(1, 13)), _colours(rng, int(rng.integers(2, 17)))
    side = -(-len(photo) // zoom)
    cells = rng.integers(0, len(colours), (side, side))
    for top, left, down, across in rng.integers(0, side, (rng.integers(0, 100), 4)) // (1, 1, 4, 4):
        cells[top : top + down, left : left + across] = rng.integers(len(colours))
    return colours[cells.repeat(zoom, 0).repeat(zoom, 1)][: len(photo), : len(photo)]


def _palette(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    dither = rng.choice([Image.Dither.NONE, Image.Dither.FLOYDSTEINBERG])
    if rng.random() < 0.3:
        return np.array(Image.fromarray(photo).convert("1", dither=dither).convert("RGB"))
    return np.array(Image.fromarray(photo).quantize(int(2 ** rng.integers(1, 8)), dither=dither).convert("RGB"))


def _pattern(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """Stripes, a checkerboard or one colour."""
    down, across = np.indices(photo.shape[:2])
    width = rng.integers(1, 13)
    which = (down, across, down + across, down - across, down // width * width + across // width * width, 0 * down)
    return _colours(rng, 2)[which[rng.integers(len(which))] // width % 2]


def _gradient(rng: np.random.Generator, photo: np.ndarray) -> np.ndarray:
    """From one colour to another, straight or round, half of the time with noise."""
    down, across = np.indices(photo.shape[:2]) / len(photo) - rng.random((2, 1, 1))
    slope = np.hypot(down, across) if rng.random() < 0.3 else down * rng.normal() + across * rng.normal()
    grain = rng.normal(0, rng.choice([0, 2, 10, 60]), (*photo.shape[:2], rng.choice([1, 3])))
    return (rng.integers(0, 256, 3) + slope[:, :, None] * rng.normal(0, 80, 3) + grain).clip(0, 255).astype(np.uint8)


KINDS = (_drawing, _drawing, _cells, _palette, _palette, _pattern, _pattern, _gradient)
