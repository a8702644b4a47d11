"""What all widgets of the course share: colours, the common code of their front ends, a picture for static pages.

A widget is a subclass of `Widget`, or of `LamWidget` if it has a slider for λ. It names its front end in `_esm`, a
.js file beside this one, and draws its static picture in `figure`.
"""

import base64
import io
from pathlib import Path
from typing import Any

import anywidget
import matplotlib.pyplot as plt
import numpy as np
import traitlets as t
from matplotlib.figure import Figure

from ..codec.units import LAM_MAX, LAM_MIN
from ..plotting import BLUE, LOOKS, ORANGE, STYLE, VERMILLION

HERE = Path(__file__).parent
STOPS: list[float] = np.geomspace(LAM_MIN, LAM_MAX, 61).tolist()  # λ, one press of an arrow key apart
DASHES = {"-": "", "--": "7 4", ":": "2 3", "-.": "8 3 2 3"}  # matplotlib's lines as SVG writes them
CODEC_LOOKS = {name: {"label": x[0], "colour": x[1], "dashes": DASHES[x[2]]} for name, x in LOOKS.items()}


class Widget(anywidget.AnyWidget):
    """A widget that leaves a picture on a page without a kernel, and whose front end has the kit of common.js."""

    _css = HERE / "widgets.css"
    kit = t.Unicode().tag(sync=True)  # common.js: a module made from text cannot import a file beside it
    looks = t.Dict(CODEC_LOOKS).tag(sync=True)  # label, colour and line of each codec
    palette = t.Dict({"blue": BLUE, "orange": ORANGE, "vermillion": VERMILLION}).tag(sync=True)  # for widgets.css

    @t.default("kit")
    def _read_kit(self):
        return (HERE / "common.js").read_text("utf-8")

    def figure(self) -> Figure:
        """What a page without a kernel shows."""
        raise NotImplementedError

    def alt(self) -> str:
        """The same in words."""
        raise NotImplementedError

    def picture(self) -> str:
        """`figure` as a base64 PNG."""
        with plt.rc_context(STYLE):
            return base64.b64encode(png(self.figure())).decode()

    def _repr_mimebundle_(self, **kwargs):
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        static = {"image/png": self.picture(), "text/plain": repr(self)}
        return bundle | static, (metadata or {}) | {"image/png": {"alt": self.alt()}}


class Lam(t.Float):
    """The trait of a widget that holds λ, clipped to [LAM_MIN, LAM_MAX] within the rounding of a slider's logarithm."""

    def validate(self, obj: Any, value: Any) -> float:
        lam = super().validate(obj, value)
        if not LAM_MIN * 0.999999 <= lam <= LAM_MAX * 1.000001:
            raise t.TraitError(f"lam lies between {LAM_MIN} and {LAM_MAX}, not at {lam}")
        return min(max(lam, LAM_MIN), LAM_MAX)


class LamWidget(Widget):
    """A widget with a slider for λ."""

    lam = Lam(LAM_MIN).tag(sync=True)
    stops = t.List(STOPS).tag(sync=True)


def png(figure: Figure) -> bytes:
    """A figure as a PNG file of exactly its size."""
    buffer = io.BytesIO()
    with plt.rc_context({"savefig.bbox": None}):
        figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
    plt.close(figure)  # else the notebook shows it as well
    return buffer.getvalue()
