"""The symbols of a photo with side information, and its tiles: what hyperprior.py fills, codes and decodes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .base import Symbols
from .tiles import Area, latent_shape, tiles
from .units import MEAN_ONE

MEAN_LIMIT = (1 << 15) - 1  # means are kept in 16 bits


def hyper_shape(h: int, w: int) -> tuple[int, int]:
    """Locations of z above h x w of y."""
    return -(-h // 4), -(-w // 4)


@dataclass(frozen=True)
class HyperSymbols(Symbols):
    """A quantised photo, and the parameters that each symbol is coded with."""

    hyper: np.ndarray  # int32 (C, number of locations of z), the symbols of z
    means: np.ndarray  # int16 (M, h w), in units of 1 / MEAN_ONE of a step; a symbol counts steps from there
    levels: np.ndarray  # uint8 (M, h w), number of the scale; at level 0 nothing is coded, the symbol is 0

    def in_steps(self, area: Area) -> np.ndarray:
        found = super().in_steps(area)
        found += self.means.reshape(-1, *latent_shape(self.height, self.width))[:, *area] * np.float32(1 / MEAN_ONE)
        return found


@dataclass(frozen=True)
class Part:
    """The symbols of one tile: views, to be filled. Tiles are coded one by one, each with its own z and context."""

    area: Area
    hyper: np.ndarray  # (C, hz, wz)
    values: np.ndarray  # (M, h, w), and so are
    means: np.ndarray
    levels: np.ndarray


def parts(symbols: HyperSymbols) -> Iterator[Part]:
    """The tiles of a photo; one, up to a megapixel."""
    h, w = latent_shape(symbols.height, symbols.width)
    arrays = [array.reshape(-1, h, w) for array in (symbols.values, symbols.means, symbols.levels)]
    for area, _, _ in tiles(h, w):
        above = tuple(slice(side.start // 4, -(-side.stop // 4)) for side in area)  # tiles begin at multiples of 4
        hyper = symbols.hyper.reshape(-1, *hyper_shape(h, w))[:, *above]
        yield Part(area, hyper, *(array[:, *area] for array in arrays))
