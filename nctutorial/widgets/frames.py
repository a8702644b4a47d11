"""A small widget for every chapter: pictures drawn once, a slider that turns their pages.

Nothing is computed when the slider moves, so the pages turn without a kernel and without delay.
"""

import io
import numbers
from collections.abc import Callable, Iterable
from typing import Any

import traitlets as t
from matplotlib.figure import Figure
from matplotlib.image import imread

from .base import HERE, Widget, png

MAX_FRAMES = 21
MAX_BYTES = 600_000
STILLS = 4  # frames on the static picture


class FrameSlider(Widget):
    """A slider through figures that are drawn once, here, and switched in the browser.

    draw: value -> matplotlib Figure, always of the same size. values: 2 to 21 numbers or strings, in the slider's
    order. label: what is moved, such as "step Δ"; unit: written after each value. `index`, the position, can be set.
    A page without a kernel shows up to four of the frames as one picture.
    Raises ValueError for too few or too many values, for frames that differ in size, and above 600 kB in all;
    TypeError if `draw` returns no Figure.
    """

    _esm = HERE / "frames.js"
    index = t.Int(0).tag(sync=True)
    label = t.Unicode().tag(sync=True)
    captions = t.List(t.Unicode()).tag(sync=True)  # the value of each frame, with its unit
    frames = t.List(t.Bytes()).tag(sync=True)  # PNG files

    def __init__(self, draw: Callable[[Any], Figure], values: Iterable, label: str, unit: str = ""):
        values = list(values)
        if not 2 <= len(values) <= MAX_FRAMES:
            raise ValueError(f"FrameSlider takes 2 to {MAX_FRAMES} values, not {len(values)}")
        captions = [f"{f'{v:g}' if isinstance(v, numbers.Number) else v} {unit}".strip() for v in values]
        frames = [_drawn(draw, value) for value in values]
        if len({imread(io.BytesIO(frame)).shape[:2] for frame in frames}) > 1:
            raise ValueError("the frames differ in size: give every Figure the same figsize and dpi")
        if sum(map(len, frames)) > MAX_BYTES:
            raise ValueError(
                f"the frames take {sum(map(len, frames)) / 1000:.0f} kB, more than {MAX_BYTES // 1000}: "
                "lower the dpi, or use fewer values or smaller pictures"
            )
        super().__init__(label=label, captions=captions, frames=frames)

    @t.validate("index")
    def _check_index(self, proposal):
        if not 0 <= proposal["value"] < len(self.frames):
            raise t.TraitError(f"index lies between 0 and {len(self.frames) - 1}, not at {proposal['value']}")
        return proposal["value"]

    def __repr__(self):
        return f"FrameSlider({self.label!r}, {self.captions[0]} to {self.captions[-1]}, {len(self.frames)} frames)"

    def alt(self) -> str:
        return f"{self.label}: frames from {self.captions[0]} to {self.captions[-1]}"

    def figure(self) -> Figure:
        """The first, the last and up to two frames between them, pixel for pixel, under their captions."""
        n = min(STILLS, len(self.frames))
        chosen = [round(i * (len(self.frames) - 1) / (n - 1)) for i in range(n)]
        images = [imread(io.BytesIO(self.frames[i])) for i in chosen]
        height, width = images[0].shape[:2]
        columns, head, dpi = (1 if width > 2 * height else 2), 26, 100
        rows = -(-n // columns)
        sheet = Figure((columns * width / dpi, rows * (height + head) / dpi), dpi=dpi)
        for place, (i, image) in enumerate(zip(chosen, images, strict=True)):
            left, top = place % columns * width, (rows - place // columns) * (height + head)
            sheet.figimage(image, left, top - head - height)
            at = (left + width / 2) / dpi / sheet.get_figwidth(), (top - head / 2) / dpi / sheet.get_figheight()
            sheet.text(*at, f"{self.label}: {self.captions[i]}", ha="center", va="center", weight="bold")
        return sheet


def _drawn(draw: Callable[[Any], Figure], value: Any) -> bytes:
    figure = draw(value)
    if not isinstance(figure, Figure):
        raise TypeError(f"draw must return a matplotlib Figure, not {type(figure).__name__}")
    return png(figure)
