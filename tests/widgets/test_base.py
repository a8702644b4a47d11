"""What all widgets share: the kit and the looks of their front ends, λ, the picture for static pages."""

import base64
import io
import math
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import traitlets
from matplotlib.figure import Figure
from PIL import Image

from nctutorial import plotting
from nctutorial.codec.units import LAM_MAX, LAM_MIN
from nctutorial.widgets import base
from nctutorial.widgets.base import LamWidget, Widget, png

ROOM = Path(base.__file__).parent


class Plain(Widget):
    """The smallest widget there can be."""

    _esm = "export default { render() {} };"

    def figure(self):
        figure = Figure((2, 1), dpi=50)
        figure.add_axes((0, 0, 1, 1), facecolor=plotting.GREEN)
        return figure

    def alt(self):
        return "a green field"

    def __repr__(self):
        return "Plain()"


class Movable(LamWidget):
    _esm = "export default { render() {} };"


def test_the_static_picture():
    bundle, metadata = Plain()._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/plain"] == "Plain()" and metadata["image/png"] == {"alt": "a green field"}
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).convert("RGB"))
    assert picture.shape == (50, 100, 3)
    assert "#{:02X}{:02X}{:02X}".format(*picture[30, 60]) == plotting.GREEN


def test_a_picture_has_exactly_the_size_of_its_figure_and_the_figure_is_closed():
    before = plt.get_fignums()
    with plt.rc_context({"savefig.bbox": "tight"}):
        file = png(plt.figure(figsize=(3, 2), dpi=40))
    assert Image.open(io.BytesIO(file)).size == (120, 80) and plt.get_fignums() == before


def test_every_codec_has_its_look_on_the_page():
    looks = Plain().looks
    assert looks.keys() == plotting.LOOKS.keys()
    for name, (label, colour, line, _) in plotting.LOOKS.items():
        assert (looks[name]["label"], looks[name]["colour"]) == (label, colour)
        assert bool(looks[name]["dashes"]) == (line != "-")


def test_the_colours_of_the_course_stand_in_python_alone():
    known = {
        value for value in vars(plotting).values() if isinstance(value, str) and re.fullmatch("#[0-9A-F]{6}", value)
    }
    known -= {plotting.BLACK}
    assert len(known) > 5
    for path in [*ROOM.glob("*.js"), *ROOM.glob("*.css"), *ROOM.glob("*.html")]:
        text = path.read_text("utf-8").upper()
        assert [colour for colour in known if colour in text] == [], path.name


@pytest.mark.parametrize("path", sorted(ROOM.glob("*.[jch]*s*")), ids=lambda path: path.name)
def test_front_ends_need_nothing_from_outside(path):
    text = path.read_text("utf-8")
    addresses = set(re.findall(r"https?://[^\s\"'`)]+", text))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a namespace, never fetched
    assert "@import" not in text and not re.search(r"^\s*import\b", text, re.M)


@pytest.mark.parametrize("lam", [0.0009, 0.061, 0, -1, math.nan])
def test_lam_out_of_range_is_refused(lam):
    widget = Movable(lam=0.01)
    with pytest.raises(traitlets.TraitError, match="lam lies between 0.001 and 0.06"):
        widget.lam = lam
    assert widget.lam == 0.01


def test_the_ends_of_the_slider_survive_rounding():
    widget = Movable()
    for end, rounding in (LAM_MAX, 1e-12), (LAM_MIN, -1e-12):
        widget.set_state({"lam": end * (1 + rounding)})
        assert widget.lam == end
