"""The drawings of chapters: that they show the numbers they were given."""

import itertools
import math
import os
from fractions import Fraction

import pytest
from drawings import codec_picture, interval_ladder, settled
from matplotlib.colors import to_rgba
from matplotlib.patches import Rectangle

from nctutorial import plotting
from nctutorial.plotting import ORANGE


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
    assert settled(Fraction(low), Fraction(width)) == bits


def test_settled_bits_are_what_all_numbers_share():
    for a, b in itertools.combinations(range(28), 2):
        low, high = Fraction(a, 27), Fraction(b, 27)
        bits = settled(low, high - low)
        first = math.floor(low * 2**30)
        last = math.ceil(high * 2**30) - 1
        assert bits == os.path.commonprefix([f"{first:030b}", f"{last:030b}"])


def test_interval_ladder():
    """Each symbol coded has its part highlighted, and the texts at the right are those of the interval."""
    ends = [Fraction(0), Fraction(1, 4), Fraction(3, 4), Fraction(1)]
    figure = interval_ladder([2, 1], ends, ["a", "b", "c"], 2)
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts.count("a") == texts.count("b") == texts.count("c") == 3  # three bars
    assert [text for text in texts if set(text) <= set("01")] == ["1", "11", "11"]  # the width 1, then settled bits
    bars = [patch for patch in figure.axes[0].patches if isinstance(patch, Rectangle)]
    chosen = [(bar.get_x(), bar.get_width()) for bar in bars if bar.get_facecolor() == to_rgba(plotting.BLUE)]
    assert chosen == [(0.75, 0.25), (0.25, 0.5)]


def test_the_picture_of_the_codec_marks_what_it_is_told_to():
    boxed = [text for text in codec_picture("round", "k").axes[0].texts if text.get_bbox_patch()]
    colours = {
        text.get_text(): text.get_bbox_patch().get_facecolor() for text in boxed[::-1]
    }  # the first k is the last
    assert {text for text, colour in colours.items() if colour == to_rgba(ORANGE)} == {"round", "$k$"}
    with pytest.raises(KeyError):
        codec_picture("rounding")
