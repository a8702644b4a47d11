"""Drawings of the course that are too long for a cell: the codec, in every chapter, and the coder of chapter 06."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from nctutorial import plotting

# ---- every chapter

PARTS = {  # name: (centre, text) of what stands in the picture of the codec
    "x": ((0.25, 2), "$x$"),
    "analysis": ((1.25, 2), "analysis\n$g_a$"),
    "y": ((2.25, 2), "$y$"),
    "noise": ((3.4, 3), "$+\\,u$"),
    "y_tilde": ((4.6, 3), r"$\tilde y$"),
    "round": ((3.4, 2), "round"),
    "k": ((4.6, 2), "$k$"),
    "prior": ((5.9, 1), "prior"),
    "encoder": ((5.9, 2), "range\nencoder"),
    "bytes": ((7.2, 1), "bytes"),
    "decoder": ((5.9, 0), "range\ndecoder"),
    "k_again": ((4.6, 0), "$k$"),
    "y_hat": ((3.4, 0), r"$\hat y$"),
    "synthesis": ((2.25, 0), "synthesis\n$g_s$"),
    "x_hat": ((1.25, 0), r"$\hat x$"),
}
ARROWS = """x analysis, analysis y, y round, round k, k encoder, encoder bytes, bytes decoder, decoder k_again,
k_again y_hat, y_hat synthesis, synthesis x_hat, y noise, noise y_tilde, prior encoder, prior decoder"""


def codec_picture(*marked: str) -> Figure:
    """The whole codec, the way of a photo through it, with some of its parts marked. marked: names in PARTS.

    The upper branch, noise in place of rounding, exists in training only.
    """
    figure = plt.figure(figsize=(7.6, 2.9), dpi=90)  # of pyplot, so that a notebook knows how to show it,
    plt.close(figure)  # and shows it once
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(-0.15, 7.75), ylim=(-0.5, 3.45))
    ax.set_axis_off()
    boxes = {}
    for name, (centre, text) in PARTS.items():
        box = {"boxstyle": "round,pad=0.35", "facecolor": "#E9EEF3", "edgecolor": "#8c959f"}
        boxes[name] = ax.text(*centre, text, ha="center", va="center", size=11, bbox=box).get_bbox_patch()
    for name in marked:
        boxes[name].set(facecolor=plotting.ORANGE, edgecolor="black")
    for arrow in ARROWS.split(","):
        start, end = arrow.split()
        style = {"arrowstyle": "-|>", "mutation_scale": 11, "color": "#57606a", "ls": "--" if "noise" in arrow else "-"}
        between = {"patchA": boxes[start], "patchB": boxes[end], "shrinkA": 1, "shrinkB": 1, "zorder": 4}
        ax.add_patch(FancyArrowPatch(PARTS[start][0], PARTS[end][0], **between, **style))
    ax.text(5.1, 3, "in training only", va="center", size=10, color="#57606a")
    ax.text(0.25, 1, "encoder above,\ndecoder below", va="center", size=10, color="#57606a")
    return figure


# ---- chapter 06


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
            ax.fill([left, right, 1, 0], [-i - 0.25, -i - 0.25, -i - 0.75, -i - 0.75], color=plotting.SKY, alpha=0.35)
            low, width = low + width * ends[chosen], width * (ends[chosen + 1] - ends[chosen])
    return figure


def _draw_interval(ax: Axes, y: float, ends: Sequence[Fraction], names: Sequence[str], chosen: int | None) -> None:
    for s, (left, right) in enumerate(pairwise(map(float, ends))):
        if right - left < 0.002 and s != chosen:
            continue  # too thin to be seen
        face, ink = (plotting.BLUE, "white") if s == chosen else ("#E9EEF3", "#1f2328")
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
