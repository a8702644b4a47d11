"""What is measured of one photo, each point once: our codecs at λ, and their rivals at the same number of bytes."""

import functools
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from .. import classical, metrics
from ..codec.base import Coded
from .base import STOPS
from .threads import BACKGROUND

RIVALS = ("jpeg", "webp")  # to compare with: of `classical.CODECS`, those whose files a browser can show
KEPT = 96 << 20  # bytes of coded pictures that are kept: all stops of a photo of 768 x 512, and the other curve
MOST_PIXELS, LONGEST_SIDE = 1_048_576, 8192  # that the page shows: a larger photo is scaled down


class Measurements:
    """One photo, its latent under each codec, and every R-D point measured on it so far.

    image: uint8 (H, W, 3). load: name -> a codec with analyze(image) and code(latent, lam). kept: bytes of coded
    pictures that are kept, the newest ones. `code(name, lam)` is what a codec makes of the photo at λ.
    """

    def __init__(self, image: np.ndarray, load: Callable[[str], Any], kept: int = KEPT):
        self.image = image
        self.room = max(kept // image.nbytes, 1)  # in pictures
        self.code = functools.lru_cache(self.room)(functools.partial(_code, image, load, {}))
        self.points: dict[str, dict[float, tuple[int, float]]] = defaultdict(dict)  # name -> setting -> (bytes, PSNR)
        self.files: dict[str, dict[float, bytes]] = defaultdict(dict)  # rival -> quality -> file

    def measure(self, name: str, setting: float) -> None:
        """Code the photo by `name` at λ or quality `setting`, once, and keep (bytes, PSNR in dB)."""
        if setting in self.points[name]:
            return
        if name in RIVALS:
            file = self.files[name][setting] = classical.encode(name, self.image, setting)
            image = classical.decode(name, file)
        else:
            coded = self.code(name, setting)
            file, image = coded.data, coded.image
        self.points[name][setting] = len(file), metrics.psnr(self.image, image)

    def measure_curves(self, names: Iterable[str]) -> None:
        """Measure whole curves; those of the rivals beside ours, for their codecs release Python's lock."""
        beside = [BACKGROUND.submit(self.measure, name, q) for name in RIVALS for q in settings(name)]
        for name in names:
            for lam in settings(name):
                self.measure(name, lam)
        for point in beside:
            point.result()

    def curve(self, name: str) -> list[list[float]]:
        """[[bpp, PSNR], ...] by rising rate, of those of its `settings` that have been measured."""
        known = [self.points[name][setting] for setting in settings(name) if setting in self.points[name]]
        return sorted([metrics.bpp(n, self.image), psnr] for n, psnr in known if math.isfinite(psnr))

    def figures(self, coded: Coded, rivals: Iterable[str]) -> dict[str, Any]:
        """What the read-out shows of one coded picture, and the same of the rivals named, at the same bytes."""
        bpp, mse = metrics.bpp(len(coded.data), self.image), metrics.mse(self.image, coded.image)
        return {
            "lam": coded.lam,
            "bytes": len(coded.data),
            "bpp": bpp,
            "estimated": float(coded.bits.sum()) / (self.image.shape[0] * self.image.shape[1]),
            "mse": mse,
            "psnr": 10 * math.log10(255**2 / mse) if mse else None,  # JSON has no infinity
            "rivals": {name: self.rival(name, len(coded.data)) for name in rivals},
        }

    def rival(self, name: str, n_bytes: int) -> dict[str, Any] | None:
        """The best file of `name` with at most n_bytes, else its smallest; None if none is measured yet."""
        sizes = self._sizes(name)
        if not sizes:
            return None
        quality = max((q for q, n in sizes.items() if n <= n_bytes), default=min(sizes, key=sizes.__getitem__))
        n, psnr = self.points[name][quality]
        figures = {"bytes": n, "bpp": metrics.bpp(n, self.image), "psnr": psnr if math.isfinite(psnr) else None}
        return figures | {"quality": quality, "file": self.files[name][quality]}

    def next_quality(self, name: str, n_bytes: int) -> Any | None:
        """The quality to measure next for `rival` to come nearer to n_bytes; None if it cannot: bisection."""
        sizes, qualities = self._sizes(name), classical.QUALITIES[name]
        low = max((q for q, n in sizes.items() if n <= n_bytes), default=qualities[0] - 1)
        high = min((q for q in sizes if q > low), default=qualities[-1] + 1)
        return (low + high) // 2 if high - low > 1 else None

    def _sizes(self, name: str) -> dict[Any, int]:
        points = list(self.points[name].items())  # a copy: a thread may be adding to it
        return {quality: n for quality, (n, _) in points}

    def similarity(self, picture: Any, name: str | None = None) -> float:
        """MS-SSIM of `picture`, an image or a file made by the codec `name`. Takes 0.1 s and more."""
        return metrics.ms_ssim(self.image, classical.decode(name, picture) if name else picture)


def _code(image: np.ndarray, load: Callable[[str], Any], latents: dict[str, Any], name: str, lam: float) -> Coded:
    """latents: by codec, filled here: the one place where the analysis transform runs."""
    codec = load(name)
    if name not in latents:
        latents[name] = codec.analyze(image)
    return codec.code(latents[name], lam)


def settings(name: str) -> Sequence[float]:
    """Where the curve of a codec is measured: λ for one of ours; for a rival every other quality, and the lowest."""
    return sorted({classical.QUALITIES[name][0], *classical.CURVE[name][::2]}) if name in RIVALS else STOPS[::5]


def scaled_down(image: np.ndarray) -> tuple[np.ndarray, str]:
    """The image with no more than MOST_PIXELS and LONGEST_SIDE, and a sentence about it."""
    height, width = image.shape[:2]
    factor = min((MOST_PIXELS / (height * width)) ** 0.5, LONGEST_SIDE / max(height, width))
    if factor >= 1:
        return image, f"{width} × {height} pixels."
    size = max(1, int(width * factor)), max(1, int(height * factor))
    small = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=3))
    return small, (
        f"{width} × {height} pixels, scaled down to {size[0]} × {size[1]} for the explorer; "
        "the command “nctutorial compress” codes every pixel."
    )
