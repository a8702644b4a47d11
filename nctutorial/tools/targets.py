"""A size or a quality in place of λ: the best file that fits, or the smallest that is good enough.

Bytes and PSNR rise with λ (`tests/long/monotone.py` shows it), so bisection finds it on the grid of λ in 13 trials.
"""

import math
import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple, Self

import numpy as np

from .. import metrics
from ..codec.base import Codec, Symbols
from ..codec.units import LAM_LAST, lam_at


class Target(NamedTuple):
    """At most so many bytes ("B") or bits per pixel ("bpp"), or a PSNR of at least so many decibels ("dB")."""

    value: float
    unit: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """From a text such as 30000B, 0.5bpp or 36dB. Raises ValueError."""
        match = re.fullmatch(r"([0-9]*\.?[0-9]+) ?(B|bpp|dB)", text)
        if match is None:
            raise ValueError(f"a target is a number and its unit, as 30000B, 0.5bpp or 36dB, unlike {text!r}")
        return cls(float(match[1]), match[2])


def compress_to(codec: Codec, image: np.ndarray, target: Target) -> bytes:
    """A photo as a .nct file: the largest λ within a rate, or the smallest λ of a PSNR. image: uint8 (H, W, 3).

    Raises ValueError, which says what is within reach.
    """
    value, unit = target
    latent = codec.analyze(image)  # once, for it is the same at every λ

    def symbols(index: int) -> Symbols:
        return codec.quantize(latent, lam_at(index))

    def rate(index: int) -> float:
        n_bytes = len(codec.encode(symbols(index)))
        return n_bytes if unit == "B" else metrics.bpp(n_bytes, image)

    def quality(index: int) -> float:
        return metrics.psnr(image, codec.reconstruct(symbols(index)))

    grid = range(LAM_LAST + 1)
    index = bisect_left(grid, value, key=quality) if unit == "dB" else bisect_right(grid, value, key=rate) - 1
    if index not in grid:  # rounded, so that what the message names can be asked for
        reach = f"{math.ceil(rate(0) * 1e4) / 1e4:.10g}{unit} or more"
        if unit == "dB":
            reach = f"{math.floor(quality(LAM_LAST) * 1e2) / 1e2:.10g}dB or less"
        raise ValueError(f"{value:.10g}{unit} is out of reach: ask for {reach}")
    return codec.encode(symbols(index))
