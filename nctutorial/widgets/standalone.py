"""The λ explorer without a kernel: its pictures travel with the notebook, or in one HTML file."""

import base64
import hashlib
import io
import json
import math
import re
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from .. import classical, data
from ..codec.units import LAM_MAX, LAM_MIN
from .base import HERE, LamWidget, Widget
from .explorer import LambdaExplorer, bits_map
from .measurements import RIVALS, Measurements


def precompute(
    photo: str | np.ndarray = "red_panda", n: int = 33, lam: float = 0.01, model: Any = "factorized"
) -> LambdaExplorer:
    """A LambdaExplorer that needs no kernel: n frames, log-spaced in λ, travel with the page.

    The frames are stored lossily to keep the page small, and the page says so; all figures are those of the
    exact reconstructions. Raises TraitError.
    """
    explorer = LambdaExplorer(photo, lam, model, live=False)
    measured = explorer._measured
    measured.measure_curves(explorer.models)
    explorer._send_curves()
    original = io.BytesIO()
    Image.fromarray(measured.image).save(original, "WEBP", lossless=True, method=6)
    note = (
        f"{explorer.scene['note']} This page holds {n} positions of λ; their pictures are stored as AVIF, "
        "quality 80, to keep it small. All figures are of the exact pictures."
    )
    explorer.scene = explorer.scene | {"type": "image/webp", "pixels": original.getvalue(), "note": note}
    explorer.stops = np.geomspace(LAM_MIN, LAM_MAX, n).tolist()
    explorer.stills = [_still(measured, explorer.model, stop) for stop in explorer.stops]
    explorer.lam = min(explorer.stops, key=lambda stop: abs(math.log(stop / lam)))
    return explorer


def _still(measured: Measurements, model: str, lam: float) -> dict[str, Any]:
    """One frame: all figures, and the picture as AVIF, nearly as it is."""
    coded = measured.code(model, lam)
    for name in RIVALS:
        while (quality := measured.next_quality(name, len(coded.data))) is not None:
            measured.measure(name, quality)
    figures = measured.figures(coded, RIVALS)
    detail = {"serial": lam, "own": measured.similarity(coded.image)}
    detail |= {name: measured.similarity(rival["file"], name) for name, rival in figures["rivals"].items()}
    pixels = {"type": "image/avif", "pixels": classical.encode("avif", coded.image, 80), "bits": bits_map(coded.bits)}
    return figures | pixels | {"serial": lam, "model": model, "detail": detail}


def write_html(
    path: Path | str, photo: str | np.ndarray = "red_panda", n: int = 33, lam: float = 0.01, model: Any = "factorized"
) -> None:
    """Write the precomputed explorer as one page that needs nothing else. Raises TraitError, OSError."""
    if not Path(path).parent.is_dir():
        raise FileNotFoundError(f"there is no folder {Path(path).parent}")
    explorer = precompute(photo, n, lam, model)
    names = [name for kind in (Widget, LamWidget, LambdaExplorer) for name in kind.class_own_traits(sync=True)]
    state = json.dumps({name: getattr(explorer, name) for name in names}, default=_as_base64)
    state = state.replace("</", "<\\/")  # nothing in it may end the script element
    page = Template((HERE / "standalone.html").read_text("utf-8"))
    html = page.safe_substitute(n=n, css=explorer._css, esm=explorer._esm, state=state)
    for tag, text in re.findall(r'<(style|script)(?: type="module")?>(.*?)</\1>', html, re.S):
        digest = hashlib.sha256(text.encode()).digest()  # nothing else may run or be styled on the page
        html = html.replace(f"${tag}_hash", base64.b64encode(digest).decode(), 1)
    data.write_atomic(path, html.encode())


def _as_base64(file: bytes) -> dict[str, str]:
    return {"base64": base64.b64encode(file).decode()}
