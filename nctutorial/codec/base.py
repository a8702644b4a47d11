"""The codecs: transforms, entropy model and files put together.

A photo goes x -> y = g_a(x) -> symbols k = quantize(g y) -> bytes, and back k -> x_hat = g_s(k / g').
"""

import functools
import hashlib
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from ..data import check_image, pad_to_multiple, to_tensor, to_uint8, write_atomic
from . import bitstream
from .bitstream import BitstreamError
from .priors import NEUTRAL
from .rounding import Relaxation
from .tiles import STRIDE, Area, in_pixels, latent_shape, tiles
from .transforms import Transforms
from .units import LAM_LAST, lam_at


@dataclass(frozen=True)
class Latent:
    """A photo after the analysis transform, which is the same for every λ."""

    y: Tensor  # (1, M, h, w) float32
    height: int  # of the photo, in pixels
    width: int
    contrast: int = NEUTRAL  # its number in CONTRASTS; the factorised codec finds it


@dataclass(frozen=True)
class Symbols:
    """A quantised photo: what is coded."""

    values: np.ndarray  # int32 or int16 (M, h w)
    lam_index: int  # λ's position on the grid
    height: int  # of the photo, in pixels
    width: int

    def in_steps(self, area: Area) -> np.ndarray:
        """What the symbols in an area of locations stand for, in quantiser steps: float32 (M, rows, columns)."""
        return self.values.reshape(-1, *latent_shape(self.height, self.width))[:, *area].astype(np.float32)


@dataclass(frozen=True)
class Coded:
    """A photo at one λ."""

    data: bytes  # the complete .nct file
    image: np.ndarray  # uint8 (H, W, 3), what `decompress(data)` returns
    bits: np.ndarray  # float64 (h, w), estimated bits of each latent location; the sum estimates the payload
    lam: float  # the λ on the grid that was used


class Codec(Transforms, ABC):
    """What any codec does with a photo; which symbols it writes, and under which tables, a subclass says.

    `forward` is for training; `analyze`, `code`, `compress`, `decompress` need a finished model, whose integer tables
    `finish` makes.
    """

    SIZED_BY_TRAINING: tuple[str, ...] = ()  # buffers
    _last_tables: tuple[tuple[int, ...], bitstream.Tables] | None = None  # what they depend on, tables

    def forward(self, x: Tensor, lam: Tensor, relaxation: Relaxation = None) -> tuple[Tensor, Tensor]:
        """The codec in training. x: (B, 3, H, W); lam: (B,). Returns x_hat as x, and estimated bits: (B,).

        relaxation: see `rounding.relax`. The quantizer is that of files, with wider bins around zero, but for "noise":
        the straight-through gradient would pull values out of a deadzone that stay in it.
        """
        y_hat, bits = self.relaxed(self.analyze_tensor(x), lam, relaxation)
        return self.synthesize_tensor(y_hat), bits

    @abstractmethod
    def relaxed(self, y: Tensor, lam: Tensor, relaxation: Relaxation = None) -> tuple[Tensor, Tensor]:
        """Quantise y and estimate its bits, differentiably. y: (B, M, h, w); lam: (B,). Returns y_hat as y, bits: (B,).

        relaxation: as in `forward`. A hyper-latent is noisy in training mode, and rounded otherwise.
        """

    @abstractmethod
    def start_prior(self, spread: Tensor) -> None:
        """Start the prior of y at a standard deviation for each channel: (M,)."""

    @abstractmethod
    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:
        """Set the deadzones to (bits of symbol 1 - bits of symbol 0) / (2 rounding_cost) steps, by iteration.

        rounding_cost: bits that an error of one step squared is worth. 6 / ln 2 = 8.66 follows from D = step^2 / 12
        and dR / dD = -λ at high rate. A value between two symbols goes to the cheaper one a little past the
        midpoint, which costs less in D than it saves in R; the deadzone is how far past.
        """

    @abstractmethod
    def finish(self, rounding_cost: float = 8.66) -> None:
        """Make the integers that files depend on from the trained weights."""

    @abstractmethod
    def quantize(self, latent: Latent, lam: float) -> Symbols:
        """The symbols of a photo at the grid's λ nearest to `lam`. Raises ValueError outside [LAM_MIN, LAM_MAX]."""

    @abstractmethod
    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file."""

    @abstractmethod
    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> Symbols:
        """The symbols in a .nct file that this model wrote. Raises BitstreamError."""

    @abstractmethod
    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location: the cross-entropy under the tables. float64 (h, w)."""

    @abstractmethod
    def _make_tables(self, key: tuple[int, ...]) -> bitstream.Tables:
        """The tables of the factorised prior, of y or of z. key: all they depend on, λ's position on the grid first."""

    def _tables(self, *key: int) -> bitstream.Tables:
        """The same, kept for the next call: what codes a photo often asks for its bits, too."""
        last = self._last_tables  # read once: the explorer measures a curve in another thread
        if last is None or last[0] != key:
            last = self._last_tables = key, self._make_tables(key)
        return last[1]

    # ---- from image to bytes and back

    @torch.inference_mode()
    def analyze(self, image: np.ndarray) -> Latent:
        """The analysis transform of a photo, once for all λ. image: uint8 (H, W, 3), H, W >= 1."""
        height, width = check_image(image).shape[:2]
        h, w = latent_shape(height, width)
        y = torch.empty(1, len(self.y_scale), h, w, memory_format=torch.channels_last)
        for tile, around, inside in tiles(h, w):
            x = pad_to_multiple(to_tensor(image[in_pixels(around)]), STRIDE)
            y[:, :, *tile] = self.analyze_tensor(x)[:, :, *inside]
        return Latent(y, height, width)

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols) -> np.ndarray:
        """The synthesis transform of symbols: x_hat as a picture, uint8 (H, W, 3)."""
        h, w = latent_shape(symbols.height, symbols.width)
        gain = self.at_lam(self.log_inverse_gain, torch.tensor([lam_at(symbols.lam_index)]))
        image = np.empty((symbols.height, symbols.width, 3), np.uint8)
        for tile, around, inside in tiles(h, w):
            y_hat = torch.from_numpy(symbols.in_steps(around))[None].contiguous(memory_format=torch.channels_last)
            x_hat = self.synthesize_tensor(y_hat * gain)
            part = image[in_pixels(tile)]
            part[:] = to_uint8(x_hat[:, :, *in_pixels(inside)][..., : part.shape[0], : part.shape[1]])
        return image

    def code(self, latent: Latent, lam: float) -> Coded:
        """Everything about a photo at one λ: quantize, encode, reconstruct. Raises ValueError for a λ out of range."""
        symbols = self.quantize(latent, lam)
        lam = lam_at(symbols.lam_index)
        return Coded(self.encode(symbols), self.reconstruct(symbols), self.bits(symbols), lam)

    def compress(self, image: np.ndarray, lam: float = 0.01) -> bytes:
        """A photo as the bytes of a .nct file. image: uint8 (H, W, 3); lam: λ, larger is better and bigger."""
        return self.encode(self.quantize(self.analyze(image), lam))

    def decompress(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> np.ndarray:
        """The photo in a .nct file that this model wrote: uint8 (H, W, 3). Raises BitstreamError."""
        return self.reconstruct(self.decode(data, max_pixels))

    def pack(self, symbols: Symbols, payload: bytes) -> bytes:
        """A payload as a .nct file of this model."""
        return bitstream.pack(
            bitstream.Header(self.fingerprint, symbols.lam_index, symbols.height, symbols.width), payload
        )

    def unpack(self, data: bytes, max_pixels: int) -> tuple[bitstream.Header, bytes]:
        """Header and payload of a .nct file that this model wrote. Raises BitstreamError."""
        header, payload = bitstream.unpack(data, max_pixels)
        if header.fingerprint != self.fingerprint:
            raise BitstreamError("the file was written by another model: decode it with the one that wrote it")
        if header.lam_index > LAM_LAST:
            raise BitstreamError(f"the file declares λ number {header.lam_index}, the last is {LAM_LAST}")
        # a picture one pixel wide takes the memory of one 16 pixels wide
        padded = math.prod(latent_shape(header.height, header.width)) * STRIDE**2
        if padded > max_pixels + (1 << 20):
            raise BitstreamError(
                f"the file declares {header.width} x {header.height} pixels, decoded as {padded} with their padding: "
                "pass a larger max_pixels if you trust it"
            )
        return header, payload

    # ---- weights

    def save(self, path: Path | str) -> None:
        """Write a finished model to a .safetensors file. Raises OSError."""
        write_atomic(path, self.to_bytes())

    def to_bytes(self) -> bytes:
        """A finished model as the content of a .safetensors file, with its SHA-256.

        What half precision holds exactly is stored in it.
        """
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        for name, tensor in state.items():
            if tensor.is_floating_point() and torch.equal(tensor.half().float(), tensor):
                state[name] = tensor.half()
        return save(state, {"sha256": self.sha256})

    def restore(self, state: dict[str, Tensor]) -> None:
        """load_state_dict, where training has decided the size of some buffers. Raises RuntimeError."""
        for name in self.SIZED_BY_TRAINING:
            if name in state:
                setattr(self, name, torch.zeros_like(state[name], device=self.y_scale.device))
        self.load_state_dict(state)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """A finished model from a .safetensors file. Raises FileNotFoundError, or ValueError if it does not fit."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there are no weights at {path}: train a model or restore the file with git")
        codec = cls()
        try:
            with safe_open(path, "pt") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}
                noted = (file.metadata() or {}).get("sha256")
            codec.restore(state)
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise ValueError(
                f"{path} does not hold the weights of this codec: restore it with git or train again"
            ) from error
        if noted not in (codec.sha256, None):
            raise ValueError(f"the weights in {path} were altered: restore it with git or train again")
        return codec.eval()

    @property
    def fingerprint(self) -> bytes:
        """What files name this model by: the first 4 bytes of the SHA-256 of all weights and tables."""
        return bytes.fromhex(self.sha256)[:4]

    @functools.cached_property
    def sha256(self) -> str:
        """Of the names and values of all weights and tables, in hex."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.state_dict().items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        return digest.hexdigest()
