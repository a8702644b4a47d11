"""The λ explorer: one photo, one slider, and everything that moves with it.

A change of a trait, or a message from the page, leads to `_update`, which shows what is asked for by then; what may
wait follows while the slider rests. The widget sleeps while no page shows it.
"""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import matplotlib as mpl
import numpy as np
import traitlets as t
from matplotlib.figure import Figure
from scipy.ndimage import uniform_filter

from .. import data, metrics
from ..codec import NAMES, load_codec
from ..codec.base import Coded
from ..codec.units import LAM_MAX, LAM_MIN
from ..plotting import rd_plane
from .base import HERE, STOPS, LamWidget
from .measurements import RIVALS, Measurements, scaled_down, settings
from .threads import in_background, running_loop

MOST_BITS = 1000  # of a block: where the colours of the bits map end


@dataclass(frozen=True, eq=False)
class OwnPhoto:
    """A photo that is not one of the bundled ones."""

    name: str
    image: np.ndarray  # uint8 (H, W, 3)
    losses: str = ""  # a sentence: what of the file did not come along


class LambdaExplorer(LamWidget):
    """A widget that codes a photo at every position of its slider and shows what it costs and how it looks.

    photo: the name of a bundled photo, or a uint8 (H, W, 3) array, which is scaled down to 1 megapixel.
    lam: λ where the slider starts, within [LAM_MIN, LAM_MAX]. model: the name of a bundled codec, between which the
    page can switch, or a codec of your own, which stands alone. live: False is for `precompute`. The traits `photo`,
    `lam`, `model` (a name) and `other` ("original", "jpeg" or "webp", the picture to compare with) can be set at any
    time; in a notebook the page follows when the cell has ended. Raises TraitError.
    """

    _esm = HERE / "explorer.js"
    photo = t.Unicode().tag(sync=True)  # "own" is the reader's
    model = t.Unicode().tag(sync=True)  # "codec" is one of the reader's own
    other = t.Enum(("original", *RIVALS), "original").tag(sync=True)
    photos = t.Dict().tag(sync=True)
    models: t.List = t.List().tag(sync=True)
    rivals = t.List(list(RIVALS)).tag(sync=True)
    live = t.Bool(True).tag(sync=True)
    scene = t.Dict().tag(sync=True)  # the photo: its pixels, its size
    frame = t.Dict().tag(sync=True)  # the photo as coded at one λ: pixels, bits of each block and figures
    detail = t.Dict().tag(sync=True)  # the frame's MS-SSIM, which comes later
    curves = t.Dict().tag(sync=True)
    stills: t.List = t.List().tag(sync=True)  # precomputed frames
    error = t.Unicode().tag(sync=True)

    rest = 0.2  # seconds without a move after which the slower figures are computed

    def __init__(
        self, photo: str | np.ndarray = "red_panda", lam: float = 0.01, model: Any = "factorized", live: bool = True
    ):
        name, models = (model, list(NAMES)) if isinstance(model, str) else ("codec", ["codec"])
        self._load = load_codec if isinstance(model, str) else lambda name: model
        self._own = None if isinstance(photo, str) else OwnPhoto("your photo", data.check_image(photo))
        self._opened: str | OwnPhoto | None = None  # the photo that is shown; None: asleep
        self._shown: tuple = ()  # what is shown of it: model, λ, other
        self._measured: Any = None
        self._coded: Any = None
        self._serial = 0
        self._pieces: list[bytes] = []  # of a file on its way here
        self._loop = running_loop()  # of the thread of the cells
        self._task: asyncio.Task | None = None
        photos = {"held out from training": data.photo_names(), "seen in training": data.photo_names("train")}
        photo = photo if isinstance(photo, str) else "own"
        super().__init__(photo=photo, lam=lam, models=models, model=name, live=live, photos=photos)
        if live:
            self._update()
            self.observe(lambda _: self._soon(self._update), ["photo", "model", "lam", "other"])
            self.on_msg(self._receive)
        else:
            self._open_photo()

    @t.validate("photo", "model")
    def _check_name(self, proposal):
        name, kind, known = proposal["value"], "codec", self.models
        if proposal["trait"].name == "photo":
            kind, known = "bundled photo", [name for group in self.photos.values() for name in group]
        if name not in known and not (name == "own" and self._own):
            raise t.TraitError(f"there is no {kind} {name!r}; there are: {', '.join(known)}")
        return name

    # ---- what a move does at once

    def _soon(self, work, *args):
        """Do it on the thread of the cells, between two cells; JupyterLab's messages arrive on another thread.

        There OpenMP would keep a second team of threads; here nothing else of the widget runs at the same time.
        """
        if self._loop is None:  # a plain script
            work(*args)
        else:
            self._loop.call_soon_threadsafe(self._uninterrupted, work, *args)

    def _uninterrupted(self, work, *args):
        try:
            work(*args)
        except KeyboardInterrupt:  # it is meant for a cell, and would end the kernel's loop
            self._shown = ()  # what is half done is done again
            self._uninterrupted(work, *args)

    def _update(self):
        """Show what photo, model, λ and other ask for now. What is shown already is not made again."""
        with self.hold_sync():
            if self._opened != (self._own if self.photo == "own" else self.photo):
                self._open_photo()
            asked = self.model, self.lam, self.other
            if asked == self._shown:
                return
            if asked[:2] != self._shown[:2]:
                self._serial += 1
                self._coded = self._measured.code(self.model, self.lam)
            self._send_frame()
            self._shown = asked
        self._when_resting()

    def _open_photo(self):
        opened = self._own if self.photo == "own" else self.photo
        image, losses = (opened.image, opened.losses) if self.photo == "own" else (data.photo(self.photo), "")
        image, note = scaled_down(image)
        self._measured, self._shown = Measurements(image, self._load), ()
        bits = self._measured.code(self.model, self.lam).bits
        y, x = np.unravel_index(uniform_filter(bits, 9).argmax(), bits.shape)
        self.error, self.curves = "", {}
        self.scene = {
            "type": "raw",
            "pixels": image.tobytes(),
            "height": image.shape[0],
            "width": image.shape[1],
            "own": self._own.name if self._own else "",
            "note": f"{note} {losses}".strip(),
            "focus": [16.0 * x + 8, 16.0 * y + 8],  # the zoom starts where the most bits go
        }
        self._opened = opened

    def _send_frame(self):
        head = {"serial": self._serial, "model": self.model, "bits": bits_map(self._coded.bits)}
        pixels = {"type": "raw", "pixels": self._coded.image.tobytes()}
        self.frame = head | pixels | self._measured.figures(self._coded, {self.other} & set(RIVALS))

    # ---- what may wait

    def _when_resting(self):
        """Measure the rest once the slider rests; a newer position cancels it."""
        if self._task:
            self._task.cancel()
        if self._loop is None:  # nobody else is waiting
            asyncio.run(self._measure_rest())
        else:
            self._task = self._loop.create_task(self._while_resting())

    async def _while_resting(self):
        await asyncio.sleep(self.rest)
        await self._measure_rest()
        nearest = sorted(STOPS, key=lambda stop: abs(math.log(stop / self.lam)))
        for stop in nearest[: self._measured.room]:  # an arrow key or a drag may ask for it next
            await in_background(self._measured.code, self.model, stop)

    async def _measure_rest(self):
        measured, n_bytes = self._measured, len(self._coded.data)
        if self.other in RIVALS:
            while (quality := measured.next_quality(self.other, n_bytes)) is not None:
                await in_background(measured.measure, self.other, quality)
            if measured.rival(self.other, n_bytes) != self.frame["rivals"][self.other]:
                self._send_frame()
        self.detail = {"serial": self._serial, "own": await in_background(measured.similarity, self._coded.image)}
        for name, rival in self.frame["rivals"].items():
            self.detail = self.detail | {name: await in_background(measured.similarity, rival["file"], name)}
        for name in dict.fromkeys((self.model, *RIVALS, *self.models)):
            for setting in settings(name):
                if setting not in measured.points[name]:
                    await in_background(measured.measure, name, setting)
            self._send_curves()

    def _send_curves(self):
        self.curves = {name: self._measured.curve(name) for name in (*self.models, *RIVALS)}

    # ---- messages from the page

    def _receive(self, _, content, buffers):
        acts = {"wake": self._update, "gone": self._fall_asleep, "upload": partial(self._take, content, buffers)}
        self._soon(acts[content["kind"]])

    @property
    def asleep(self) -> bool:
        """Whether it holds no photo, for no page shows it: its cell was run again, say. Any change wakes it."""
        return self._opened is None

    def _fall_asleep(self):
        if self._task:
            self._task.cancel()
        self._opened = self._measured = self._coded = self._task = None
        self._shown = ()
        self.scene, self.frame = {}, {}

    def _take(self, content, buffers):
        """Take one piece of an uploaded file, and open it with the last."""
        pieces = [*(self._pieces if content["piece"] else []), bytes(buffers[0])]
        if content["piece"] + 1 < content["pieces"]:
            self._pieces = pieces
            return
        self.error = ""
        try:
            self._own = OwnPhoto(content["name"], *data.open_image(b"".join(pieces)))
        except data.ImageError as error:
            self.error = f"{content['name']}: {error}"
        else:
            self.photo = "own"
            self._update()
        self._pieces = []

    # ---- on a static page

    def __repr__(self):
        return f"LambdaExplorer(photo={self.photo!r}, lam={self.lam:.4g})"

    def alt(self) -> str:
        return f"{self.photo}: three reconstructions at rising λ, and the rate-distortion plane of this photo"

    def figure(self) -> Figure:
        if self.live:
            self._update()
        measured = self._measured
        measured.measure_curves([self.model])
        self._send_curves()
        results = [measured.code(self.model, lam) for lam in (LAM_MIN, 0.01, LAM_MAX)]
        curves = {name: measured.curve(name) for name in (self.model, *RIVALS)}
        return explorer_figure(measured.image, results, curves, self.scene["focus"])


def bits_map(bits: np.ndarray) -> bytes:
    """The bits of each block, (h, w), as the RGB pixels of a picture: viridis, logarithmic from 1 to MOST_BITS."""
    place = np.log(np.maximum(bits, 1)) / np.log(MOST_BITS)
    return mpl.colormaps["viridis"](place, bytes=True)[..., :3].tobytes()


def explorer_figure(image: np.ndarray, results: Sequence[Coded], curves: dict, focus: Sequence[float]) -> Figure:
    """One region of the original and of three results, and the R-D plane.

    image: uint8 (H, W, 3). curves: as for `rd_plane`, that of the results first. focus: (x, y), the centre of the
    region in pixels.
    """
    height, width = image.shape[:2]
    side = min(160, height, width)
    left, top = np.clip(np.round(focus) - side // 2, 0, (width - side, height - side)).astype(int)
    figure = Figure(figsize=(11, 5.4), layout="constrained")
    pictures, plane = figure.subfigures(1, 2, width_ratios=(1, 1), squeeze=False)[0]
    ax = rd_plane(curves, plane.subplots())
    colour, shown = ax.lines[0].get_color(), [("original: 24 bpp", image)]
    for coded in results:
        bpp, psnr = metrics.bpp(len(coded.data), image), metrics.psnr(image, coded.image)
        shown.append((f"λ = {coded.lam:.3g}: {bpp:.2f} bpp, {psnr:.1f} dB", coded.image))
        ax.plot(bpp, psnr, "o", color=colour, markersize=9)
        ax.annotate(f"λ = {coded.lam:.3g}", (bpp, psnr), (7, -13), textcoords="offset points", color=colour)
    for axes, (title, picture) in zip(pictures.subplots(2, 2).flat, shown, strict=True):
        axes.imshow(picture[top : top + side, left : left + side])
        axes.set_title(title)
        axes.set_axis_off()
    rates, psnrs = np.array(next(iter(curves.values())) or [(1, 30)]).T
    ax.set(xlim=(0, 1.25 * rates.max()), title="measured on this photo")
    ax.set_ylim(5 * np.floor((psnrs.min() - 1) / 5), 5 * np.ceil((psnrs.max() + 0.5) / 5))
    return figure
