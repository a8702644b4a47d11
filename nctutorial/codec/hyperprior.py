"""The codec with side information: the prior of each latent follows the photo.

A hyper-latent z is coded first; then the latent y in steps, each under means and scales that networks compute from z
and from what was decoded before (context.py). Those networks run in integers (exact.py), so that encoder and decoder
choose the same tables on any machine.
"""

import functools
import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from . import bitstream
from .base import Codec, Latent, Symbols
from .bitstream import SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder, Tables
from .context import ContextModel, masks
from .exact import LIMIT, integer
from .parts import MEAN_LIMIT, HyperSymbols, Part, hyper_shape, parts
from .priors import (
    LEVELS,
    SCALES_PER_E,
    FactorizedPrior,
    IntegerPrior,
    level_of,
    logistic_deadzones,
    logistic_mass,
    logistic_tables,
    scale_at,
)
from .rounding import Relaxation, add_noise, relax, relaxed_bits, shrink, ste_round
from .tiles import latent_shape
from .units import (
    DEADZONE_ONE,
    FIXED_POINT,
    LAM_LAST,
    LAM_MAX,
    LAM_MIN,
    MEAN_ONE,
    NETWORK_ONE,
    NODES,
    between_nodes,
    lam_index,
    place_of,
)

# (step, means, levels) -> symbols, each (locations of the step, its channels)
Source = Callable[[int, Tensor, Tensor], Tensor]


class HyperpriorCodec(Codec):
    """A mean and scale hyperprior with context, after Ballé et al. 2018, Minnen et al. 2018, Minnen and Singh 2020.

    The transforms are those of FactorizedCodec. The distribution of y is logistic.
    """

    SIZED_BY_TRAINING = ("hyper_cdf", "table_counts")
    unit: Tensor
    hyper_steps: Tensor
    hyper_cdf: Tensor
    hyper_first: Tensor
    hyper_size: Tensor
    log_ratio: Tensor
    deadzone: Tensor
    table_low: Tensor
    table_size: Tensor
    table_counts: Tensor

    def __init__(
        self,
        context: ContextModel | None = None,
        wide: int = 192,
        narrow: int = 128,
        depth: tuple[int, int] = (4, 5),
    ):
        """context: by default a ContextModel of the size that is bundled. The rest: see Transforms."""
        context = context or ContextModel()
        super().__init__(context.latent, wide, narrow, depth)
        self.context = context
        hyper, latent = context.hyper, context.latent
        self.hyper_prior = FactorizedPrior(hyper, 1.0)
        start = torch.linspace(0.5 - math.log(LAM_MAX / LAM_MIN) / 4, 0.5, self.GAIN_NODES)
        self.log_hyper_gain = torch.nn.Parameter(start[:, None].repeat(1, hyper))
        self.register_buffer("unit", torch.ones(latent))  # spread of y: what the networks take for 1
        self.register_buffer("hyper_steps", torch.zeros(NODES, hyper, dtype=torch.int32))
        self.register_buffer("hyper_cdf", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("hyper_first", torch.zeros(hyper, dtype=torch.int32))
        self.register_buffer("hyper_size", torch.zeros(hyper, dtype=torch.int32))
        self.register_buffer(
            "log_ratio", torch.zeros(NODES, latent, dtype=torch.int32)
        )  # of unit to step, 1 / NETWORK_ONE
        self.register_buffer("deadzone", torch.zeros(LEVELS, dtype=torch.uint8))
        self.register_buffer("table_low", torch.zeros(LEVELS, dtype=torch.int32))
        self.register_buffer("table_size", torch.zeros(LEVELS, dtype=torch.int32))
        self.register_buffer("table_counts", torch.zeros(0, dtype=torch.int32))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.update_deadzone(8.66, rounds=20)

    # ---- training

    def start_prior(self, spread: Tensor) -> None:
        self.unit.copy_(spread)

    def relaxed(self, y: Tensor, lam: Tensor, relaxation: Relaxation = None) -> tuple[Tensor, Tensor]:
        noisy = add_noise if self.training else torch.round
        gain = self.at_lam(self.log_gain, lam)
        level = 2 * place_of(lam) - 1
        level = torch.stack([level, level**2], 1)[:, :, None, None]
        unit = self.unit[:, None, None]
        z = self.context.hyper_latent(y / unit, level)
        hyper_gain = self.at_lam(self.log_hyper_gain, lam)
        t = noisy(z * hyper_gain)
        bits = self.hyper_prior.bits((t - 0.5) / hyper_gain, (t + 0.5) / hyper_gain).sum((1, 2, 3))
        side = self.context.side(ste_round(z * hyper_gain) / hyper_gain, level, *y.shape[2:])
        known, v, ratio = torch.zeros_like(y), y * gain, unit * gain
        where = masks(*y.shape[2:]).to(y)
        for i, (first, last, mask) in enumerate(self.context.steps):
            mean, log_scale = self.context.parameters_of(i, side, known, level)
            mean = mean * ratio[:, first:last]
            scale = (torch.exp(log_scale.clamp(-8, 8)) * ratio[:, first:last]).clamp_min(scale_at(0))
            dead = self.deadzone.to(scale)[level_of(scale)] / DEADZONE_ONE * (relaxation != "noise")
            exact = v[:, first:last]
            t, rated = relax(shrink(exact - mean.detach(), dead), relaxation)
            # y and scales learn from these symbols, means from noisy ones: most means could move without changing any
            noise = _cost(noisy(shrink(exact.detach() - mean, dead)), dead, scale.detach())
            cost = (
                relaxed_bits(functools.partial(_cost, dead=dead, scale=scale), rated, relaxation)
                + noise
                - noise.detach()
            )
            bits = bits + (cost * where[mask]).sum((1, 2, 3))
            new = known[:, first:last] + (t + mean.detach()) / ratio[:, first:last] * where[mask]
            known = torch.cat([known[:, :first], new, known[:, last:]], 1)
        return known * ratio * self.at_lam(self.log_inverse_gain, lam), bits

    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:  # of each scale: nothing trained is in it
        self.deadzone = logistic_deadzones(rounding_cost, rounds).to(self.deadzone)

    # ---- integers: what the files are made of

    @torch.no_grad()
    def finish(self, rounding_cost: float = 8.66) -> None:
        """Make the integer steps, ratios, deadzones and tables from the trained weights."""
        for p in self.parameters():
            if p.dim() == 4:  # the convolutions are kept in half precision
                p.copy_(p.half())
        self.steps = self.integer_steps(self.log_gain)
        self.hyper_steps = self.integer_steps(self.log_hyper_gain)
        hyper = IntegerPrior.from_prior(self.hyper_prior, self.hyper_steps[-1].numpy())
        self.hyper_cdf, self.hyper_first, self.hyper_size = hyper.buffers()
        ratio = torch.round(self.unit.double() * FIXED_POINT) / self.steps
        self.log_ratio = torch.round(torch.log(ratio) * NETWORK_ONE).to(torch.int32)
        self.update_deadzone(rounding_cost, rounds=20)
        tables = logistic_tables(self.deadzone.numpy())
        self.table_low = torch.from_numpy(tables.low.astype(np.int32))
        self.table_size = torch.tensor([len(counts) for counts in tables.counts], dtype=torch.int32)
        self.table_counts = torch.from_numpy(np.concatenate(tables.counts).astype(np.int32))
        for cached in ("hyper_integers", "tables", "networks", "sha256"):
            self.__dict__.pop(cached, None)
        self._last_tables = None

    @functools.cached_property
    def hyper_integers(self) -> IntegerPrior:
        """The integer prior of z, from the buffers."""
        return IntegerPrior.from_buffers(self.hyper_cdf, self.hyper_first, self.hyper_size, self.hyper_steps[-1])

    @functools.cached_property
    def tables(self) -> Tables:
        """The tables of the scales, one for each level, the same for all λ and photos."""
        ends = np.cumsum(self.table_size.numpy())[:-1]
        return Tables(self.table_low.numpy(), np.split(self.table_counts.numpy().astype(np.int64), ends))

    @functools.cached_property
    def networks(self) -> ContextModel:
        """The context model in integers."""
        return integer(self.context)  # type: ignore[return-value]

    def _make_tables(self, key: tuple[int, ...]) -> Tables:
        step = between_nodes(self.hyper_steps, key[0])
        return self.hyper_integers.tables(step, np.zeros(self.context.hyper, np.int64))

    def _nothing(self, index: int, height: int, width: int) -> HyperSymbols:
        """Arrays of the right shapes, to be filled tile by tile."""
        h, w = latent_shape(height, width)
        # in memory the channels of a location lie side by side, as in the networks
        values, means, levels = (np.zeros((h * w, len(self.y_scale)), t).T for t in (np.int16, np.int16, np.uint8))
        hyper = np.zeros((self.context.hyper, math.prod(hyper_shape(h, w))), np.int32)
        return HyperSymbols(values, index, height, width, hyper, means, levels)

    def walk(self, part: Part, index: int, source: Source) -> None:
        """Fill in the symbols of a tile, in the order of the file. All arithmetic is of integers, in float64.

        part.hyper is known already. index: λ's grid position. source: the encoder quantises, the decoder decodes.
        """
        networks, level = self.networks, _level(index)
        h, w = part.values.shape[1:]
        step = torch.from_numpy(between_nodes(self.steps, index))
        unit = torch.round(self.unit.double() * FIXED_POINT).long()
        to_steps = ((unit << 16) // step).double()
        to_units = ((step << 16) // unit).double()
        log_ratio = torch.from_numpy(between_nodes(self.log_ratio, index)).double()
        hyper_step = torch.from_numpy(between_nodes(self.hyper_steps, index)).double()[:, None, None]
        z_hat = torch.floor(torch.from_numpy(part.hyper).double() * hyper_step * NETWORK_ONE / FIXED_POINT)
        side = networks.side(z_hat.clamp_(-LIMIT, LIMIT)[None], level, h, w)
        known = torch.zeros(h * w, len(step), dtype=torch.float64)
        as_map = known.view(1, h, w, len(step)).permute(0, 3, 1, 2)
        for i, (first, last, at) in enumerate(self._steps(h, w)):
            mean, log_scale = (found[0, :, 0].T for found in networks.parameters_of(i, side, as_map, level, at))
            mean = torch.floor(mean * to_steps[first:last] * MEAN_ONE / (NETWORK_ONE << 16) + 0.5).clamp_(
                -MEAN_LIMIT, MEAN_LIMIT
            )
            number = level_of_log(log_scale + log_ratio[first:last])
            value = source(i, mean, number)
            rows, columns = divmod(at.numpy(), w)
            seen = torch.floor((value * MEAN_ONE + mean) * to_units[first:last] * NETWORK_ONE / (MEAN_ONE << 16))
            known[at, first:last] = seen.clamp_(-LIMIT, LIMIT)
            for array, found in zip((part.values, part.means, part.levels), (value, mean, number), strict=True):
                array[first:last, rows, columns] = found.numpy().T

    def _steps(self, h: int, w: int) -> Iterator[tuple[int, int, Tensor]]:
        """First channel, last + 1 and locations (n,), numbered row by row, of each step."""
        where = [mask.flatten().nonzero()[:, 0] for mask in masks(h, w)]
        return ((first, last, where[mask]) for first, last, mask in self.context.steps)

    # ---- from latent to bytes and back

    @torch.inference_mode()
    def quantize(self, latent: Latent, lam: float) -> HyperSymbols:
        """Symbols sign(d) floor(|d| + 1/2 - deadzone), d = y / step - mean, at the grid's λ nearest to `lam`.

        Raises ValueError unless LAM_MIN <= lam <= LAM_MAX.
        """
        index, limit = lam_index(lam), SYMBOL_LIMIT - 1
        symbols = self._nothing(index, latent.height, latent.width)
        to_units = FIXED_POINT * NETWORK_ONE / torch.round(self.unit.double() * FIXED_POINT)[:, None, None]
        to_steps = torch.from_numpy(FIXED_POINT / between_nodes(self.steps, index)).float()[:, None, None]
        hyper_step = torch.from_numpy(between_nodes(self.hyper_steps, index)).double()[:, None, None]
        offset = 0.5 - self.deadzone.double() / DEADZONE_ONE
        for part in parts(symbols):
            y = latent.y[0, :, *part.area]
            units = torch.floor(y.double() * to_units + 0.5).clamp_(-LIMIT, LIMIT)
            z = self.networks.hyper_latent(units[None], _level(index))[0]
            part.hyper[:] = torch.round(z * (FIXED_POINT / NETWORK_ONE) / hyper_step).clamp_(-limit, limit).numpy()
            v, steps = (y * to_steps).permute(1, 2, 0).flatten(0, 1), [*self._steps(*y.shape[1:])]

            def source(i: int, mean: Tensor, number: Tensor, v: Tensor = v, steps: list = steps) -> Tensor:
                first, last, at = steps[i]
                d = v[at, first:last] - mean / MEAN_ONE
                value = torch.copysign(torch.floor(d.abs() + offset[number.long()]).clamp_(max=limit), d)
                return value * (number > 0)

            self.walk(part, index, source)
        return symbols

    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file: of each tile z, then the steps of y, sorted by their tables."""
        assert isinstance(symbols, HyperSymbols)
        encoder, hyper_tables = SymbolEncoder(), self._tables(symbols.lam_index)
        for part in parts(symbols):
            encoder.put(part.hyper.ravel(), np.full(len(part.hyper), part.hyper[0].size), hyper_tables)
            for first, last, at in self._steps(*part.values.shape[1:]):
                rows, columns = divmod(at.numpy(), part.values.shape[2])
                levels, values = (array[first:last, rows, columns].T.ravel() for array in (part.levels, part.values))
                order, sizes = _by_level(levels)
                encoder.put(values[order], sizes, self.tables)
        return self.pack(symbols, encoder.payload())

    @torch.inference_mode()
    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> HyperSymbols:
        """The symbols in a .nct file that this model wrote. Raises BitstreamError."""
        header, payload = self.unpack(data, max_pixels)
        decoder, hyper_tables = SymbolDecoder(payload), self._tables(header.lam_index)
        symbols = self._nothing(header.lam_index, header.height, header.width)

        def source(i: int, mean: Tensor, number: Tensor) -> Tensor:
            order, sizes = _by_level(number.numpy().astype(np.uint8).ravel())
            value = np.zeros(number.numel())
            value[order] = decoder.get(sizes, self.tables)
            return torch.from_numpy(value).view_as(number)

        for part in parts(symbols):
            shape = part.hyper.shape
            part.hyper[:] = decoder.get(np.full(len(part.hyper), part.hyper[0].size), hyper_tables).reshape(shape)
            self.walk(part, header.lam_index, source)
        decoder.finish()
        return symbols

    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location, z's spread over the locations below it. float64 (h, w)."""
        y, z = self.bits_apart(symbols)
        rows, columns = (np.arange(side) // 4 for side in y.shape)
        below = np.bincount(rows)[:, None] * np.bincount(columns)
        return y + (z / below)[rows[:, None], columns]

    def bits_apart(self, symbols: Symbols) -> tuple[np.ndarray, np.ndarray]:
        """Estimated bits at each location of y and at each of z. float64 (h, w) and hyper_shape(h, w)."""
        assert isinstance(symbols, HyperSymbols)
        h, w = latent_shape(symbols.height, symbols.width)
        y = self.tables.bits(symbols.values, symbols.levels) * (symbols.levels > 0)
        z = self._tables(symbols.lam_index).bits(symbols.hyper)
        return y.sum(0).reshape(h, w), z.sum(0).reshape(hyper_shape(h, w))


def _cost(t: Tensor, dead: Tensor, scale: Tensor) -> Tensor:
    """Bits of symbols that a deadzone has shrunk, rounded or noisy."""
    low, high = (end + torch.sign(end) * dead for end in (t - 0.5, t + 0.5))
    return -torch.log2(logistic_mass(low, high, scale))


def _level(index: int) -> Tensor:
    """λ's place in its range, and its square, as integers in units of 1 / NETWORK_ONE: (1, 2, 1, 1)."""
    place = NETWORK_ONE * (2 * index - LAM_LAST) // LAM_LAST
    return torch.tensor([place, place * place // NETWORK_ONE], dtype=torch.float64).view(1, 2, 1, 1)


def level_of_log(log_scale: Tensor) -> Tensor:
    """The number of the scale nearest to a log scale in units of 1 / NETWORK_ONE."""
    return torch.floor(
        (log_scale - round(math.log(scale_at(0)) * NETWORK_ONE)) * SCALES_PER_E / NETWORK_ONE + 0.5
    ).clamp_(0, LEVELS - 1)


def _by_level(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order that sorts what is coded by its level, without level 0, and how many there are of each level."""
    order = np.argsort(levels, kind="stable")
    sizes = np.bincount(levels, minlength=LEVELS)
    skipped, sizes[0] = sizes[0], 0
    return order[skipped:], sizes
