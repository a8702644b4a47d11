"""One look for every figure of the course, the R-D plane, and the coder's intervals of chapter 06.

Colours are those of Okabe and Ito (2008), which readers with a colour vision deficiency can tell apart; each
codec also has its own marker and line, so that nothing depends on colour alone.
"""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
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


def interval_ladder(message: Sequence[int], ends: Sequence[Fraction], names: Sequence[str], shown: int) -> Figure:
    """An exact arithmetic coder at work: a bar for each interval, magnified to full width. Returns a Figure.

    message: the symbols to code, as indices. ends: the K + 1 Fractions between which the K symbols share [0, 1).
    names: what to write on each symbol's share. shown: how many symbols have been coded.
    """
    figure = Figure((6.8, 0.46 * len(message) + 0.75), dpi=90)
    ax = figure.add_axes((0.01, 0, 0.98, 1))
    ax.set(xlim=(0, 1.75), ylim=(-len(message) - 0.7, 0.75))
    ax.set_axis_off()
    for x, title in (0, "the interval, magnified, and its parts"), (1.03, "width"), (1.24, "settled digits"):
        ax.text(x, 0.52, title, va="center", weight="bold", size=11)
    low, width = ends[0], ends[-1]
    for i, s in enumerate([*message, None][: shown + 1]):
        chosen = s if i < shown else None
        _draw_interval(ax, -i, ends, names, chosen)
        ax.text(1.03, -i, f"$2^{{{math.log2(width):.2f}}}$" if i else "1", va="center", size=12)
        ax.text(1.24, -i, settled(low, width) or "none", va="center", size=11, family="monospace")
        if chosen is not None:
            left, right = float(ends[chosen]), float(ends[chosen + 1])
            ax.fill([left, right, 1, 0], [-i - 0.25, -i - 0.25, -i - 0.75, -i - 0.75], color=SKY, alpha=0.35)
            low, width = low + width * ends[chosen], width * (ends[chosen + 1] - ends[chosen])
    return figure


def _draw_interval(ax: Axes, y: float, ends: Sequence[Fraction], names: Sequence[str], chosen: int | None) -> None:
    for s, (left, right) in enumerate(pairwise(map(float, ends))):
        if right - left < 0.002 and s != chosen:
            continue  # too thin to be seen
        face, ink = (BLUE, "white") if s == chosen else ("#E9EEF3", "#1f2328")
        ax.barh(y, right - left, 0.5, left, color=face, edgecolor="white", linewidth=0.8)
        if right - left > 0.045:
            ax.text((left + right) / 2, y, names[s], ha="center", va="center", color=ink, size=11)
    ax.barh(y, 1, 0.5, color="none", edgecolor="#8c959f", linewidth=0.8)


def settled(low: Fraction, width: Fraction) -> str:
    """The binary digits with which every number in [low, low + width) begins, as a string of 0 and 1."""
    k = 0
    while math.floor(low * 2 ** (k + 1)) == math.ceil((low + width) * 2 ** (k + 1)) - 1:
        k += 1
    return format(math.floor(low * 2**k), f"0{k}b") if k else ""
