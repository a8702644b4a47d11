"""A small widget for every chapter: pictures drawn once, a slider that turns their pages.

Nothing is computed when the slider moves, so the pages turn without a kernel and without delay. `interval_ladder`
draws the pages of chapter 06.
"""

import base64
import io
import math
import numbers
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from typing import Any

import anywidget
import matplotlib.pyplot as plt
import traitlets as t
from matplotlib.figure import Figure
from matplotlib.image import imread

from .. import plotting
from ..codec.units import LAM_MAX, LAM_MIN

MAX_FRAMES = 21
MAX_BYTES = 600_000
STILLS = 4  # frames on the static picture


class Lam(t.Float):
    """The trait of a widget that holds λ, clipped to [LAM_MIN, LAM_MAX] within the rounding of a slider's logarithm."""

    def validate(self, obj: Any, value: Any) -> float:
        lam = super().validate(obj, value)
        if not LAM_MIN * 0.999999 <= lam <= LAM_MAX * 1.000001:
            raise t.TraitError(f"lam lies between {LAM_MIN} and {LAM_MAX}, not at {lam}")
        return min(max(lam, LAM_MIN), LAM_MAX)


ESM = """
function render({ model, el }) {
  const captions = model.get("captions");
  const make = (tag, attributes) => Object.assign(document.createElement(tag), attributes);
  const pictures = model.get("frames").map((png, i) =>
    make("img", { src: URL.createObjectURL(new Blob([png], { type: "image/png" })), alt: captions[i] }));
  const slider = make("input", { type: "range", min: 0, max: captions.length - 1, step: 1 });
  const caption = make("output", {});
  const row = make("label", {});
  row.append(make("span", { textContent: model.get("label") }), slider, caption);
  const root = make("div", { className: "nct-frames" });
  root.append(row, ...pictures);
  el.append(root);

  const show = () => {
    const index = model.get("index");
    slider.value = index;
    slider.setAttribute("aria-valuetext", captions[index]);
    caption.textContent = captions[index];
    pictures.forEach((picture, i) => (picture.hidden = i !== index));
  };
  slider.addEventListener("input", () => {
    model.set("index", Number(slider.value));
    show();
    model.save_changes();
  });
  slider.addEventListener("keydown", (event) => event.stopPropagation()); // JupyterLab would swallow the arrow keys
  model.on("change:index", show);
  show();
  return () => {
    model.off("change:index", show);
    pictures.forEach((picture) => URL.revokeObjectURL(picture.src));
  };
}
export default { render };
"""

CSS = """
.nct-frames { padding: 8px 10px; background: #fff; color: #1f2328; border: 1px solid #d0d7de; border-radius: 6px;
  font: 14px/1.4 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.nct-frames label { display: flex; flex-wrap: wrap; gap: 4px 12px; align-items: center; margin-bottom: 6px; }
.nct-frames input { flex: 1 1 160px; max-width: 480px; height: 24px; margin: 0; cursor: pointer;
  accent-color: #0072b2; }
.nct-frames input:focus-visible { outline: 3px solid #0072b2; outline-offset: 2px; }
.nct-frames output { min-width: 8em; font-variant-numeric: tabular-nums; }
.nct-frames img { display: block; max-width: 100%; height: auto; }
.nct-frames img[hidden] { display: none; }
"""


class FrameSlider(anywidget.AnyWidget):
    """A slider through figures that are drawn once, here, and switched in the browser.

    draw: value -> matplotlib Figure, always of the same size. values: 2 to 21 numbers or strings, in the slider's
    order. label: what is moved, such as "step Δ"; unit: written after each value. `index`, the position, can be set.
    A page without a kernel shows up to four of the frames as one picture.
    Raises ValueError for too few or too many values, for frames that differ in size, and above 600 kB in all;
    TypeError if `draw` returns no Figure.
    """

    _esm, _css = ESM, CSS
    index = t.Int(0).tag(sync=True)
    label = t.Unicode().tag(sync=True)
    captions = t.List(t.Unicode()).tag(sync=True)  # the value of each frame, with its unit
    frames = t.List(t.Bytes()).tag(sync=True)  # PNG files

    def __init__(self, draw: Callable[[Any], Figure], values: Iterable, label: str, unit: str = ""):
        values = list(values)
        if not 2 <= len(values) <= MAX_FRAMES:
            raise ValueError(f"FrameSlider takes 2 to {MAX_FRAMES} values, not {len(values)}")
        captions = [f"{f'{v:g}' if isinstance(v, numbers.Number) else v} {unit}".strip() for v in values]
        frames = [_png(draw(value)) for value in values]
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

    def _repr_mimebundle_(self, **kwargs):
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        alt = f"{self.label}: frames from {self.captions[0]} to {self.captions[-1]}"
        picture = {"image/png": self.picture(), "text/plain": repr(self)}
        return bundle | picture, (metadata or {}) | {"image/png": {"alt": alt}}

    def picture(self) -> str:
        """The first, the last and up to two frames between them under their captions, as a base64 PNG."""
        n = min(STILLS, len(self.frames))
        chosen = [round(i * (len(self.frames) - 1) / (n - 1)) for i in range(n)]
        images = [imread(io.BytesIO(self.frames[i])) for i in chosen]
        height, width = images[0].shape[:2]
        columns, head, dpi = (1 if width > 2 * height else 2), 26, 100
        rows = -(-n // columns)
        sheet = Figure((columns * width / dpi, rows * (height + head) / dpi), dpi=dpi, facecolor="white")
        for place, (i, image) in enumerate(zip(chosen, images, strict=True)):
            left, top = place % columns * width, (rows - place // columns) * (height + head)
            sheet.figimage(image, left, top - head - height)
            at = (left + width / 2) / dpi / sheet.get_figwidth(), (top - head / 2) / dpi / sheet.get_figheight()
            sheet.text(*at, f"{self.label}: {self.captions[i]}", ha="center", va="center", weight="bold")
        return base64.b64encode(_png(sheet)).decode()


def _png(figure):
    """A figure as the bytes of a PNG of exactly its size."""
    if not isinstance(figure, Figure):
        raise TypeError(f"draw must return a matplotlib Figure, not {type(figure).__name__}")
    buffer = io.BytesIO()
    with plt.rc_context({"savefig.bbox": None}):
        figure.savefig(buffer, format="png", dpi=figure.dpi, metadata={"Software": None})
    plt.close(figure)  # else the notebook shows it as well
    return buffer.getvalue()


def interval_ladder(message: Sequence[int], ends: Sequence[Fraction], names: Sequence[str], shown: int) -> Figure:
    """An exact arithmetic coder at work: a bar for each interval, magnified to full width. Returns a Figure.

    message: the symbols to code, as indices. ends: the K + 1 Fractions at which the K symbols' parts of [0, 1) end.
    names: what to write on each symbol's part. shown: how many symbols have been coded.
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
        _draw_parts(ax, -i, ends, names, chosen)
        ax.text(1.03, -i, f"$2^{{{math.log2(width):.2f}}}$" if i else "1", va="center", size=12)
        ax.text(1.24, -i, settled(low, width) or "none", va="center", size=11, family="monospace")
        if s is not None and i < shown:
            left, right = float(ends[s]), float(ends[s + 1])
            ax.fill([left, right, 1, 0], [-i - 0.25, -i - 0.25, -i - 0.75, -i - 0.75], color=plotting.SKY, alpha=0.35)
            low, width = low + width * ends[s], width * (ends[s + 1] - ends[s])
    return figure


def _draw_parts(ax, y, ends, names, chosen):
    for s, (left, right) in enumerate(zip(map(float, ends), map(float, ends[1:]), strict=False)):
        if right - left < 0.002 and s != chosen:
            continue  # too thin to be seen
        face, ink = (plotting.BLUE, "white") if s == chosen else ("#E9EEF3", "#1f2328")
        ax.barh(y, right - left, 0.5, left, color=face, edgecolor="white", linewidth=0.8)
        if right - left > 0.045:
            ax.text((left + right) / 2, y, names[s], ha="center", va="center", color=ink, size=11)
    ax.barh(y, 1, 0.5, color="none", edgecolor="#8c959f", linewidth=0.8)


def settled(low: Fraction, width: Fraction) -> str:
    """The binary digits, as a string, with which every number in [low, low + width) begins. low, width: Fractions."""
    k = 0
    while math.floor(low * 2 ** (k + 1)) == math.ceil((low + width) * 2 ** (k + 1)) - 1:
        k += 1
    return format(math.floor(low * 2**k), f"0{k}b") if k else ""
