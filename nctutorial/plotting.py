"""One look for every figure of the course, and the R-D plane.

Colours are those of Okabe and Ito (2008), which readers with a colour vision deficiency can tell apart; each
codec also has its own marker and line, so that nothing depends on colour alone.
"""

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
