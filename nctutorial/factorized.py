"""The codec with a factorised prior: every channel has one distribution, whatever the photo shows."""

import functools
import math

import numpy as np
import torch
from torch import Tensor

from . import bitstream
from .codecs import Codec, Latent, Symbols
from .layers import Relaxation, relax, relaxed_bits, shrink
from .priors import DEADZONE_ONE, FIXED_POINT, FactorizedPrior, IntegerPrior
from .transforms import NODES, between_nodes, lam_index, latent_shape, node_lams, place_of


class FactorizedCodec(Codec):
    """A factorised-prior codec after Ballé et al. 2017 (arXiv:1611.01704) and 2018 (arXiv:1802.01436)."""

    SIZED_BY_TRAINING = ("cdf",)
    deadzone: Tensor
    cdf: Tensor
    cdf_first: Tensor
    cdf_size: Tensor

    def __init__(self, latent: int = 320, wide: int = 192, narrow: int = 128, depth: tuple[int, int] = (4, 5)):
        """As Transforms."""
        super().__init__(latent, wide, narrow, depth)
        self.prior = FactorizedPrior(latent)
        self.register_buffer("deadzone", torch.zeros(NODES, latent, dtype=torch.uint8))
        self.register_buffer("cdf", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("cdf_first", torch.zeros(latent, dtype=torch.int32))
        self.register_buffer("cdf_size", torch.zeros(latent, dtype=torch.int32))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start_prior(self, spread: Tensor) -> None:
        self.prior = FactorizedPrior(len(spread), spread)

    def relaxed(self, y: Tensor, lam: Tensor, relaxation: Relaxation = None) -> tuple[Tensor, Tensor]:
        gain = self.at_lam(self.log_gain, lam)
        node = torch.round(place_of(lam) * (NODES - 1)).long()
        dead = self.deadzone[node].float()[:, :, None, None] / DEADZONE_ONE * (relaxation != "noise")
        t, rated = relax(shrink(y * gain, dead), relaxation)
        bits = relaxed_bits(lambda k: self.symbol_bits(k, gain, dead), rated, relaxation)
        return t * self.at_lam(self.log_inverse_gain, lam), bits.sum((1, 2, 3))

    def symbol_bits(self, t: Tensor, gain: Tensor, deadzone: Tensor) -> Tensor:
        """Bits of symbols t, integer or noisy, under the prior.

        t: (B, M, h, w); gain, deadzone: (B, M, 1, 1). Returns the shape of t. What shrinks to (t - 1/2, t + 1/2) is
        an interval of y; its mass under the prior is the probability of t.
        """

        def y_at(t: Tensor) -> Tensor:
            return (t + torch.sign(t) * deadzone) / gain

        return self.prior.bits(y_at(t - 0.5), y_at(t + 0.5))

    # ---- integers: what the files are made of

    @torch.no_grad()
    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:
        step = 1 / self.at_lam(self.log_gain, node_lams(self.log_gain.device))[:, :, 0, 0]  # (NODES, M)
        deadzone = self.deadzone.float() / DEADZONE_ONE

        def y(t: Tensor) -> Tensor:
            return (t * step).T[:, None]

        for _ in range(rounds):
            edge = 0.5 + deadzone
            zero = self.prior.mass(y(-edge), y(edge))
            ones = self.prior.mass(y(-edge - 1), y(-edge)) + self.prior.mass(y(edge), y(edge + 1))
            deadzone = (torch.log2(2 * zero / ones) / (2 * rounding_cost)).clamp(0, 0.45)[:, 0].T
        self.deadzone.copy_(torch.round(deadzone * DEADZONE_ONE))

    @torch.no_grad()
    def finish(self, rounding_cost: float = 8.66) -> None:
        """Make the integer steps, deadzones and tables from the trained gains and prior."""
        self.steps = self.integer_steps(self.log_gain)
        self.update_deadzone(rounding_cost, rounds=20)
        integer = IntegerPrior.from_prior(self.prior, self.steps[-1].numpy())
        self.cdf, self.cdf_first, self.cdf_size = integer.buffers()
        for cached in ("integer_prior", "sha256"):
            self.__dict__.pop(cached, None)
        self._last_tables = None

    @functools.cached_property
    def integer_prior(self) -> IntegerPrior:
        """The integer prior, from the buffers."""
        return IntegerPrior.from_buffers(self.cdf, self.cdf_first, self.cdf_size, self.steps[-1])

    def _integers(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Step and deadzone of each channel at a grid position. Two (M,) int64."""
        return between_nodes(self.steps, index), between_nodes(self.deadzone, index)

    def _make_tables(self, index: int) -> bitstream.Tables:
        return self.integer_prior.tables(*self._integers(index))

    def quantize(self, latent: Latent, lam: float) -> Symbols:
        """Symbols sign(v) floor(|v| + 1/2 - deadzone), v = y / step, at the grid's λ nearest to `lam`.

        Raises ValueError unless LAM_MIN <= lam <= LAM_MAX.
        """
        index = lam_index(lam)
        step, deadzone = self._integers(index)
        v = latent.y[0].flatten(1) * torch.from_numpy(FIXED_POINT / step).float()[:, None]
        offset = torch.from_numpy(0.5 - deadzone / DEADZONE_ONE).float()[:, None]
        limit = bitstream.SYMBOL_LIMIT - 1
        values = torch.copysign(v.abs().add_(offset).floor_().clamp_(max=limit), v)
        return Symbols(values.to(torch.int32).numpy(), index, latent.height, latent.width)

    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file."""
        return self.pack(symbols, bitstream.encode_symbols(symbols.values, self._tables(symbols.lam_index)))

    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location: the cross-entropy under the tables. float64 (h, w)."""
        bits = self._tables(symbols.lam_index).bits(symbols.values)
        return bits.sum(0).reshape(latent_shape(symbols.height, symbols.width))

    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> Symbols:
        """The symbols in a .nct file that this model wrote. Raises BitstreamError."""
        header, payload = self.unpack(data, max_pixels)
        locations = math.prod(latent_shape(header.height, header.width))
        values = bitstream.decode_symbols(payload, locations, self._tables(header.lam_index))
        return Symbols(values, header.lam_index, header.height, header.width)
