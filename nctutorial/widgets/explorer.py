"""The λ explorer: one photo, one slider, and everything that moves with it.

- `LambdaExplorer("red_panda")`, in a notebook: every slider position is coded, to real bytes, by either codec;
- `precompute("red_panda")`: the same widget with 33 positions in the page, which needs no kernel;
- `write_html("explorer.html", "red_panda")`: the same as one file, without kernel, network or Python.
"""

import asyncio
import base64
import io
import threading
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets as t
from scipy.ndimage import uniform_filter

from .. import classical, data, metrics, plotting
from ..codec import NAMES, load_codec
from ..codec.units import LAM_MAX, LAM_MIN
from . import page
from .frames import Lam
from .measurements import GRID, RIVALS, STOPS, Study, as_file, fit
from .threads import at_home, in_background, running_loop

HERE = Path(__file__).parent
REST = 0.2  # seconds without a move after which the slower figures are computed


class LambdaExplorer(anywidget.AnyWidget):
    """A widget that codes a photo at every position of its slider and shows what it costs and how it looks.

    photo: the name of a bundled photo, or a uint8 (H, W, 3) array, which is scaled down to 1 megapixel.
    lam: λ where the slider starts, within [LAM_MIN, LAM_MAX]. codec: the name of a bundled codec, between which the
    page can switch, or a codec of your own, which stands alone. live: False is for `precompute`. The traits `photo`,
    `lam`, `codec` (a name) and `other` ("original", "jpeg" or "webp", the picture to compare with) can be set at any
    time. Raises TraitError.
    """

    _esm = (HERE / "explorer.js").read_text("utf-8")
    _css = (HERE / "explorer.css").read_text("utf-8")
    lam = Lam(LAM_MIN).tag(sync=True)
    photo = t.Unicode().tag(sync=True)
    codec = t.Unicode().tag(sync=True)  # the one in use; "codec" stands for one of the reader's own
    codecs = t.List(list(NAMES)).tag(sync=True)
    other = t.Enum(("original", *RIVALS), "original").tag(sync=True)
    live = t.Bool(True).tag(sync=True)
    stops = t.List(STOPS).tag(sync=True)  # where the arrow keys and a drag halt
    photos = t.Dict().tag(sync=True)
    scene = t.Dict().tag(sync=True)  # the photo: its pixels, its size
    frame = t.Dict().tag(sync=True)  # the photo as coded at one λ: pixels, bits per block and figures
    detail = t.Dict().tag(sync=True)  # the frame's MS-SSIM, which comes later
    curves = t.Dict().tag(sync=True)
    stills: t.List = t.List().tag(sync=True)  # precomputed frames
    error = t.Unicode().tag(sync=True)

    def __init__(
        self, photo: str | np.ndarray = "red_panda", lam: float = 0.01, codec: Any = "factorized", live: bool = True
    ):
        name, codecs = (codec, list(NAMES)) if isinstance(codec, str) else ("codec", ["codec"])
        self._load = load_codec if isinstance(codec, str) else lambda name: codec
        self._own = ("", None, "") if isinstance(photo, str) else ("your photo", data.check_image(photo), "")
        self._studies: dict[str, Study] = {}  # of this photo, by codec
        self._study: Any = None  # the one of the codec in use
        self._coded: Any = None
        self._shown: Any = None  # the study and the λ of it
        self._home = threading.current_thread(), running_loop()
        self._task: asyncio.Task | None = None
        self._serial = 0
        photos = {"held out from training": data.photo_names(), "seen in training": data.photo_names("train")}
        photo = photo if isinstance(photo, str) else "own"
        super().__init__(photo=photo, lam=lam, codecs=codecs, codec=name, live=live, photos=photos)
        self._open()
        if live:
            self.observe(self._move, "lam")
            self.observe(self._turn, "photo")
            self.observe(self._switch, "codec")
            self.observe(self._show, "other")
            self.on_msg(self._receive)

    @t.validate("photo")
    def _check_photo(self, proposal):
        names = [name for group in self.photos.values() for name in group]
        name = proposal["value"]
        if name not in names and not (name == "own" and self._own[0]):
            raise t.TraitError(f"there is no bundled photo {name!r}; there are: {', '.join(names)}")
        return name

    @t.validate("codec")
    def _check_codec(self, proposal):
        if proposal["value"] not in self.codecs:
            raise t.TraitError(f"there is no codec {proposal['value']!r}; there are: {', '.join(self.codecs)}")
        return proposal["value"]

    # ---- what a move does at once

    def _open(self, _=None):
        """Show `photo`."""
        own, image, losses = self._own if self.photo == "own" else (self._own[0], data.photo(self.photo), "")
        image, note = fit(image)
        self._study, self._studies = None, {}
        self._study = self._with(self._studies, self.codec, image)
        self._code()
        y, x = np.unravel_index(uniform_filter(self._coded.bits, 9).argmax(), self._coded.bits.shape)
        scene = {"own": own, "note": f"{note} {losses}".strip(), "height": image.shape[0], "width": image.shape[1]}
        scene["focus"] = [16.0 * x + 8, 16.0 * y + 8]  # the zoom starts where the most bits go
        with self.hold_sync():
            self.error, self.curves = "", {}
            self.scene = scene | {"type": "raw", "pixels": image.tobytes()}
            if self.live:
                self._show()

    @at_home
    def _turn(self, _):
        """Show another photo."""
        self._open()

    def _with(self, studies, name, image):
        """The study of a photo with a codec: the one place where the analysis transform runs."""
        if name not in studies:
            study = Study(image, self._load(name), next(iter(studies.values()), None))
            studies.setdefault(name, study)  # the background may have been faster
        return studies[name]

    @at_home
    def _switch(self, _=None):
        """Code with the codec that is in use now."""
        if self._study is None:
            return self._open()
        self._study.kept.clear()  # the pictures of one codec are enough to hold
        self._study = self._with(self._studies, self.codec, self._study.image)
        self._move()

    def _code(self):
        self._serial += 1
        shown = self._study, self.lam
        self._coded = self._study.code(self.lam)
        self._shown = shown

    @at_home
    def _move(self, _=None):
        """Code at the newest λ and show it; positions in between, which had to wait, are left out."""
        if self._study is None:  # asleep
            return self._open()
        if self._shown == (self._study, self.lam):
            return
        self._code()
        self._show()

    @at_home
    def _show(self, _=None):
        if self._study is None:
            return self._open()
        self._send_frame()
        self._when_resting()

    def _send_frame(self):
        names = [self.other] if self.other in RIVALS else []
        figures = self._study.figures(self._coded, names)
        pixels = {"type": "raw", "pixels": self._coded.image.tobytes()}
        self.frame = {"serial": self._serial, "codec": self.codec, "asked": self._shown[1]} | pixels | figures

    # ---- what may wait

    def _when_resting(self):
        """Compute the rest once the slider rests; a newer position cancels it."""
        if self._task:
            self._task.cancel()
        try:
            self._task = asyncio.get_running_loop().create_task(self._while_resting())
        except RuntimeError:  # no event loop, as in a plain script: nobody else is waiting
            asyncio.run(self._rest())

    async def _while_resting(self):
        await asyncio.sleep(REST)
        await self._rest()
        await self._ahead()

    async def _rest(self):
        study, n_bytes = self._study, len(self._coded.data)
        if self.other in RIVALS:
            while (quality := study.between(self.other, n_bytes)) is not None:
                await self._measure(self.other, quality)
            if study.rival(self.other, n_bytes) != self.frame["rivals"][self.other]:
                self._send_frame()
        self.detail = {"serial": self._serial, "own": await in_background(study.similarity, self._coded.image)}
        for name, rival in self.frame["rivals"].items():
            self.detail = self.detail | {name: await in_background(study.similarity, rival["file"], name)}
        for name, settings in GRID.items():
            for setting in settings:
                await self._measure(name, setting)
            self._send_curves()
        await self._measure_beside(self._studies)

    async def _ahead(self):
        """What the next moves will ask for: the stops around this one, and the files of the other codec."""
        study = self._study
        for stop in study.stops_near(self.lam):
            if stop not in study.kept:
                await in_background(study.code, stop)
        if self.other in RIVALS:
            for quality in classical.QUALITIES[self.other]:
                await self._measure(self.other, quality)

    async def _measure(self, name, setting):
        if setting in self._study.points[name]:
            return
        if name == "codec":
            self._study.measure(name, setting)
            await asyncio.sleep(0.01)  # lets a newer position in
        else:
            await in_background(self._study.measure, name, setting)

    async def _measure_beside(self, studies):
        """The curves of the codecs that are not in use: in the background, since no move waits for them."""
        for name in self.codecs:
            study = await in_background(self._with, studies, name, self._study.image)
            for lam in GRID["codec"]:
                if lam not in study.points["codec"]:
                    await in_background(study.measure, "codec", lam)
            self._send_curves()

    def _send_curves(self):
        own = {name: study.curve("codec") for name, study in self._studies.copy().items()}
        self.curves = own | {name: self._study.curve(name) for name in RIVALS}

    # ---- messages from the page

    @at_home
    def _receive(self, _, content, buffers):
        if content["kind"] == "wake" and self._study is None:
            self._open()
        elif content["kind"] == "sleep":
            self._sleep()
        elif content["kind"] == "upload":
            self._upload(buffers[0], **content)

    def _sleep(self):
        """No page shows the widget any more (its cell was run again, say): let go of all that is large."""
        if self._task:
            self._task.cancel()
        self._study = self._coded = self._shown = self._task = None
        self._studies = {}
        self.scene, self.frame = {}, {}

    def _upload(self, piece, name, part, parts, kind):
        self._parts = [*(self._parts if part else []), bytes(piece)]
        if part + 1 < parts:
            return
        file, self._parts, self.error = b"".join(self._parts), [], ""
        try:
            image, losses = data.open_image(file)
        except data.ImageError as error:
            self.error = f"{name}: {error}"
            return
        self._own = (name, image, losses)
        if self.photo == "own":
            self._open()
        else:
            self.photo = "own"

    # ---- without a kernel

    def __repr__(self):
        return f"LambdaExplorer(photo={self.photo!r}, lam={self.lam:.4g})"

    def _repr_mimebundle_(self, **kwargs):
        bundle, metadata = super()._repr_mimebundle_(**kwargs)
        if self._study is None:
            self._open()
        alt = f"{self.photo}: three reconstructions at rising λ, and the rate-distortion plane of this photo"
        return bundle | {"image/png": self.picture()}, (metadata or {}) | {"image/png": {"alt": alt}}

    def picture(self) -> str:
        """The story without a slider, as a base64 PNG: the original, three λ, and the R-D plane."""
        study = self._study
        study.measure_grid()
        self._send_curves()
        results = []
        for lam in LAM_MIN, 0.01, LAM_MAX:
            coded = study.code(lam)
            point = metrics.bpp(len(coded.data), study.image), metrics.psnr(study.image, coded.image)
            results.append((f"λ = {lam:g}", coded.image, point))
        curves = {self.codec: study.curve("codec")} | {name: study.curve(name) for name in RIVALS}
        figure = plotting.explorer_picture(study.image, results, curves, self.scene["focus"])
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png")
        return base64.b64encode(buffer.getvalue()).decode()


# ---- pages without a kernel


def precompute(
    photo: str | np.ndarray = "red_panda", n: int = 33, lam: float = 0.01, codec: Any = "factorized"
) -> LambdaExplorer:
    """A LambdaExplorer that needs no kernel: n frames, log-spaced in λ, travel with the page.

    The frames are stored lossily to keep the page small, and the page says so; all figures are those of the
    exact reconstructions. Raises TraitError.
    """
    explorer = LambdaExplorer(photo, lam, codec, live=False)
    study = explorer._study
    study.measure_grid()
    for name in explorer.codecs:
        beside = explorer._with(explorer._studies, name, study.image)
        for setting in GRID["codec"]:
            beside.measure("codec", setting)
    note = (
        f"{explorer.scene['note']} This page holds {n} positions of λ; their pictures are stored as AVIF, "
        "quality 80, to keep it small. All figures are of the exact pictures."
    )
    pixels = {"type": "image/webp", "pixels": as_file(study.image, "WEBP", lossless=True, method=6)}
    explorer.scene = explorer.scene | pixels | {"note": note}
    frames = ({"serial": serial, "codec": explorer.codec} for serial in range(n))
    explorer.stills = [
        frame | study.still(step) for frame, step in zip(frames, np.geomspace(LAM_MIN, LAM_MAX, n), strict=True)
    ]
    explorer._send_curves()
    return explorer


def write_html(
    path: Path | str, photo: str | np.ndarray = "red_panda", n: int = 33, lam: float = 0.01, codec: Any = "factorized"
) -> None:
    """Write the precomputed explorer as one page that needs nothing else. Raises TraitError, OSError."""
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"there is no folder {Path(path).parent}")
    explorer = precompute(photo, n, lam, codec)
    state = {name: getattr(explorer, name) for name in LambdaExplorer.class_own_traits() if name[0] != "_"}
    data.write_atomic(path, page.html(state, explorer._esm, explorer._css).encode())
