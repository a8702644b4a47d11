"""The figures: that they show the numbers they were given."""

import itertools
import math
import os
from fractions import Fraction

import pytest
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from nctutorial import plotting


def test_rd_plane_draws_each_curve_with_its_label_and_units():
    curves = {"jpeg": [(0.2, 26.0), (0.5, 30.0)], "my codec": [(0.1, 27.0), (0.4, 31.5), (1.0, 35.0)]}
    ax = plotting.rd_plane(curves)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn == {"JPEG": [[0.2, 26], [0.5, 30]], "my codec": [[0.1, 27], [0.4, 31.5], [1, 35]]}
    assert ax.get_xlabel() == "rate (bpp)" and ax.get_ylabel() == "PSNR (dB)"


def test_looks_differ_in_more_than_colour():
    looks = [(line, marker) for _, _, line, marker in plotting.LOOKS.values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize(
    "low, width, bits",
    [
        ("0", "1", ""),
        ("1/2", "1/2", "1"),
        ("3/8", "1/8", "011"),
        ("7/16", "1/8", ""),
        ("5/16", "1/5", ""),
        ("0", "1/5", "00"),
    ],
)
def test_settled_bits(low, width, bits):
    assert plotting.settled(Fraction(low), Fraction(width)) == bits


def test_settled_bits_are_what_all_numbers_share():
    for a, b in itertools.combinations(range(28), 2):
        low, high = Fraction(a, 27), Fraction(b, 27)
        bits = plotting.settled(low, high - low)
        first = math.floor(low * 2**30)
        last = math.ceil(high * 2**30) - 1
        assert bits == os.path.commonprefix([f"{first:030b}", f"{last:030b}"])


def test_interval_ladder():
    """Each symbol coded has its part highlighted, and the texts at the right are those of the interval."""
    ends = [Fraction(0), Fraction(1, 4), Fraction(3, 4), Fraction(1)]
    figure = plotting.interval_ladder([2, 1], ends, ["a", "b", "c"], 2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("a") == texts.count("b") == texts.count("c") == 3  # three bars
    assert [text for text in texts if set(text) <= set("01")] == ["1", "11", "11"]  # the width 1, then settled bits
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    chosen = [(bar.get_x(), bar.get_width()) for bar in bars if bar.get_facecolor() == to_rgba(plotting.BLUE)]
    assert chosen == [(0.75, 0.25), (0.25, 0.5)]
