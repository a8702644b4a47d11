"""One photo under study: its rate-distortion curves, and what another codec makes of it at the same bytes."""

import io
import math
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from PIL import Image

from .. import classical, metrics
from ..codec.base import Coded
from ..codec.units import LAM_MAX, LAM_MIN

RIVALS = ("jpeg", "webp")
STOPS: list[float] = np.geomspace(LAM_MIN, LAM_MAX, 61).tolist()  # λ, an arrow key on the slider apart
GRID: dict[str, Sequence[float]] = {  # where each codec's curve is measured: λ, or quality
    "codec": STOPS[::5],
    "jpeg": (1, *classical.CURVE["jpeg"]),
    "webp": classical.CURVE["webp"][::2],  # it takes 0.2 s a file
}
MAX_PIXELS, MAX_SIDE = 1_048_576, 8192  # a larger photo is scaled down
KEPT = 72 << 20  # bytes of coded pictures that are kept: all stops of a photo of 768 x 512


class Study:
    """The latent of one photo, computed once, and every R-D point measured on it so far, each at most once.

    image: uint8 (H, W, 3). codec: has analyze(image) and code(latent, lam). beside: the study of the same photo with
    another codec, with which this one shares what it measures of the rivals.
    """

    def __init__(self, image: np.ndarray, codec: Any, beside: "Study | None" = None):
        self.image, self.codec = image, codec
        self.latent = codec.analyze(image)
        rivals = {name: beside.points[name] if beside else {} for name in RIVALS}
        # name -> setting (λ or quality) -> (bytes, PSNR in dB)
        self.points: dict[str, dict[float, tuple[int, float]]] = {"codec": {}} | rivals
        # name -> quality -> the file
        self.files: dict[str, dict[float, bytes]] = beside.files if beside else {name: {} for name in RIVALS}
        self.room = max(KEPT // image.nbytes, 1)
        self.kept: dict[float, Coded] = {}  # by λ

    def code(self, lam: float) -> Coded:
        """What the codec makes of the photo at λ. At the slider's stops it is kept, as far as there is room."""
        coded = self.kept.get(lam) or self.codec.code(self.latent, lam)
        if lam in STOPS:
            self.kept[lam] = coded
            while len(self.kept) > self.room:
                self.kept.pop(max(list(self.kept), key=lambda stop: abs(math.log(stop / lam))), None)
        return coded

    def stops_near(self, lam: float) -> list[float]:
        """As many stops of the slider as can be kept, the nearest to λ first."""
        return sorted(STOPS, key=lambda stop: abs(math.log(stop / lam)))[: self.room]

    def measure(self, name: str, setting: float) -> None:
        """Code the photo by `name` at λ or quality `setting`, once, and keep (bytes, PSNR)."""
        if setting in self.points[name]:
            return
        if name == "codec":
            coded = self.code(setting)
            file, image = coded.data, coded.image
        else:
            file = self.files[name][setting] = classical.encode(name, self.image, setting)
            image = classical.decode(name, file)
        self.points[name][setting] = len(file), metrics.psnr(self.image, image)

    def measure_grid(self) -> None:
        """Measure all of GRID; the classical codecs release Python's lock, so they run beside ours."""
        with ThreadPoolExecutor(1) as pool:
            rivals = [pool.submit(self.measure, name, q) for name in RIVALS for q in GRID[name]]
            for lam in GRID["codec"]:
                self.measure("codec", lam)
            for rival in rivals:
                rival.result()

    def figures(self, coded: Coded, rivals: Iterable[str] = ()) -> dict[str, Any]:
        """What the read-out shows of one coded frame, and the same of the rivals named, at the same bytes."""
        bpp, mse = metrics.bpp(len(coded.data), self.image), metrics.mse(self.image, coded.image)
        return {
            "lam": coded.lam,
            "bytes": len(coded.data),
            "bpp": bpp,
            "estimated": float(coded.bits.sum()) / (self.image.shape[0] * self.image.shape[1]),
            "mse": mse,
            "psnr": 10 * math.log10(255**2 / mse) if mse else None,  # JSON has no infinity
            "bits": np.asarray(coded.bits, np.float32).tobytes(),
            "rivals": {name: self.rival(name, len(coded.data)) for name in rivals},
        }

    def still(self, lam: float) -> dict[str, Any]:
        """One frame of a page without a kernel: all figures, and the picture as AVIF, nearly as it is."""
        coded = self.code(lam)
        for name in RIVALS:
            while (quality := self.between(name, len(coded.data))) is not None:
                self.measure(name, quality)
        frame = self.figures(coded, RIVALS)
        detail = {name: self.similarity(rival["file"], name) for name, rival in frame["rivals"].items()}
        pixels = as_file(coded.image, "AVIF", quality=80, subsampling="4:4:4")
        return frame | {
            "detail": {"own": self.similarity(coded.image)} | detail,
            "type": "image/avif",
            "pixels": pixels,
        }

    def similarity(self, picture: Any, name: str | None = None) -> float:
        """MS-SSIM of `picture`, an image or a file made by the codec `name`. Takes 0.1 s and more."""
        return metrics.ms_ssim(self.image, classical.decode(name, picture) if name else picture)

    def curve(self, name: str) -> list[list[float]]:
        """[[bpp, PSNR], ...] by rising rate, of those points in GRID that have been measured."""
        known = [self.points[name][setting] for setting in GRID[name] if setting in self.points[name]]
        points = sorted((metrics.bpp(n, self.image), psnr) for n, psnr in known)
        return [list(point) for point in points if np.isfinite(point[1])]

    def rival(self, name: str, n_bytes: int) -> dict[str, Any] | None:
        """The best file of `name` with at most n_bytes, else its smallest; None if none is measured yet."""
        sizes = self._sizes(name)
        if not sizes:
            return None
        fitting = [quality for quality, n in sizes.items() if n <= n_bytes]
        quality = max(fitting) if fitting else min(sizes, key=sizes.__getitem__)
        n, psnr = self.points[name][quality]
        return {
            "quality": quality,
            "bytes": n,
            "bpp": metrics.bpp(n, self.image),
            "psnr": psnr if math.isfinite(psnr) else None,
            "file": self.files[name][quality],
        }

    def between(self, name: str, n_bytes: int) -> Any | None:
        """The quality to measure next for `rival` to come nearer to n_bytes; None if it cannot: bisection."""
        sizes, first = self._sizes(name), classical.QUALITIES[name][0]
        low = max((quality for quality, n in sizes.items() if n <= n_bytes), default=first - 1)
        high = min((quality for quality in sizes if quality > low), default=classical.QUALITIES[name][-1] + 1)
        return (low + high) // 2 if high - low > 1 else None

    def _sizes(self, name: str) -> dict[Any, int]:
        points = list(self.points[name].items())  # a copy: a thread may be adding to it
        return {quality: n for quality, (n, _) in points}


def as_file(image: np.ndarray, kind: str, **options: Any) -> bytes:
    """A picture, uint8 (H, W, 3), as a file of a kind that Pillow knows."""
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, kind, **options)
    return buffer.getvalue()


def fit(image: np.ndarray) -> tuple[np.ndarray, str]:
    """Scale down to MAX_PIXELS if need be. Returns the image and a sentence about it."""
    height, width = image.shape[:2]
    factor = min((MAX_PIXELS / (height * width)) ** 0.5, MAX_SIDE / max(height, width))
    if factor >= 1:
        return image, f"{width} × {height} pixels."
    size = max(1, int(width * factor)), max(1, int(height * factor))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
    return small, (
        f"{width} × {height} pixels, scaled down to {size[0]} × {size[1]} for the explorer; "
        "the command “nctutorial compress” codes every pixel."
    )
