"""The codec with a factorised prior: every channel has one distribution, the same at all locations of a photo."""

import functools
import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from . import bitstream
from .base import Codec, Latent, Symbols
from .bitstream import BitstreamError, SymbolDecoder, SymbolEncoder
from .differences import FactorizedSymbols, as_coded
from .priors import CONTRASTS, FactorizedPrior, IntegerPrior
from .rounding import Relaxation, relax, relaxed_bits, shrink
from .tiles import latent_shape
from .transforms import DC_CHANNELS
from .units import DEADZONE_ONE, FIXED_POINT, LAM_LAST, NODES, between_nodes, lam_at, lam_index, node_lams, place_of

LIMIT = bitstream.SYMBOL_LIMIT // 2 - 1  # of symbols; their differences are within SYMBOL_LIMIT
MIDDLE = LAM_LAST // 2  # the position on the grid of λ at which a photo's contrast is chosen
CONTRAST_TABLE = bitstream.Tables(np.array([0]), [np.ones(len(CONTRASTS) + 1, np.int64)])


def widths(device: torch.device) -> Tensor:
    """The contrasts, as factors: (16,)."""
    return torch.tensor(CONTRASTS, device=device) / FIXED_POINT


class FactorizedCodec(Codec):
    """A factorised-prior codec after Ballé et al. 2017 (arXiv:1611.01704) and 2018 (arXiv:1802.01436).

    A prior that looks at one location at a time misses two things that JPEG makes use of, too (Wallace 1992). The mean
    colour of a location is about that of the one to its left: of the DC channels files hold differences. And a photo
    as a whole is loud or quiet, for which a JPEG encoder makes Huffman tables to measure: files name a contrast s, and
    the latents of the photo have the cumulative F(y / s).
    """

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
        spread = spread.clone()
        spread[:DC_CHANNELS] /= 4  # about the spread of differences
        self.prior = FactorizedPrior(len(spread), spread)

    def relaxed(self, y: Tensor, lam: Tensor, relaxation: Relaxation = None) -> tuple[Tensor, Tensor]:
        gain, dead = self.at_lam(self.log_gain, lam), self.deadzone_at(lam) * (relaxation != "noise")
        t, rated = relax(shrink(y * gain, dead), relaxation)
        stretched = gain * widths(y.device)[self.contrast_of(y)][:, None, None, None]
        bits = relaxed_bits(lambda k: self.symbol_bits(k, stretched, dead), as_coded(rated), relaxation)
        return t * self.at_lam(self.log_inverse_gain, lam), bits.sum((1, 2, 3))

    def deadzone_at(self, lam: Tensor) -> Tensor:
        """The deadzones of the node nearest to each λ, in steps: (B, M, 1, 1). lam: (B,)."""
        node = torch.round(place_of(lam) * (NODES - 1)).long()
        return self.deadzone[node].float()[:, :, None, None] / DEADZONE_ONE

    @torch.no_grad()
    def contrast_of(self, y: Tensor) -> Tensor:
        """The number of the contrast under which each latent has the fewest bits, at the middle λ: (B,) int64.

        y: (B, M, h, w). Of the locations a sixteenth stands for all, of the channels all but the DC channels.
        """
        lam = torch.full((len(y),), lam_at(MIDDLE), device=y.device)
        gain, dead = self.at_lam(self.log_gain, lam), self.deadzone_at(lam)
        k = torch.round(shrink(y[..., ::4, ::4] * gain, dead))
        width = widths(y.device).repeat_interleave(len(y))[:, None, None, None]
        k, gain, dead = (each.repeat(len(CONTRASTS), 1, 1, 1) for each in (k, gain, dead))
        bits = self.symbol_bits(k, gain * width, dead)[:, DC_CHANNELS:].sum((1, 2, 3))
        return bits.view(len(CONTRASTS), len(y)).argmin(0)

    def symbol_bits(self, t: Tensor, gain: Tensor, deadzone: Tensor) -> Tensor:
        """Bits of symbols t, integer or noisy, under the prior.

        t: (B, M, h, w); gain, times the contrast, and deadzone: (B, M, 1, 1). Returns the shape of t. What shrinks to
        (t - 1/2, t + 1/2) is an interval of y; its mass under the prior is the probability of t.
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
            deadzone[:, :DC_CHANNELS] = 0  # what the prior knows of is the difference, not the value
        self.deadzone.copy_(torch.round(deadzone * DEADZONE_ONE))

    @torch.no_grad()
    def finish(self, rounding_cost: float = 8.66) -> None:
        """Make the integer steps, deadzones and tables from the trained gains and prior."""
        self.steps = self.integer_steps(self.log_gain)
        self.update_deadzone(rounding_cost, rounds=20)
        integer = IntegerPrior.from_prior(self.prior, self.finest_steps.numpy())
        self.cdf, self.cdf_first, self.cdf_size = integer.buffers()
        for cached in ("integer_prior", "_middle_tables", "sha256"):
            self.__dict__.pop(cached, None)
        self._last_tables = None

    @property
    def finest_steps(self) -> Tensor:
        """The smallest step of each channel: (M,) int32. Not always that of the largest λ, in a silent channel."""
        return self.steps.min(0).values

    @functools.cached_property
    def integer_prior(self) -> IntegerPrior:
        """The integer prior, from the buffers."""
        return IntegerPrior.from_buffers(self.cdf, self.cdf_first, self.cdf_size, self.finest_steps)

    def _integers(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Step and deadzone of each channel at a grid position. Two (M,) int64."""
        return between_nodes(self.steps, index), between_nodes(self.deadzone, index)

    def prior_tables(self, index: int, contrast: int) -> bitstream.Tables:
        """The integer tables of all channels at a grid position and the number of a contrast."""
        return self._tables(index, contrast)

    def _make_tables(self, key: tuple[int, ...]) -> bitstream.Tables:
        index, contrast = key
        step, deadzone = self._integers(index)
        return self.integer_prior.tables(step * FIXED_POINT // CONTRASTS[contrast], deadzone)

    @torch.inference_mode()
    def analyze(self, image: np.ndarray) -> Latent:
        latent = super().analyze(image)
        some = self.quantize(replace(latent, y=latent.y[:, :, ::4, ::4]), lam_at(MIDDLE))
        bits = [tables.bits(some.values)[DC_CHANNELS:].sum() for tables in self._middle_tables]
        return replace(latent, contrast=int(np.argmin(bits)))

    @functools.cached_property
    def _middle_tables(self) -> list[bitstream.Tables]:
        """The tables of every contrast at the middle λ: `contrast_of` in a tenth of its time, for finished codecs."""
        return [self._make_tables((MIDDLE, contrast)) for contrast in range(len(CONTRASTS))]

    def quantize(self, latent: Latent, lam: float) -> Symbols:
        """Symbols sign(v) floor(|v| + 1/2 - deadzone), v = y / step, at the grid's λ nearest to `lam`.

        Of the first DC_CHANNELS channels, the differences of those. Raises ValueError unless LAM_MIN <= lam <= LAM_MAX.
        """
        index = lam_index(lam)
        step, deadzone = self._integers(index)
        v = latent.y[0].flatten(1) * torch.from_numpy(FIXED_POINT / step).float()[:, None]
        offset = torch.from_numpy(0.5 - deadzone / DEADZONE_ONE).float()[:, None]
        k = torch.copysign(v.abs().add_(offset).floor_().clamp_(max=LIMIT), v).to(torch.int32)
        values = as_coded(k.unflatten(1, latent.y.shape[2:])).flatten(1)
        return FactorizedSymbols(values.numpy(), index, latent.height, latent.width, latent.contrast)

    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file: the number of the contrast, then channel after channel."""
        assert isinstance(symbols, FactorizedSymbols)
        encoder = SymbolEncoder()
        encoder.put(np.array([symbols.contrast]), np.array([1]), CONTRAST_TABLE)
        sizes = np.full(len(symbols.values), symbols.values.shape[1])
        encoder.put(symbols.values.ravel(), sizes, self.prior_tables(symbols.lam_index, symbols.contrast))
        return self.pack(symbols, encoder.payload())

    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location: the cross-entropy under the tables. float64 (h, w)."""
        assert isinstance(symbols, FactorizedSymbols)
        bits = self.prior_tables(symbols.lam_index, symbols.contrast).bits(symbols.values)
        return bits.sum(0).reshape(latent_shape(symbols.height, symbols.width))

    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> FactorizedSymbols:
        """The symbols in a .nct file that this model wrote. Raises BitstreamError."""
        header, payload = self.unpack(data, max_pixels)
        decoder = SymbolDecoder(payload)
        contrast = int(decoder.get(np.array([1]), CONTRAST_TABLE)[0])
        if not 0 <= contrast < len(CONTRASTS):
            raise BitstreamError("the payload names a contrast that there is not: the file was altered")
        sizes = np.full(len(self.steps[0]), math.prod(latent_shape(header.height, header.width)))
        values = decoder.get(sizes, self.prior_tables(header.lam_index, contrast)).reshape(len(sizes), -1)
        decoder.finish()
        symbols = FactorizedSymbols(values, header.lam_index, header.height, header.width, contrast)
        if np.abs(symbols.dc()).max() > LIMIT:
            raise BitstreamError("the payload holds colours that no encoder writes: the file was altered")
        return symbols
