"""How good and how fast a codec is: rate-distortion rows, BD-rates on Kodak, a table of milliseconds.

Decoding is real: each picture measured here is made from symbols that came out of the file's bytes. Whole folders are
measured by `folder`.
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
KODAK = tuple(f"kodim{i:02d}" for i in range(1, 25))


def _timed(function: Callable[..., Any], *arguments: object) -> tuple[Any, float]:
    start = time.perf_counter()
    result = function(*arguments)
    return result, time.perf_counter() - start


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


def table(rows: list[dict]) -> str:
    """Means over the pictures for each codec and λ, as text; networks and coder apart."""
    groups = defaultdict(list)
    for row in rows:
        groups[row["codec"], row["lam"]].append(row)
    width = max(len(name) for name in ["codec", *(codec for codec, _ in groups)])
    lines = [
        f"{'':{width}}                                                 compress (ms)     decompress (ms)",
        f"{'codec':{width}}  lambda      bpp  estimated   PSNR  MS-SSIM    network   coder    coder   network",
    ]
    order = list(dict.fromkeys(row["codec"] for row in rows))
    for (codec, lam), group in sorted(groups.items(), key=lambda item: (order.index(item[0][0]), item[0][1])):
        mean = {name: statistics.fmean(row[name] for row in group) for name in MEASURED[2:]}
        milliseconds = [1000 * mean[name] for name in SECONDS]
        lines.append(
            f"{codec:{width}} {lam:7.5f} {mean['bpp']:8.4f} {mean['estimated_bpp']:10.4f} {mean['psnr']:6.2f}"
            f" {mean['ms_ssim']:8.4f}" + "    {:7.0f} {:7.0f}  {:7.0f} {:9.0f}".format(*milliseconds)
        )
    return "\n".join(lines)


def bd_rates(rows: list[dict], references: Sequence[str] = ("hevc444_x265", "jpeg420")) -> dict[str, float] | None:
    """BD-rate in percent of one codec's rows against each reference on Kodak: per image, then averaged.

    None unless the 24 Kodak images, kodim01 to kodim24, are among the rows. The references' points were measured
    for this project: data/reference/kodak_classical.csv. Raises ValueError if a curve does not increase.
    """
    ours = defaultdict(list)
    for row in rows:
        ours[Path(row["image"]).stem].append((row["bpp"], row["psnr"]))
    if not set(KODAK) <= set(ours):
        return None
    theirs = defaultdict(list)
    with open(DATA / "reference" / "kodak_classical.csv", newline="") as file:
        for row in csv.DictReader(file):
            theirs[row["codec"], "kodim" + row["image"]].append((float(row["bpp"]), float(row["psnr"])))
    return {
        name: statistics.fmean(
            metrics.bd_rate(*zip(*theirs[name, image], strict=True), *zip(*ours[image], strict=True)) for image in KODAK
        )
        for name in references
    }


def bd_line(rates: dict[str, float], codec: str) -> str:
    """BD-rates of a codec and their protocol, in one line."""
    found = ", ".join(f"{rate:+.1f} % against {name}" for name, rate in rates.items())
    return f"{codec}: BD-rate on Kodak {found} (measured bytes, RGB PSNR of 8-bit pictures, PCHIP, mean of 24 images)"


def speed(codec: Codec, image: np.ndarray, lam: float = 0.01, runs: int = 9) -> dict[str, float]:
    """Median seconds of each of SECONDS over several runs, after one that is not counted."""
    rows = [measure(codec, image, [lam])[0] for _ in range(runs + 1)][1:]
    return {name: statistics.median(row[name] for row in rows) for name in SECONDS}


def speed_table(codec: Codec, image: np.ndarray, lam: float = 0.01, runs: int = 9) -> str:
    """The figures of `speed` in milliseconds as text, networks and coder apart."""
    ms = {name: 1000 * seconds for name, seconds in speed(codec, image, lam, runs).items()}
    height, width = image.shape[:2]
    threads = torch.get_num_threads()
    return "\n".join(
        [
            f"{width} x {height} pixels, lambda {lam}, {threads} threads, median of {runs} runs, in ms",
            "            network   coder   total",
            f"compress    {ms['analysis']:7.1f} {ms['encoding']:7.1f} {ms['analysis'] + ms['encoding']:7.1f}",
            f"decompress  {ms['synthesis']:7.1f} {ms['decoding']:7.1f} {ms['synthesis'] + ms['decoding']:7.1f}",
        ]
    )
