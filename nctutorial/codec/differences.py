"""The symbols of the factorised codec: of the DC channels, the mean colours, a file holds differences of neighbours."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from .base import Symbols
from .tiles import Area, latent_shape
from .transforms import DC_CHANNELS


def differences(k: Tensor) -> Tensor:
    """Each value minus the one to its left, in the first column minus the one above. k: (..., h, w); same shape out."""
    above = F.pad(k[..., :-1, :1], (0, 0, 1, 0))
    return torch.diff(k, prepend=above)


def sums(d: Tensor) -> Tensor:
    """The inverse of `differences`, exact for integers. d: (..., h, w); same shape out."""
    d = d.clone()
    d[..., 0] = d[..., 0].cumsum(-1)
    return d.cumsum(-1)


def as_coded(k: Tensor) -> Tensor:
    """Symbols as a file holds them: of the DC channels the differences. k: (..., M, h, w); same shape out."""
    return torch.cat([differences(k[..., :DC_CHANNELS, :, :]), k[..., DC_CHANNELS:, :, :]], dim=-3)


@dataclass(frozen=True)
class FactorizedSymbols(Symbols):
    """A quantised photo as it is coded: the first DC_CHANNELS rows hold differences."""

    contrast: int  # the number of the photo's contrast

    def dc(self) -> np.ndarray:
        """The symbols of these channels, added up: int64 (DC_CHANNELS, h, w)."""
        rows = self.values[:DC_CHANNELS].reshape(-1, *latent_shape(self.height, self.width))
        return sums(torch.from_numpy(rows).long()).numpy()

    def in_steps(self, area: Area) -> np.ndarray:
        found = super().in_steps(area)
        found[:DC_CHANNELS] = self.dc()[:, *area]
        return found
