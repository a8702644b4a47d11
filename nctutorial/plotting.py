"""One look for every figure of the course, and the figures that more than one chapter draws.

Colours are those of Okabe and Ito (2008), which readers with a colour vision deficiency can tell apart; each
codec also has its own marker and line, so that nothing depends on colour alone.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILLION = "#0072B2", "#E69F00", "#007A5A", "#D55E00"
PURPLE, SKY, BLACK = "#CC79A7", "#56B4E9", "#000000"
PLUM = "#8F3B76"  # PURPLE, darkened for text

LOOKS = {  # codec -> (label, colour, line, marker)
    "codec": ("this codec", BLUE, "-", "o"),
    "factorized": ("factorised", BLUE, "-", "p"),
    "hyperprior": ("hyperprior", PLUM, "-", "P"),
    "jpeg": ("JPEG", VERMILLION, "--", "s"),
    "webp": ("WebP", GREEN, ":", "^"),
    "jpeg2000": ("JPEG 2000", PURPLE, "-.", "D"),
    "avif": ("AVIF", ORANGE, "--", "v"),
    "hevc": ("HEVC", BLACK, "-.", "x"),
}

STYLE: Any = {
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY, BLACK]),
    "grid.color": "#E4E8EC",
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 4.5,
    "image.cmap": "viridis",
    "image.interpolation": "nearest",
}


def style() -> None:
    """Use the course's look for all figures from here on."""
    mpl.rcParams.update(STYLE)


def rd_plane(curves: dict, ax: Axes | None = None, ylabel: str = "PSNR (dB)") -> Axes:
    """Draw rate-distortion curves and return the Axes.

    curves: {name: [(bpp, quality), ...]}; those in LOOKS have a label and a look, others are their own label.
    """
    if ax is None:
        ax = Figure(figsize=(6, 4.2), layout="constrained").add_subplot()
    for name, points in curves.items():
        label, colour, line, marker = LOOKS.get(name, (name, None, "-", "o"))
        rate, quality = np.array(points, float).reshape(-1, 2).T
        ax.plot(rate, quality, linestyle=line, marker=marker, color=colour, label=label)
    ax.set(xlabel="rate (bpp)", ylabel=ylabel)
    ax.legend(loc="lower right")
    return ax


def explorer_picture(image: np.ndarray, results: list, curves: dict, focus: Sequence[float]) -> Figure:
    """The λ explorer without its slider: one region of the original and of three results, and the R-D plane.

    image: uint8 (H, W, 3). results: [(name, reconstruction, (bpp, PSNR in dB)), ...], three of them.
    curves: as for `rd_plane`, the codec's first. focus: (x, y), the centre of the region in pixels.
    Returns a Figure.
    """
    height, width = image.shape[:2]
    side = min(160, height, width)
    left, top = np.clip(np.round(focus) - side // 2, 0, (width - side, height - side)).astype(int)
    titles = ["original: 24 bpp", *(f"{name}: {bpp:.2f} bpp, {psnr:.1f} dB" for name, _, (bpp, psnr) in results)]
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(11, 5.4), layout="constrained")
        pictures, plane = figure.subfigures(1, 2, width_ratios=(1, 1), squeeze=False)[0]
        for axes, title, picture in zip(
            pictures.subplots(2, 2).flat, titles, [image, *(result[1] for result in results)], strict=True
        ):
            axes.imshow(picture[top : top + side, left : left + side])
            axes.set_title(title)
            axes.set_axis_off()
        ax = rd_plane(curves, plane.subplots())
        codec, colour = next(iter(curves)), ax.lines[0].get_color()
        for name, _, point in results:
            ax.plot(*point, "o", color=colour, markersize=9)
            ax.annotate(name, point, (7, -13), textcoords="offset points", color=colour)
        rates, psnrs = np.array(curves[codec] or [(1, 30)]).T
        ax.set_xlim(0, 1.25 * rates.max())
        ax.set_ylim(5 * np.floor((psnrs.min() - 1) / 5), 5 * np.ceil((psnrs.max() + 0.5) / 5))
        ax.set_title("measured on this photo")
    return figure
