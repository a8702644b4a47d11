"""The symbols of a photo with side information, and the walk through them that encoder and decoder share.

A photo is coded tile by tile, each with its own z and context; up to a megapixel it is one tile. All arithmetic is of
integers, in float64, so that both sides find the same means and scales on any machine.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .base import Symbols
from .context import ContextModel, masks
from .exact import clamp_activation
from .priors import SCALES, SCALES_PER_E, scale_at
from .tiles import Area, latent_shape
from .units import FIXED_POINT, LAM_LAST, MEAN_ONE, NETWORK_ONE

MEAN_LIMIT = (1 << 15) - 1  # means are kept in 16 bits


@dataclass(frozen=True)
class HyperSymbols(Symbols):
    """A quantised photo, and the parameters that each symbol is coded with."""

    hyper: np.ndarray  # int32 (C, ceil(h / 4), ceil(w / 4)), the symbols of z
    means: np.ndarray  # int16 (M, h, w), in units of 1 / MEAN_ONE of a step; a symbol counts steps from there
    scales: np.ndarray  # uint8 (M, h, w), numbers of scales; at number 0 nothing is coded, the symbol is 0

    @classmethod
    def zeros(cls, channels: int, hyper_channels: int, lam_index: int, height: int, width: int) -> "HyperSymbols":
        """Arrays to be filled in. In memory the channels of a location lie side by side, as in the networks."""
        h, w = latent_shape(height, width)
        hyper = np.zeros((hyper_channels, -(-h // 4), -(-w // 4)), np.int32)
        shape = h, w, channels
        values, means, scales = (np.zeros(shape, t).transpose(2, 0, 1) for t in (np.int16, np.int16, np.uint8))
        return cls(values, lam_index, height, width, hyper, means, scales)

    def in_steps(self, area: Area) -> np.ndarray:
        return super().in_steps(area) + self.means[:, *area] * np.float32(1 / MEAN_ONE)

    def hyper_of(self, area: Area) -> np.ndarray:
        """The symbols of z above a tile, a view: (C, hz, wz). Tiles begin at multiples of 4."""
        rows, columns = (slice(side.start // 4, -(-side.stop // 4)) for side in area)
        return self.hyper[:, rows, columns]


class Pass(NamedTuple):
    """What is coded at once: some channels at some locations of a tile."""

    number: int  # of its networks
    locations: Tensor  # int64 (n,), numbered row by row
    selection: tuple[slice, np.ndarray, np.ndarray]  # channels, rows and columns


def passes(context: ContextModel, h: int, w: int) -> list[Pass]:
    """The passes over h x w locations, in the order of the file, those without a location left out."""
    where = [mask.flatten().nonzero()[:, 0] for mask in masks(h, w)]
    every = [(i, where[mask], slice(first, last)) for i, (first, last, mask) in enumerate(context.passes)]
    return [Pass(i, at, (channels, *divmod(at.numpy(), w))) for i, at, channels in every if len(at)]


class Scaling(NamedTuple):
    """What depends on λ: integers between y in steps and y in the units that the networks see."""

    place: Tensor  # λ's place in its range and the square of it, in 1 / NETWORK_ONE: (1, 2, 1, 1)
    steps_a_unit: Tensor  # in 2^-16: (M,)
    units_a_step: Tensor  # in 2^-16: (M,)
    log_ratio: Tensor  # log of unit / step, in 1 / NETWORK_ONE: (M,)
    hyper_step: Tensor  # in 1 / FIXED_POINT: (C, 1, 1)


def scaling(lam_index: int, unit: Tensor, step: Tensor, log_ratio: Tensor, hyper_step: Tensor) -> Scaling:
    """The Scaling at a grid position of λ. unit, step, log_ratio: (M,) int64; hyper_step: (C,) int64."""
    place = NETWORK_ONE * (2 * lam_index - LAM_LAST) // LAM_LAST
    places = torch.tensor([place, place * place // NETWORK_ONE]).view(1, 2, 1, 1)
    numbers = places, (unit << 16) // step, (step << 16) // unit, log_ratio, hyper_step[:, None, None]
    return Scaling(*(each.double() for each in numbers))


class Walk:
    """Predicts the symbols of a tile, pass after pass, from z and from what is known of y.

    Encoder and decoder do the same: `predict` a pass, find its values, `reveal` them.
    """

    def __init__(self, networks: ContextModel, scaling: Scaling, symbols: HyperSymbols, area: Area):
        """networks: in integers. symbols: their z is known, the area of the rest is filled in by `reveal`."""
        self.networks, self.scaling = networks, scaling
        self.arrays = [array[:, *area] for array in (symbols.values, symbols.means, symbols.scales)]
        channels, self.h, self.w = self.arrays[0].shape
        self.passes = passes(networks, self.h, self.w)
        hyper = torch.from_numpy(symbols.hyper_of(area)).double()
        z_hat = clamp_activation(torch.floor(hyper * scaling.hyper_step * NETWORK_ONE / FIXED_POINT))
        self.side = networks.side(z_hat[None], scaling.place, self.h, self.w)
        self.known = torch.zeros(self.h * self.w, channels, dtype=torch.float64)  # y_hat in units, 0 where unknown

    def predict(self, coming: Pass) -> tuple[Tensor, Tensor]:
        """Means, in 1 / MEAN_ONE of a step, and numbers of scales of a pass: two float64 (locations, channels)."""
        channels = coming.selection[0]
        known = self.known.view(1, self.h, self.w, -1).permute(0, 3, 1, 2)
        prediction = self.networks.predict(coming.number, self.side, known, self.scaling.place, coming.locations)
        mean, log_scale = (each[0, :, 0].T for each in prediction)
        mean = torch.floor(mean * self.scaling.steps_a_unit[channels] * MEAN_ONE / (NETWORK_ONE << 16) + 0.5)
        return mean.clamp_(-MEAN_LIMIT, MEAN_LIMIT), _scale_number(log_scale + self.scaling.log_ratio[channels])

    def reveal(self, coded: Pass, values: Tensor, mean: Tensor, scale: Tensor) -> None:
        """Fill a pass in, for the passes behind it to see. values: as mean and scale, from `predict`."""
        channels = coded.selection[0]
        y_hat = (values * MEAN_ONE + mean) * self.scaling.units_a_step[channels] * NETWORK_ONE / (MEAN_ONE << 16)
        self.known[coded.locations, channels] = clamp_activation(torch.floor(y_hat))
        for array, new in zip(self.arrays, (values, mean, scale), strict=True):
            array[coded.selection] = new.numpy().T


def _scale_number(log_scale: Tensor) -> Tensor:
    """The number of the scale nearest to a log scale in units of 1 / NETWORK_ONE."""
    smallest = round(math.log(scale_at(0)) * NETWORK_ONE)
    return torch.floor((log_scale - smallest) * SCALES_PER_E / NETWORK_ONE + 0.5).clamp_(0, SCALES - 1)
