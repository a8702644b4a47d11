"""How good and how fast a codec is on one photo: rate-distortion rows, tables of means, BD-rates on Kodak.

Each picture measured here was decoded from the bytes of its file. Whole folders are measured by `survey`.
"""

import csv
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .. import metrics
from ..codec.base import Codec
from ..codec.units import LAM_MAX, LAM_MIN, lam_at
from ..data import DATA

LAMS = tuple(np.geomspace(LAM_MIN, LAM_MAX, 9))
SECONDS = ("analysis", "encoding", "decoding", "synthesis")
MEASURED = ("lam", "bytes", "bpp", "estimated_bpp", "psnr", "ms_ssim", *SECONDS)


def measure(codec: Codec, image: np.ndarray, lams: Sequence[float] = LAMS) -> list[dict]:
    """One row for each λ, with the columns MEASURED. image: uint8 (H, W, 3).

    bpp counts every byte of the file, estimated_bpp is the cross-entropy of its payload. Seconds are of single
    runs: `encoding` is quantizer and range coder, `decoding` the range decoder; analysis runs once for all λ.
    """
    rows = []
    latent, analysis = _timed(codec.analyze, image)
    for lam in lams:
        symbols, quantizing = _timed(codec.quantize, latent, lam)
        data, coding = _timed(codec.encode, symbols)
        decoded, decoding = _timed(codec.decode, data)
        assert np.array_equal(decoded.values, symbols.values), f"the bytes decode to other symbols at lam {lam}"
        x_hat, synthesis = _timed(codec.reconstruct, decoded)
        rows.append(
            {
                "lam": lam_at(symbols.lam_index),
                "bytes": len(data),
                "bpp": metrics.bpp(len(data), image),
                "estimated_bpp": codec.bits(symbols).sum() / (image.shape[0] * image.shape[1]),
                "psnr": metrics.psnr(image, x_hat),
                "ms_ssim": metrics.ms_ssim(image, x_hat),
                "analysis": analysis,
                "encoding": quantizing + coding,
                "decoding": decoding,
                "synthesis": synthesis,
            }
        )
    return rows


def _timed(function: Callable[..., Any], *arguments: object) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


def table(rows: list[dict]) -> str:
    """Means over the pictures for each codec and λ, as text; networks and coder apart."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["codec"], row["lam"]].append(row)
    order = list(dict.fromkeys(codec for codec, _ in groups))
    width = max(map(len, ["codec", *order]))
    lines = [
        f"{'':{width}}                                                 compress (ms)     decompress (ms)",
        f"{'codec':{width}}  lambda      bpp  estimated   PSNR  MS-SSIM    network   coder    coder   network",
    ]
    for codec, lam in sorted(groups, key=lambda group: (order.index(group[0]), group[1])):
        mean = {name: statistics.fmean(row[name] for row in groups[codec, lam]) for name in MEASURED}
        ms = [1000 * mean[name] for name in SECONDS]
        lines.append(
            f"{codec:{width}} {lam:7.5f} {mean['bpp']:8.4f} {mean['estimated_bpp']:10.4f} {mean['psnr']:6.2f}"
            f" {mean['ms_ssim']:8.4f}    {ms[0]:7.0f} {ms[1]:7.0f}  {ms[2]:7.0f} {ms[3]:9.0f}"
        )
    return "\n".join(lines)


def bd_rates(rows: list[dict]) -> dict[str, float] | None:
    """BD-rate in percent of one codec's rows against HEVC and JPEG on Kodak: per image, then averaged.

    None unless the 24 Kodak images, kodim01 to kodim24, are among the rows. The references' points were measured
    for this project: data/reference/kodak_classical.csv. Raises ValueError if a curve does not increase.
    """
    ours, theirs = defaultdict(list), defaultdict(list)
    for row in rows:
        ours[Path(row["image"]).stem].append((row["bpp"], row["psnr"]))
    with open(DATA / "reference" / "kodak_classical.csv", encoding="utf-8", newline="") as file:
        for text in csv.DictReader(file):
            theirs[text["codec"], "kodim" + text["image"]].append((float(text["bpp"]), float(text["psnr"])))
    kodak = {image for _, image in theirs}
    if not kodak <= set(ours):
        return None
    return {
        name: statistics.fmean(
            metrics.bd_rate(*zip(*theirs[name, image], strict=True), *zip(*ours[image], strict=True)) for image in kodak
        )
        for name in ("hevc444_x265", "jpeg420")
    }


def bd_line(rates: dict[str, float], codec: str) -> str:
    """BD-rates of a codec and their protocol, in one line."""
    each = ", ".join(f"{rate:+.1f} % against {name}" for name, rate in rates.items())
    return f"{codec}: BD-rate on Kodak {each} (measured bytes, RGB PSNR of 8-bit pictures, PCHIP, mean of 24 images)"


def speed(codec: Codec, image: np.ndarray, lam: float = 0.01, runs: int = 9) -> str:
    """Median milliseconds of compressing and decompressing, as text; the first run is not counted."""
    rows = [measure(codec, image, [lam])[0] for _ in range(runs + 1)][1:]
    height, width = image.shape[:2]
    lines = [
        f"{width} x {height} pixels, lambda {lam}, {torch.get_num_threads()} threads, median of {runs} runs, in ms",
        "            network   coder   total",
    ]
    for name, network, coder in (("compress", "analysis", "encoding"), ("decompress", "synthesis", "decoding")):
        ms = [1000 * statistics.median(row[stage] for row in rows) for stage in (network, coder)]
        lines.append(f"{name:11} {ms[0]:7.1f} {ms[1]:7.1f} {sum(ms):7.1f}")
    return "\n".join(lines)
