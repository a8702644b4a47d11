"""The codec with side information: the prior of each latent follows the photo.

A hyper-latent z is coded first; then the latent y in passes, each under means and scales that networks predict from z
and from what was decoded before (context.py). In files those networks run in integers (exact.py, walk.py).

After Ballé et al. 2018, Minnen et al. 2018, Minnen and Singh 2020; see context.py.
"""

import copy
import functools
import math
from collections.abc import Mapping
from typing import Self

import numpy as np
import torch
from torch import Tensor

from . import bitstream
from .base import Codec, Latent, Symbols
from .context import ContextModel, masks
from .exact import integer
from .model import Model
from .priors import (
    SCALES,
    FactorizedPrior,
    IntegerPrior,
    logistic_deadzones,
    logistic_mass,
    logistic_tables,
    scale_at,
    scale_number,
)
from .rangecoder import SYMBOL_LIMIT, SymbolDecoder, SymbolEncoder, Tables
from .rounding import ROUNDING_COST, add_noise, shrink, ste_round, unshrink
from .tiles import tiles
from .transforms import places
from .units import (
    DEADZONE_ONE,
    FIXED_POINT,
    LAM_MAX,
    LAM_MIN,
    MEAN_ONE,
    NETWORK_ONE,
    between_nodes,
    lam_index,
)
from .walk import HyperSymbols, Scaling, Walk, passes, scaling

# ---- what is trained


class HyperpriorModel(Model):
    """Transforms, a hyper-latent with a factorised prior, and a context model. The distribution of y is logistic."""

    kind = "hyperprior"
    unit: Tensor
    deadzone: Tensor

    def __init__(
        self,
        slices: tuple[int, ...] = (16, 48, 96, 160),
        hyper: int = 48,
        wide: int = 128,
        middle: int = 96,
        inner: int = 128,
        channels: int = 128,
        hidden: int = 64,
        depth: tuple[int, int] = (7, 6),
    ):
        """slices to inner: see ContextModel. The rest: see Transforms."""
        latent = sum(slices)
        super().__init__(latent, channels, hidden, depth)
        self.sizes = {"slices": slices, "hyper": hyper, "wide": wide, "middle": middle, "inner": inner}
        self.sizes |= {"channels": channels, "hidden": hidden, "depth": depth}
        self.context = ContextModel(slices, hyper, wide, middle, inner)
        self.hyper_prior = FactorizedPrior(hyper, 1.0)
        start = torch.linspace(0.5 - math.log(LAM_MAX / LAM_MIN) / 4, 0.5, self.GAIN_NODES)
        self.log_hyper_gain = torch.nn.Parameter(start[:, None].repeat(1, hyper))
        self.register_buffer("unit", torch.ones(latent))  # spread of y: what the networks take for 1
        self.register_buffer("deadzone", torch.zeros(SCALES, dtype=torch.uint8))  # in 1 / DEADZONE_ONE
        self.update_deadzone(ROUNDING_COST, rounds=20)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def start_prior(self, spread: Tensor) -> None:
        self.unit.copy_(spread)

    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:  # of each scale: nothing trained is in it
        self.deadzone.copy_(logistic_deadzones(rounding_cost, rounds) * DEADZONE_ONE)

    def relaxed(self, y: Tensor, lam: Tensor, noisy: bool = False) -> tuple[Tensor, Tensor]:
        gain, hyper_gain = self.at_lam(self.log_gain, lam), self.at_lam(self.log_hyper_gain, lam)
        place, unit = places(lam), self.unit[:, None, None]
        z = self.context.hyper_latent(y / unit, place)
        t = add_noise(z * hyper_gain) if self.training else torch.round(z * hyper_gain)
        bits = self.hyper_prior.bits((t - 0.5) / hyper_gain, (t + 0.5) / hyper_gain).sum((1, 2, 3))
        side = self.context.side(ste_round(z * hyper_gain) / hyper_gain, place, *y.shape[2:])
        known, v, ratio = torch.zeros_like(y), y * gain, unit * gain
        where = masks(*y.shape[2:]).to(y)
        for i, (first, last, mask) in enumerate(self.context.passes):
            mean, log_scale = self.context.predict(i, side, known, place)
            mean = mean * ratio[:, first:last]
            scale = (torch.exp(log_scale.clamp(-8, 8)) * ratio[:, first:last]).clamp_min(scale_at(0))
            dead = self.deadzone.to(scale)[scale_number(scale)] / DEADZONE_ONE
            exact = v[:, first:last]
            if noisy:
                t, cost = ste_round(exact - mean.detach()), _bits(add_noise(exact - mean), dead * 0, scale)
            else:
                t = torch.round(shrink(exact - mean.detach(), dead))
                cost = _bits(t, dead, scale)
            if self.training and not noisy:  # most means could move without changing a symbol: they learn from noise
                noise = _bits(add_noise(shrink(exact - mean, dead)), dead, scale.detach())
                cost = cost + noise - noise.detach()
            bits = bits + (cost * where[mask]).sum((1, 2, 3))
            new = known[:, first:last] + (t + mean.detach()) / ratio[:, first:last] * where[mask]
            known = torch.cat([known[:, :first], new, known[:, last:]], 1)
        return known * ratio * self.at_lam(self.log_inverse_gain, lam), bits


def _bits(t: Tensor, dead: Tensor, scale: Tensor) -> Tensor:
    """Bits of symbols that a deadzone has shrunk, rounded or noisy."""
    return -torch.log2(logistic_mass(unshrink(t - 0.5, dead), unshrink(t + 0.5, dead), scale))


# ---- what is used


class HyperpriorCodec(Codec):
    """A finished codec with side information."""

    model: HyperpriorModel

    def __init__(self, model: Model, integers: Mapping[str, Tensor]):
        super().__init__(model, integers)
        arrays = {name: tensor.numpy() for name, tensor in integers.items()}
        self.networks: ContextModel = integer(self.model.context)  # type: ignore[assignment]
        self.unit = torch.round(self.model.unit.double() * FIXED_POINT).long()  # (M,) in 1 / FIXED_POINT
        self.log_ratio, self.hyper_step = arrays["log_ratio"], arrays["hyper_steps"]  # (NODES, M), (NODES, C)
        finest = self.hyper_step[-1]
        self.hyper_prior = IntegerPrior(arrays["hyper_cdf"], arrays["hyper_first"], arrays["hyper_size"], finest)
        self.hyper_tables = functools.lru_cache(maxsize=1)(self._hyper_tables)
        ends = np.cumsum(arrays["table_size"])[:-1]
        self.scale_tables = Tables(arrays["table_low"], np.split(arrays["table_counts"].astype(np.int64), ends))

    @classmethod
    @torch.no_grad()
    def finish(cls, model: HyperpriorModel, rounding_cost: float = ROUNDING_COST) -> Self:
        model = copy.deepcopy(model).cpu()
        for p in model.parameters():
            if p.dim() == 4:  # the convolutions are kept in half precision
                p.copy_(p.half())
        model.update_deadzone(rounding_cost, rounds=20)
        steps, hyper_steps = model.integer_steps(model.log_gain), model.integer_steps(model.log_hyper_gain)
        hyper = IntegerPrior.from_prior(model.hyper_prior, hyper_steps[-1].numpy())
        ratio = torch.round(model.unit.double() * FIXED_POINT) / steps
        tables = logistic_tables(model.deadzone.numpy() / DEADZONE_ONE)
        integers = {
            "steps": steps,
            "hyper_steps": hyper_steps,
            "hyper_cdf": hyper.cdf,
            "hyper_first": hyper.first,
            "hyper_size": hyper.size,
            "log_ratio": torch.round(torch.log(ratio) * NETWORK_ONE),
            "table_low": tables.low,
            "table_size": [len(counts) for counts in tables.counts],
            "table_counts": np.concatenate(tables.counts),
        }
        return cls(model, {name: torch.as_tensor(array).int() for name, array in integers.items()})

    def _hyper_tables(self, lam_index: int) -> Tables:
        """The tables of the channels of z at a grid position of λ."""
        step = between_nodes(self.hyper_step, lam_index)
        return self.hyper_prior.tables(step, np.zeros_like(step))

    def _begin(self, lam_index: int, height: int, width: int) -> tuple[HyperSymbols, Scaling]:
        """Symbols to be filled in, tile by tile, and the scaling at a grid position of λ."""
        symbols = HyperSymbols.zeros(len(self.unit), self.hyper_step.shape[1], lam_index, height, width)
        nodes = (between_nodes(each, lam_index) for each in (self.step, self.log_ratio, self.hyper_step))
        return symbols, scaling(lam_index, self.unit, *map(torch.from_numpy, nodes))

    @torch.inference_mode()
    def quantize(self, latent: Latent, lam: float) -> HyperSymbols:
        """Symbols sign(d) floor(|d| + 1/2 - deadzone), d = y / step - mean, at the grid's λ nearest to `lam`.

        Raises ValueError unless LAM_MIN <= lam <= LAM_MAX.
        """
        symbols, at_lam = self._begin(lam_index(lam), latent.height, latent.width)
        gain = torch.from_numpy(FIXED_POINT / between_nodes(self.step, symbols.lam_index)).float()[:, None, None]
        offset = 0.5 - self.model.deadzone.double() / DEADZONE_ONE  # of each scale
        for area, _, _ in tiles(*symbols.values.shape[1:]):
            y = latent.y[0, :, *area]
            symbols.hyper_of(area)[:] = self._hyper_values(y, at_lam)
            v = (y * gain).permute(1, 2, 0).flatten(0, 1)
            walk = Walk(self.networks, at_lam, symbols, area)
            for each in walk.passes:
                mean, scale = walk.predict(each)
                d = v[each.locations, each.selection[0]] - mean / MEAN_ONE
                size = torch.floor(d.abs() + offset[scale.long()]).clamp_(max=SYMBOL_LIMIT - 1)
                walk.reveal(each, torch.copysign(size, d) * (scale > 0), mean, scale)
        return symbols

    def _hyper_values(self, y: Tensor, at_lam: Scaling) -> np.ndarray:
        """The symbols of z, which only the encoder makes: in floats. y: (M, h, w). Returns (C, hz, wz)."""
        place = at_lam.place.float() / NETWORK_ONE
        z = self.model.context.hyper_latent((y / self.model.unit[:, None, None])[None], place)[0]
        values = torch.round(z * (FIXED_POINT / at_lam.hyper_step).float())
        return values.clamp_(1 - SYMBOL_LIMIT, SYMBOL_LIMIT - 1).numpy()

    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a .nct file: of each tile z, then the passes of y, sorted by their tables."""
        assert isinstance(symbols, HyperSymbols)
        encoder, hyper_tables = SymbolEncoder(), self.hyper_tables(symbols.lam_index)
        for area, _, _ in tiles(*symbols.values.shape[1:]):
            hyper, values, scales = symbols.hyper_of(area), symbols.values[:, *area], symbols.scales[:, *area]
            encoder.put(hyper.ravel(), np.full(len(hyper), hyper[0].size), hyper_tables)
            for each in passes(self.networks, *values.shape[1:]):
                order, sizes = _by_scale(scales[each.selection].T.ravel())
                encoder.put(values[each.selection].T.ravel()[order], sizes, self.scale_tables)
        return self.pack(symbols, encoder.payload())

    @torch.inference_mode()
    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> HyperSymbols:
        header, payload = self.unpack(data, max_pixels)
        decoder, hyper_tables = SymbolDecoder(payload), self.hyper_tables(header.lam_index)
        symbols, at_lam = self._begin(header.lam_index, header.height, header.width)
        for area, _, _ in tiles(*symbols.values.shape[1:]):
            hyper = symbols.hyper_of(area)
            hyper[:] = decoder.get(np.full(len(hyper), hyper[0].size), hyper_tables).reshape(hyper.shape)
            walk = Walk(self.networks, at_lam, symbols, area)
            for each in walk.passes:
                mean, scale = walk.predict(each)
                order, sizes = _by_scale(scale.numpy().astype(np.uint8).ravel())
                values = np.zeros(scale.numel())
                values[order] = decoder.get(sizes, self.scale_tables)
                walk.reveal(each, torch.from_numpy(values).view_as(scale), mean, scale)
        decoder.finish()
        return symbols

    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location, z's spread over the locations below it. float64 (h, w)."""
        y, z = self.bits_apart(symbols)
        rows, columns = (np.arange(side) // 4 for side in y.shape)
        below = np.bincount(rows)[:, None] * np.bincount(columns)
        return y + (z / below)[rows[:, None], columns]

    def bits_apart(self, symbols: Symbols) -> tuple[np.ndarray, np.ndarray]:
        """Estimated bits at each location of y and at each of z. float64 (h, w) and (hz, wz)."""
        assert isinstance(symbols, HyperSymbols)
        y = self.scale_tables.bits(symbols.values, symbols.scales) * (symbols.scales > 0)
        return y.sum(0), self.hyper_tables(symbols.lam_index).bits(symbols.hyper).sum(0)


def _by_scale(scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The order that sorts symbols by the numbers of their scales, without number 0, and how many each number has."""
    order = np.argsort(scales, kind="stable")
    sizes = np.bincount(scales, minlength=SCALES)
    skipped, sizes[0] = sizes[0], 0
    return order[skipped:], sizes
