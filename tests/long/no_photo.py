"""What a codec makes of pictures that are no photos: python -m tests.long.no_photo [--model factorized] [--save FOLDER]

Sixteen pictures of 512 x 384, drawn here with fonts, seeds and kinds that training never draws. Prints a row for each:
bytes and PSNR at the least λ, the middle and the largest; whether both rise over nine λ; and PSNR less that of JPEG
4:2:0 at equal bytes, where that is least. Exits with 1 if bytes or PSNR fall, if a picture marked JPEG is worse than
JPEG, or if one marked 20 dB has less at the largest λ. Takes three minutes on two cores.
"""

import argparse
import colorsys
import io
import keyword
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from nctutorial import classical, data, load_codec, metrics, toys
from nctutorial.codec.base import Codec
from nctutorial.codec.units import LAM_MAX, LAM_MIN

WIDTH, HEIGHT = 512, 384
LAMS = np.geomspace(LAM_MIN, LAM_MAX, 9)
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(FONTS / f"{name}.ttf", size)


def _photo(name: str) -> np.ndarray:
    return data.photo(name)[:HEIGHT, :WIDTH]


def _drawn(draw: Callable[[ImageDraw.ImageDraw], None], background: str) -> np.ndarray:
    picture = Image.new("RGB", (WIDTH, HEIGHT), background)
    draw(ImageDraw.Draw(picture))
    return np.array(picture)


def _figure(plot: Callable) -> np.ndarray:
    """A plot as matplotlib draws it."""
    figure, file = Figure((WIDTH / 100, HEIGHT / 100), dpi=100), io.BytesIO()
    plot(figure.add_axes((0.12, 0.12, 0.85, 0.82)))
    figure.savefig(file, format="png")
    return data.load_image(file.getvalue())


def coloured_code() -> np.ndarray:
    """Python on black, words coloured by their kind."""
    source, font = Path(toys.__file__).read_text("utf-8"), _font("cmtt10", 12)

    def draw(pen):
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            (row, column), colour = token.start, "#d4d4d4"
            if keyword.iskeyword(token.string):
                colour = "#569cd6"
            elif token.type in (tokenize.STRING, tokenize.COMMENT):
                colour = "#6a9955" if token.type == tokenize.COMMENT else "#ce9178"
            for i, line in enumerate(token.string.splitlines()):
                pen.text((4 + (column if i == 0 else 0) * 7, 4 + (row - 30 + i) * 15), line, colour, font)

    return _drawn(draw, "black")


def prose() -> np.ndarray:
    words = (Path(__file__).resolve().parents[2] / "LICENSE").read_text().split()

    def draw(pen):
        for i in range(22):
            pen.text((14, 8 + 17 * i), " ".join(words[8 * i : 8 * i + 9]), "#222222", _font("DejaVuSerif", 13))

    return _drawn(draw, "#fdfdf8")


def curves() -> np.ndarray:
    x = np.linspace(0, 10, 200)

    def plot(ax):
        for k, style in enumerate(("-", "--", ":", "-.")):
            ax.plot(x, np.exp(-x / (k + 2)) * np.cos(x * (k + 1)), style, label=f"series {k}")
        ax.grid(True)
        ax.legend()

    return _figure(plot)


def bars() -> np.ndarray:
    heights = np.random.default_rng(1001).uniform(1, 9, 9)
    return _figure(lambda ax: ax.bar(range(9), heights, color=[matplotlib.colormaps["tab10"](i) for i in range(9)]))


def scatter() -> np.ndarray:
    points = np.random.default_rng(1002).normal(size=(3, 600))
    return _figure(lambda ax: ax.scatter(*points[:2], s=9, c=points[2], cmap="plasma"))


def sixteen_colours() -> np.ndarray:
    picture = Image.fromarray(_photo("red_panda")).quantize(16, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    return np.array(picture.convert("RGB"))


def ordered_dither() -> np.ndarray:
    """Black and white, by Bayer's 8 x 8 thresholds."""
    bayer = np.zeros((1, 1))
    for _ in range(3):
        bayer = np.block([[4 * bayer, 4 * bayer + 2], [4 * bayer + 3, 4 * bayer + 1]])
    grey = _photo("daisies").mean(2)
    white = grey > np.tile((bayer + 0.5) * 4, (HEIGHT // 8, WIDTH // 8))
    return np.repeat(255 * white[:, :, None], 3, 2).astype(np.uint8)


def coloured_dither() -> np.ndarray:
    """The 216 colours of old web pages, and error diffusion between them."""
    picture = Image.fromarray(_photo("mariachi")).convert("P", palette=Image.Palette.WEB)
    return np.array(picture.convert("RGB"))


def rows() -> np.ndarray:
    return np.broadcast_to(np.uint8(255) * (np.arange(HEIGHT) % 2)[:, None, None], (HEIGHT, WIDTH, 3)).astype(np.uint8)


def columns() -> np.ndarray:
    return np.broadcast_to(np.uint8(255) * (np.arange(WIDTH) % 2)[:, None], (HEIGHT, WIDTH, 3)).astype(np.uint8)


def checkerboard() -> np.ndarray:
    return (np.indices((HEIGHT, WIDTH)).sum(0) % 2 * 255)[:, :, None].repeat(3, 2).astype(np.uint8)


def pixel_art() -> np.ndarray:
    """Symmetric sprites, four pixels to a cell."""
    rng, grid = np.random.default_rng(1003), np.zeros((HEIGHT // 4, WIDTH // 4), int)
    for top in range(2, HEIGHT // 4 - 12, 14):
        for left in range(2, WIDTH // 4 - 12, 14):
            half = rng.integers(0, 2, (12, 6)) * rng.integers(1, 6)
            grid[top : top + 12, left : left + 12] = np.hstack([half, half[:, ::-1]])
    palette = np.array([[24, 20, 37], [228, 59, 68], [254, 174, 52], [99, 199, 77], [0, 149, 233], [255, 255, 255]])
    return palette[grid].repeat(4, 0).repeat(4, 1).astype(np.uint8)


def rainbow() -> np.ndarray:
    """All hues from left to right, paler downwards."""
    line = np.array([[colorsys.hsv_to_rgb(x / WIDTH, 1 - y / HEIGHT, 1) for x in range(WIDTH)] for y in range(HEIGHT)])
    return (255 * line).round().astype(np.uint8)


def flat_fields() -> np.ndarray:
    """Regions of one colour each, around random points."""
    rng = np.random.default_rng(1004)
    points, colours = rng.uniform(0, (HEIGHT, WIDTH), (40, 2)), rng.integers(0, 256, (40, 3))
    where = np.stack(np.indices((HEIGHT, WIDTH)), 2)[:, :, None] - points
    return colours[np.square(where).sum(3).argmin(2)].astype(np.uint8)


def window() -> np.ndarray:
    """A screen: a title bar, buttons, a list, a small photo."""

    def draw(pen):
        pen.rectangle([30, 24, 482, 360], "#f3f3f3", "#888888")
        pen.rectangle([30, 24, 482, 50], "#2d5fa8")
        pen.text((40, 28), "Settings", "white", _font("STIXGeneralBol", 18))
        for i, word in enumerate(("General", "Display", "Network", "Sound", "Keyboard", "About")):
            pen.rectangle([42, 66 + 34 * i, 150, 92 + 34 * i], "#cfe0fa" if i == 1 else "white", "#aaaaaa")
            pen.text((52, 70 + 34 * i), word, "#222222", _font("STIXGeneral", 16))
            pen.line([170, 80 + 34 * i, 460, 80 + 34 * i], "#dddddd")
        for i, word in enumerate(("Cancel", "Apply")):
            pen.rounded_rectangle([290 + 90 * i, 320, 370 + 90 * i, 346], 6, "#e5e5e5", "#999999")
            pen.text((308 + 90 * i, 323), word, "#111111", _font("STIXGeneral", 16))

    picture = _drawn(draw, "#008080")
    picture[100:290, 180:440] = _photo("stream")[100:290, 100:360]
    return picture


def static() -> np.ndarray:
    return np.random.default_rng(1005).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


PICTURES: tuple[tuple[Callable[[], np.ndarray], str], ...] = (
    *((draw, "JPEG") for draw in (coloured_code, curves, bars, scatter, sixteen_colours, rainbow, flat_fields)),
    *((draw, "20 dB") for draw in (rows, columns, checkerboard, ordered_dither, coloured_dither, pixel_art)),
    *((draw, "") for draw in (prose, window, static)),
)


def measure(codec: Codec, image: np.ndarray, lams: np.ndarray = LAMS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of a picture at each λ: bytes, PSNR, and by how much that is above JPEG's of as many bytes."""
    latent, points = codec.analyze(image), []
    for lam in lams:
        file = codec.encode(codec.quantize(latent, lam))
        points.append((len(file), metrics.psnr(image, codec.decompress(file))))
    sizes, psnrs = np.array(points).T
    jpeg = [classical.encode("jpeg", image, quality) for quality in (1, 5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 100)]
    quality = [metrics.psnr(image, classical.decode("jpeg", file)) for file in jpeg]
    rival = np.interp(np.log(sizes), np.log([len(file) for file in jpeg]), quality)
    larger = sizes >= len(jpeg[0])  # JPEG has no smaller file
    return sizes, psnrs, np.where(larger, psnrs - rival, np.inf)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="hyperprior")
    parser.add_argument("--save", type=Path, help="a folder for the pictures, and what they are at the largest λ")
    args = parser.parse_args()
    codec, failures = load_codec(args.model), 0
    print("| picture | bytes | PSNR (dB) | both rise | above JPEG at equal bytes (dB) | asked | |\n" + "|---" * 7 + "|")
    for draw, asked in PICTURES:
        image = draw()
        sizes, psnrs, lead = measure(codec, image)
        rise = (np.diff(sizes) > 0).all() and (np.diff(psnrs) > 0).all()
        fine = rise and {"JPEG": lead.min() >= 0, "20 dB": psnrs[-1] >= 20, "": True}[asked]
        failures += not fine
        name, least = draw.__name__.replace("_", " "), f"{lead.min():+.1f}"
        size = ", ".join(f"{sizes[i]:,.0f}" for i in (0, 4, 8))
        quality = ", ".join(f"{psnrs[i]:.1f}" for i in (0, 4, 8))
        cells = name, size, quality, "yes" if rise else "NO", least, asked, "ok" if fine else "FAILS"
        print("|", " | ".join(cells), "|", flush=True)
        if args.save:
            both = np.hstack([image, codec.decompress(codec.compress(image, LAM_MAX))])
            data.save_image(args.save / f"{draw.__name__}.png", both)
    return min(failures, 1)


if __name__ == "__main__":
    sys.exit(main())
