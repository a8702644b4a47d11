"""Drawings that belong to one chapter and are too long for one of its cells."""

import math
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nctutorial import plotting

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
