"""The codec with a factorised prior: every channel has one distribution, the same at all locations of a photo.

After Ballé et al. 2017 (arXiv:1611.01704) and 2018 (arXiv:1802.01436).
"""

import copy
import functools
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from . import bitstream
from .base import Codec, Latent, Symbols
from .model import Model
from .priors import FactorizedPrior, IntegerPrior
from .rangecoder import SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder, Tables
from .rounding import ROUNDING_COST, add_noise, best_deadzone, shrink, ste_round, unshrink
from .tiles import latent_shape
from .units import DEADZONE_ONE, FIXED_POINT, NODES, between_nodes, lam_index, node_lams, place_of

# ---- what is trained


class FactorizedModel(Model):
    """Transforms and a factorised prior."""

    kind = "factorized"
    deadzone: Tensor

    def __init__(self, latent: int = 320, channels: int = 128, hidden: int = 64, depth: tuple[int, int] = (7, 6)):
        """As Transforms."""
        super().__init__(latent, channels, hidden, depth)
        self.sizes = {"latent": latent, "channels": channels, "hidden": hidden, "depth": depth}
        self.prior = FactorizedPrior(latent)
        self.register_buffer("deadzone", torch.zeros(NODES, latent, dtype=torch.uint8))  # in 1 / DEADZONE_ONE
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start_prior(self, spread: Tensor) -> None:
        self.prior = FactorizedPrior(len(spread), spread)

    def relaxed(self, y: Tensor, lam: Tensor, noisy: bool = False) -> tuple[Tensor, Tensor]:
        gain, deadzone = self.at_lam(self.log_gain, lam), self.deadzone_at(lam) * (not noisy)
        v = shrink(y * gain, deadzone)
        t, rated = (ste_round(v), add_noise(v)) if noisy else (torch.round(v), torch.round(v))
        bits = self.symbol_bits(rated, gain, deadzone)
        return t * self.at_lam(self.log_inverse_gain, lam), bits.sum((1, 2, 3))

    def deadzone_at(self, lam: Tensor) -> Tensor:
        """The deadzones of the node nearest to each λ, in steps: (B, M, 1, 1). lam: (B,)."""
        node = torch.round(place_of(lam) * (NODES - 1)).clamp(0, NODES - 1).long()
        return self.deadzone[node].float()[:, :, None, None] / DEADZONE_ONE

    def symbol_bits(self, t: Tensor, gain: Tensor, deadzone: Tensor) -> Tensor:
        """Bits of symbols t, integer or noisy, under the prior.

        t: (B, M, h, w); gain and deadzone: (B, M, 1, 1). Returns the shape of t. What shrinks to (t - 1/2, t + 1/2)
        is an interval of y; its mass under the prior is the probability of t.
        """
        return self.prior.bits(unshrink(t - 0.5, deadzone) / gain, unshrink(t + 0.5, deadzone) / gain)

    @torch.no_grad()
    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:
        step = 1 / self.at_lam(self.log_gain, node_lams(self.log_gain.device))[:, :, 0, 0]  # (NODES, M)

        def mass(low: Tensor, high: Tensor) -> Tensor:
            return self.prior.mass((low * step).T[:, None], (high * step).T[:, None])[:, 0].T

        deadzone = best_deadzone(mass, self.deadzone.float() / DEADZONE_ONE, rounding_cost, rounds)
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

    def _tables(self, lam_index: int) -> Tables:
        """The tables of all channels at a grid position of λ."""
        return self.prior.tables(between_nodes(self.step, lam_index), between_nodes(self.deadzone, lam_index))

    def quantize(self, latent: Latent, lam: float) -> Symbols:
        """Symbols sign(v) floor(|v| + 1/2 - deadzone), v = y / step, at the grid's λ nearest to `lam`.

        Raises ValueError unless LAM_MIN <= lam <= LAM_MAX.
        """
        index = lam_index(lam)
        step, deadzone = between_nodes(self.step, index), between_nodes(self.deadzone, index)
        v = latent.y[0] * torch.from_numpy(FIXED_POINT / step).float()[:, None, None]
        offset = torch.from_numpy(0.5 - deadzone / DEADZONE_ONE).float()[:, None, None]
        size = v.abs().add_(offset).floor_().clamp_(max=SYMBOL_LIMIT - 1)
        return Symbols(torch.copysign(size, v).to(torch.int32).numpy(), index, latent.height, latent.width)

    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file, channel after channel."""
        encoder = SymbolEncoder()
        channels, h, w = symbols.values.shape
        encoder.put(symbols.values.ravel(), np.full(channels, h * w), self.tables(symbols.lam_index))
        return self.pack(symbols, encoder.payload())

    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> Symbols:
        header, payload = self.unpack(data, max_pixels)
        decoder = SymbolDecoder(payload)
        h, w = latent_shape(header.height, header.width)
        sizes = np.full(self.step.shape[1], h * w)
        values = decoder.get(sizes, self.tables(header.lam_index)).reshape(-1, h, w)
        decoder.finish()
        return Symbols(values, header.lam_index, header.height, header.width)

    def bits(self, symbols: Symbols) -> np.ndarray:
        return self.tables(symbols.lam_index).bits(symbols.values).sum(0)
