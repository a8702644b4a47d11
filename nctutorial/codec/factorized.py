"""The codec with a factorised prior: every channel has one distribution, the same at all locations of a photo.

After Ballé et al. 2017 (arXiv:1611.01704) and 2018 (arXiv:1802.01436). A prior that looks at one location at a time
misses two things that JPEG makes use of, too (Wallace 1992). The mean colour of a location is about that of the one to
its left: of the DC channels files hold differences. And a photo as a whole is loud or quiet, for which a JPEG encoder
makes Huffman tables to measure: files name a contrast s, and the latents of the photo have the cumulative F(y / s).
"""

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from . import bitstream
from .base import Codec, Latent, Symbols
from .bitstream import BitstreamError
from .model import Model
from .priors import FactorizedPrior, IntegerPrior
from .rangecoder import SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder, Tables
from .rounding import HARD, ROUNDING_COST, Rounding, best_deadzone, shrink, unshrink
from .tiles import Area, latent_shape
from .transforms import DC_CHANNELS
from .units import DEADZONE_ONE, FIXED_POINT, LAM_LAST, NODES, between_nodes, lam_at, lam_index, node_lams, place_of

CONTRASTS = tuple(round(FIXED_POINT * 2 ** (i / 4 - 2)) for i in range(16))  # 1/4 to 3.4, in 1 / FIXED_POINT
CONTRAST_TABLE = Tables(np.array([0]), [np.ones(len(CONTRASTS) + 1, np.int64)])
MIDDLE = LAM_LAST // 2  # the position on the grid of λ at which a photo's contrast is chosen
VALUE_LIMIT = SYMBOL_LIMIT // 2 - 1  # differences of such values are within SYMBOL_LIMIT


# ---- what a file holds


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
    """Values as a file holds them: of the DC channels the differences. k: (..., M, h, w); same shape out."""
    return torch.cat([differences(k[..., :DC_CHANNELS, :, :]), k[..., DC_CHANNELS:, :, :]], dim=-3)


@dataclass(frozen=True)
class FactorizedSymbols(Symbols):
    """A quantised photo as it is coded: the first DC_CHANNELS rows hold differences."""

    contrast: int  # its place in CONTRASTS

    def dc(self) -> np.ndarray:
        """The values of the DC channels, added up: int64 (DC_CHANNELS, h, w)."""
        return sums(torch.from_numpy(self.values[:DC_CHANNELS]).long()).numpy()

    def in_steps(self, area: Area) -> np.ndarray:
        y_hat = super().in_steps(area)
        y_hat[:DC_CHANNELS] = self.dc()[:, *area]
        return y_hat


@dataclass(frozen=True)
class LatentWithContrast(Latent):
    """A latent, and the contrast under which it takes the fewest bits."""

    contrast: int


# ---- what is trained


class FactorizedModel(Model):
    """Transforms and a factorised prior."""

    kind = "factorized"
    deadzone: Tensor

    def __init__(self, latent: int = 320, wide: int = 192, narrow: int = 128, depth: tuple[int, int] = (4, 5)):
        """As Transforms."""
        super().__init__(latent, wide, narrow, depth)
        self.sizes = {"latent": latent, "wide": wide, "narrow": narrow, "depth": depth}
        self.prior = FactorizedPrior(latent)
        self.register_buffer("deadzone", torch.zeros(NODES, latent, dtype=torch.uint8))  # in 1 / DEADZONE_ONE
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start_prior(self, spread: Tensor) -> None:
        spread = spread.clone()
        spread[:DC_CHANNELS] /= 4  # about the spread of differences
        self.prior = FactorizedPrior(len(spread), spread)

    def relaxed(self, y: Tensor, lam: Tensor, rounding: Rounding = HARD) -> tuple[Tensor, Tensor]:
        gain, dead = self.at_lam(self.log_gain, lam), rounding.bin_of_zero(self.deadzone_at(lam))
        t, rated = rounding.symbols(shrink(y * gain, dead))
        stretched = gain * self.contrast_factors[self.contrast_of(y)][:, None, None, None]
        bits = rounding.bits(lambda k: self.symbol_bits(k, stretched, dead), as_coded(rated))
        return t * self.at_lam(self.log_inverse_gain, lam), bits.sum((1, 2, 3))

    def deadzone_at(self, lam: Tensor) -> Tensor:
        """The deadzones of the node nearest to each λ, in steps: (B, M, 1, 1). lam: (B,)."""
        node = torch.round(place_of(lam) * (NODES - 1)).long()
        return self.deadzone[node].float()[:, :, None, None] / DEADZONE_ONE

    @property
    def contrast_factors(self) -> Tensor:
        """The contrasts as factors: (16,)."""
        return torch.tensor(CONTRASTS, device=self.y_scale.device) / FIXED_POINT

    @torch.no_grad()
    def contrast_of(self, y: Tensor) -> Tensor:
        """The contrast under which each latent has the fewest bits, at the middle λ: (B,) int64. y: (B, M, h, w).

        Of the locations a sixteenth stands for all, of the channels all but the DC channels.
        """
        lam = torch.full((len(y),), lam_at(MIDDLE), device=y.device)
        gain, dead = self.at_lam(self.log_gain, lam), self.deadzone_at(lam)
        k = torch.round(shrink(y[..., ::4, ::4] * gain, dead))
        factor = self.contrast_factors.repeat_interleave(len(y))[:, None, None, None]
        k, gain, dead = (each.repeat(len(CONTRASTS), 1, 1, 1) for each in (k, gain, dead))
        bits = self.symbol_bits(k, gain * factor, dead)[:, DC_CHANNELS:].sum((1, 2, 3))
        return bits.view(len(CONTRASTS), len(y)).argmin(0)

    def symbol_bits(self, t: Tensor, gain: Tensor, deadzone: Tensor) -> Tensor:
        """Bits of symbols t, integer or noisy, under the prior.

        t: (B, M, h, w); gain, times the contrast, and deadzone: (B, M, 1, 1). Returns the shape of t. What shrinks to
        (t - 1/2, t + 1/2) is an interval of y; its mass under the prior is the probability of t.
        """
        return self.prior.bits(unshrink(t - 0.5, deadzone) / gain, unshrink(t + 0.5, deadzone) / gain)

    @torch.no_grad()
    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:
        step = 1 / self.at_lam(self.log_gain, node_lams(self.log_gain.device))[:, :, 0, 0]  # (NODES, M)

        def mass(low: Tensor, high: Tensor) -> Tensor:
            return self.prior.mass((low * step).T[:, None], (high * step).T[:, None])[:, 0].T

        deadzone = best_deadzone(mass, self.deadzone.float() / DEADZONE_ONE, rounding_cost, rounds)
        deadzone[:, :DC_CHANNELS] = 0  # what the prior knows of is the difference, not the value
        self.deadzone.copy_(deadzone * DEADZONE_ONE)


# ---- what is used


class FactorizedCodec(Codec):
    """A finished codec with a factorised prior."""

    model: FactorizedModel

    def __init__(self, model: Model, integers: Mapping[str, Tensor]):
        super().__init__(model, integers)
        finest = self.step.min(0)  # not always that of the largest λ, in a silent channel
        cdf, first, size = (integers[name].numpy() for name in ("cdf", "cdf_first", "cdf_size"))
        self.prior = IntegerPrior(cdf, first, size, finest)
        self.deadzone = self.model.deadzone.numpy()  # (NODES, M) uint8, in 1 / DEADZONE_ONE of a step
        self.tables = functools.lru_cache(maxsize=1)(self._tables)  # what codes a photo asks for its bits, too

    @classmethod
    @torch.no_grad()
    def finish(cls, model: FactorizedModel, rounding_cost: float = ROUNDING_COST) -> Self:
        model = copy.deepcopy(model).cpu()
        model.update_deadzone(rounding_cost, rounds=20)
        steps = model.integer_steps(model.log_gain)
        prior = IntegerPrior.from_prior(model.prior, steps.numpy().min(0))
        integers = {"steps": steps, "cdf": prior.cdf, "cdf_first": prior.first, "cdf_size": prior.size}
        return cls(model, {name: torch.as_tensor(array) for name, array in integers.items()})

    def _tables(self, lam_index: int, contrast: int) -> Tables:
        """The tables of all channels at a grid position of λ and a contrast."""
        step, deadzone = between_nodes(self.step, lam_index), between_nodes(self.deadzone, lam_index)
        return self.prior.tables(step * FIXED_POINT // CONTRASTS[contrast], deadzone)

    @functools.cached_property
    def _middle_tables(self) -> list[Tables]:
        return [self._tables(MIDDLE, contrast) for contrast in range(len(CONTRASTS))]

    @torch.inference_mode()
    def analyze(self, image: np.ndarray) -> LatentWithContrast:
        """As Codec.analyze. The contrast is `contrast_of` in a tenth of its time."""
        latent = super().analyze(image)
        k = self._values(latent.y[:, :, ::4, ::4], MIDDLE).numpy()
        bits = [tables.bits(k)[DC_CHANNELS:].sum() for tables in self._middle_tables]
        return LatentWithContrast(latent.y, latent.height, latent.width, int(np.argmin(bits)))

    def _values(self, y: Tensor, lam_index: int) -> Tensor:
        """sign(v) floor(|v| + 1/2 - deadzone), v = y / step. y: (1, M, h, w). Returns int32 (M, h, w)."""
        step, deadzone = between_nodes(self.step, lam_index), between_nodes(self.deadzone, lam_index)
        v = y[0] * torch.from_numpy(FIXED_POINT / step).float()[:, None, None]
        offset = torch.from_numpy(0.5 - deadzone / DEADZONE_ONE).float()[:, None, None]
        return torch.copysign(v.abs().add_(offset).floor_().clamp_(max=VALUE_LIMIT), v).to(torch.int32)

    def quantize(self, latent: Latent, lam: float) -> FactorizedSymbols:
        """The symbols of a photo at the grid's λ nearest to `lam`: of the DC channels, differences.

        Raises ValueError unless LAM_MIN <= lam <= LAM_MAX.
        """
        assert isinstance(latent, LatentWithContrast)
        index = lam_index(lam)
        values = as_coded(self._values(latent.y, index)).numpy()
        return FactorizedSymbols(values, index, latent.height, latent.width, latent.contrast)

    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file: the number of the contrast, then channel after channel."""
        assert isinstance(symbols, FactorizedSymbols)
        encoder = SymbolEncoder()
        encoder.put(np.array([symbols.contrast]), np.array([1]), CONTRAST_TABLE)
        channels, h, w = symbols.values.shape
        encoder.put(symbols.values.ravel(), np.full(channels, h * w), self.tables(symbols.lam_index, symbols.contrast))
        return self.pack(symbols, encoder.payload())

    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> FactorizedSymbols:
        header, payload = self.unpack(data, max_pixels)
        decoder = SymbolDecoder(payload)
        contrast = int(decoder.get(np.array([1]), CONTRAST_TABLE)[0])
        if not 0 <= contrast < len(CONTRASTS):
            raise BitstreamError("the payload names a contrast that there is not: the file was altered")
        h, w = latent_shape(header.height, header.width)
        sizes = np.full(self.step.shape[1], h * w)
        values = decoder.get(sizes, self.tables(header.lam_index, contrast)).reshape(-1, h, w)
        decoder.finish()
        symbols = FactorizedSymbols(values, header.lam_index, header.height, header.width, contrast)
        if np.abs(symbols.dc()).max() > VALUE_LIMIT:
            raise BitstreamError("the payload holds colours that no encoder writes: the file was altered")
        return symbols

    def bits(self, symbols: Symbols) -> np.ndarray:
        assert isinstance(symbols, FactorizedSymbols)
        return self.tables(symbols.lam_index, symbols.contrast).bits(symbols.values).sum(0)
