"""The symbols of a photo with side information, and the walk through them that encoder and decoder share.

A photo is coded tile by tile, each with its own z and context; up to a megapixel it is one tile. All arithmetic is of
integers, in float64, so that both sides find the same means and scales on any machine.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .base import Symbols
from .context import ContextModel, masks
from .exact import clamp_activation
from .priors import SCALES, SCALES_PER_E, scale_at
from .tiles import Area, latent_shape, tiles
from .units import FIXED_POINT, LAM_LAST, MEAN_ONE, NETWORK_ONE

MEAN_LIMIT = (1 << 15) - 1  # means are kept in 16 bits


def hyper_shape(h: int, w: int) -> tuple[int, int]:
    """Locations of z above h x w of y."""
    return -(-h // 4), -(-w // 4)


@dataclass(frozen=True)
class HyperSymbols(Symbols):
    """A quantised photo, and the parameters that each symbol is coded with."""

    hyper: np.ndarray  # int32 (C, hz, wz), the symbols of z
    means: np.ndarray  # int16 (M, h, w), in units of 1 / MEAN_ONE of a step; a symbol counts steps from there
    scales: np.ndarray  # uint8 (M, h, w), numbers of scales; at number 0 nothing is coded, the symbol is 0

    @classmethod
    def zeros(cls, channels: int, hyper_channels: int, lam_index: int, height: int, width: int) -> "HyperSymbols":
        """Arrays to be filled in, tile by tile. In memory the channels of a location lie side by side."""
        h, w = latent_shape(height, width)
        hyper = np.zeros((hyper_channels, *hyper_shape(h, w)), np.int32)
        shape = h, w, channels
        values, means, scales = (np.zeros(shape, t).transpose(2, 0, 1) for t in (np.int16, np.int16, np.uint8))
        return cls(values, lam_index, height, width, hyper, means, scales)

    def in_steps(self, area: Area) -> np.ndarray:
        y_hat = super().in_steps(area)
        y_hat += self.means[:, *area] * np.float32(1 / MEAN_ONE)
        return y_hat

    def tiles(self) -> Iterator["Tile"]:
        """Its tiles, in the order of the file."""
        for area, _, _ in tiles(*self.values.shape[1:]):
            above = tuple(slice(side.start // 4, -(-side.stop // 4)) for side in area)  # tiles begin at multiples of 4
            yield Tile(
                area, self.hyper[:, *above], *(array[:, *area] for array in (self.values, self.means, self.scales))
            )


@dataclass(frozen=True)
class Tile:
    """The symbols of one tile: views, to be filled in."""

    area: Area
    hyper: np.ndarray  # (C, hz, wz)
    values: np.ndarray  # (M, h, w), and so are
    means: np.ndarray
    scales: np.ndarray


class Pass(NamedTuple):
    """What is coded at once: some channels at some locations of a tile."""

    number: int
    channels: slice
    locations: Tensor  # int64 (n,), numbered row by row
    place: tuple[slice, np.ndarray, np.ndarray]  # the same as channels, rows and columns of an array (M, h, w)


def passes(context: ContextModel, h: int, w: int) -> list[Pass]:
    """The passes over h x w locations, in the order of the file, those without a location left out."""
    where = [mask.flatten().nonzero()[:, 0] for mask in masks(h, w)]
    order = []
    for number, (first, last, mask) in enumerate(context.passes):
        channels = slice(first, last)
        if len(where[mask]):
            order.append(Pass(number, channels, where[mask], (channels, *divmod(where[mask].numpy(), w))))
    return order


@dataclass(frozen=True)
class Scaling:
    """What depends on λ: integers between y in steps and y in the units that the networks see."""

    place: Tensor  # λ's place in its range and the square of it, in 1 / NETWORK_ONE: (1, 2, 1, 1)
    steps_a_unit: Tensor  # in 2^-16: (M,)
    units_a_step: Tensor  # in 2^-16: (M,)
    log_ratio: Tensor  # log of unit / step, in 1 / NETWORK_ONE: (M,)
    hyper_step: Tensor  # in 1 / FIXED_POINT: (C, 1, 1)

    @classmethod
    def at(cls, lam_index: int, unit: Tensor, step: Tensor, log_ratio: Tensor, hyper_step: Tensor) -> "Scaling":
        """unit, step, hyper_step: int64 in 1 / FIXED_POINT."""
        place = NETWORK_ONE * (2 * lam_index - LAM_LAST) // LAM_LAST
        return cls(
            torch.tensor([place, place * place // NETWORK_ONE], dtype=torch.float64).view(1, 2, 1, 1),
            ((unit << 16) // step).double(),
            ((step << 16) // unit).double(),
            log_ratio.double(),
            hyper_step.double()[:, None, None],
        )


class Walk:
    """Predicts the symbols of a tile, pass after pass, from z and from what is known of y.

    Encoder and decoder do the same: `predict` a pass, find its values, `reveal` them.
    """

    def __init__(self, networks: ContextModel, scaling: Scaling, tile: Tile):
        """networks: in integers. tile: its z is known, the rest is filled in by `reveal`."""
        self.networks, self.scaling, self.tile = networks, scaling, tile
        h, w = tile.values.shape[1:]
        self.passes = passes(networks, h, w)
        z_hat = torch.floor(torch.from_numpy(tile.hyper).double() * scaling.hyper_step * NETWORK_ONE / FIXED_POINT)
        self.side = networks.side(clamp_activation(z_hat)[None], scaling.place, h, w)
        self.known = torch.zeros(h * w, len(tile.values), dtype=torch.float64)  # y_hat in units, 0 where unknown

    def predict(self, coming: Pass) -> tuple[Tensor, Tensor]:
        """Means, in 1 / MEAN_ONE of a step, and numbers of scales of a pass: two float64 (locations, channels)."""
        known = self.known.view(1, *self.tile.values.shape[1:], -1).permute(0, 3, 1, 2)
        prediction = self.networks.predict(coming.number, self.side, known, self.scaling.place, coming.locations)
        mean, log_scale = (each[0, :, 0].T for each in prediction)
        mean = mean * self.scaling.steps_a_unit[coming.channels] * MEAN_ONE / (NETWORK_ONE << 16)
        mean = torch.floor(mean + 0.5).clamp_(-MEAN_LIMIT, MEAN_LIMIT)
        return mean, _scale_number(log_scale + self.scaling.log_ratio[coming.channels])

    def reveal(self, coded: Pass, values: Tensor, mean: Tensor, scale: Tensor) -> None:
        """Fill a pass into the tile, for the passes behind it to see. values: as mean and scale, from `predict`."""
        y_hat = (values * MEAN_ONE + mean) * self.scaling.units_a_step[coded.channels]
        self.known[coded.locations, coded.channels] = clamp_activation(
            torch.floor(y_hat * NETWORK_ONE / (MEAN_ONE << 16))
        )
        for array, new in (self.tile.values, values), (self.tile.means, mean), (self.tile.scales, scale):
            array[coded.place] = new.numpy().T


def _scale_number(log_scale: Tensor) -> Tensor:
    """The number of the scale nearest to a log scale in units of 1 / NETWORK_ONE."""
    smallest = round(math.log(scale_at(0)) * NETWORK_ONE)
    return torch.floor((log_scale - smallest) * SCALES_PER_E / NETWORK_ONE + 0.5).clamp_(0, SCALES - 1)
