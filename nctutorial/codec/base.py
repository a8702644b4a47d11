"""A finished codec: what every codec does with a photo.

A photo goes x -> y = g_a(x) -> symbols k = quantize(g y) -> bytes, and back k -> x_hat = g_s(k / g').
"""

import functools
import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from ..data import check_image, pad_to_multiple, to_tensor, to_uint8, write_atomic
from . import bitstream
from .bitstream import BitstreamError
from .model import Model
from .rounding import ROUNDING_COST
from .tiles import STRIDE, Area, in_pixels, latent_shape, tiles
from .units import LAM_LAST, NODES, lam_at


@dataclass(frozen=True)
class Latent:
    """A photo after the analysis transform, which is the same for every λ."""

    y: Tensor  # (1, M, h, w) float32
    height: int  # of the photo, in pixels
    width: int


@dataclass(frozen=True)
class Symbols:
    """A quantised photo: what is coded."""

    values: np.ndarray  # int32 or int16 (M, h, w)
    lam_index: int  # λ's position on the grid
    height: int  # of the photo, in pixels
    width: int

    def in_steps(self, area: Area) -> np.ndarray:
        """y_hat of an area of locations, in quantizer steps: float32 (M, rows, columns)."""
        return self.values[:, *area].astype(np.float32)


@dataclass(frozen=True)
class Coded:
    """A photo at one λ."""

    data: bytes  # the complete .nct file
    image: np.ndarray  # uint8 (H, W, 3), what `decompress(data)` returns
    bits: np.ndarray  # float64 (h, w), estimated bits of each latent location; the sum estimates the payload
    lam: float  # the λ on the grid that was used


class Codec(ABC):
    """A finished codec: float transforms, and the integers that files depend on. It does not change any more.

    Which symbols are coded, and under which tables, a subclass says.
    """

    def __init__(self, model: Model, integers: Mapping[str, Tensor]):
        """model: trained, from now on the codec's own. integers: by the names that they have in files of weights."""
        self.model = model.cpu().eval().requires_grad_(False)
        self.integers = dict(integers)
        self.step = self.integers["steps"].numpy()  # (NODES, M) int32, of the quantizer, in 1 / FIXED_POINT of y
        if self.step.shape != (NODES, len(model.y_scale)) or self.step.min() < 1:
            raise ValueError("the steps of the quantizer do not fit the model")

    @classmethod
    @abstractmethod
    def finish(cls, model: Any, rounding_cost: float = ROUNDING_COST) -> Self:
        """The codec of a trained model, with its integer steps, deadzones and tables. The model stays as it is."""

    @abstractmethod
    def quantize(self, latent: Latent, lam: float) -> Symbols:
        """The symbols of a photo at the grid's λ nearest to `lam`. Raises ValueError outside [LAM_MIN, LAM_MAX]."""

    @abstractmethod
    def encode(self, symbols: Symbols) -> bytes:
        """Range-code symbols into a complete .nct file."""

    @abstractmethod
    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> Symbols:
        """The symbols in a .nct file that this codec wrote. Raises BitstreamError."""

    @abstractmethod
    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location: the cross-entropy under the tables. float64 (h, w)."""

    # ---- from image to bytes and back

    @torch.inference_mode()
    def analyze(self, image: np.ndarray) -> Latent:
        """The analysis transform of a photo, once for all λ. image: uint8 (H, W, 3), H, W >= 1."""
        height, width = check_image(image).shape[:2]
        h, w = latent_shape(height, width)
        y = torch.empty(1, len(self.model.y_scale), h, w, memory_format=torch.channels_last)
        for tile, around, inside in tiles(h, w):
            x = pad_to_multiple(to_tensor(image[in_pixels(around)]), STRIDE)
            y[:, :, *tile] = self.model.analyze_tensor(x)[:, :, *inside]
        return Latent(y, height, width)

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols) -> np.ndarray:
        """The synthesis transform of symbols: x_hat as a picture, uint8 (H, W, 3)."""
        lam = torch.tensor([lam_at(symbols.lam_index)])
        gain = self.model.at_lam(self.model.log_inverse_gain, lam)
        image = np.empty((symbols.height, symbols.width, 3), np.uint8)
        for tile, around, inside in tiles(*symbols.values.shape[1:]):
            y_hat = torch.from_numpy(symbols.in_steps(around))[None].contiguous(memory_format=torch.channels_last)
            x_hat = self.model.synthesize_tensor(y_hat * gain, lam)
            pixels = image[in_pixels(tile)]
            pixels[:] = to_uint8(x_hat[:, :, *in_pixels(inside)][..., : pixels.shape[0], : pixels.shape[1]])
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
        """The photo in a .nct file that this codec wrote: uint8 (H, W, 3). Raises BitstreamError."""
        return self.reconstruct(self.decode(data, max_pixels))

    def pack(self, symbols: Symbols, payload: bytes) -> bytes:
        """A payload as a .nct file of this codec."""
        return bitstream.pack(
            bitstream.Header(self.fingerprint, symbols.lam_index, symbols.height, symbols.width), payload
        )

    def unpack(self, data: bytes, max_pixels: int) -> tuple[bitstream.Header, bytes]:
        """Header and payload of a .nct file that this codec wrote. Raises BitstreamError."""
        header, payload = bitstream.unpack(data, max_pixels)
        if header.fingerprint != self.fingerprint:
            raise BitstreamError("the file was written by another model: decode it with the one that wrote it")
        if header.lam_index > LAM_LAST:
            raise BitstreamError(f"the file declares λ number {header.lam_index}, the last is {LAM_LAST}")
        return header, payload

    # ---- weights

    @functools.cached_property
    def state(self) -> dict[str, Tensor]:
        """All weights and integers, by their names."""
        return self.model.state_dict() | self.integers

    @functools.cached_property
    def sha256(self) -> str:
        """SHA-256 of the names and values of all weights and integers, in hex."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.state.items()):
            digest.update(name.encode())
            digest.update(np.ascontiguousarray(tensor.numpy()).tobytes())
        return digest.hexdigest()

    @property
    def fingerprint(self) -> bytes:
        """The first 4 bytes of the SHA-256. It stands in every .nct file, so that only its own codec decodes it."""
        return bytes.fromhex(self.sha256)[:4]

    def to_bytes(self) -> bytes:
        """The content of a .safetensors file, with kind, sizes and SHA-256. Half precision where it is exact.

        The facts are one entry of its metadata: the library writes several in any order.
        """
        state = {name: tensor.contiguous() for name, tensor in self.state.items()}
        for name, tensor in state.items():
            if tensor.is_floating_point() and torch.equal(tensor.half().float(), tensor):
                state[name] = tensor.half()
        facts = {"kind": self.model.kind, "sizes": self.model.sizes, "sha256": self.sha256}
        return save(state, {"codec": json.dumps(facts)})

    def save(self, path: Path | str) -> None:
        """Write the codec to a .safetensors file. Raises OSError."""
        write_atomic(path, self.to_bytes())
