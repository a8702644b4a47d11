"""The codecs: transforms, prior and files put together.

A photo goes x -> y = g_a(x) -> symbols k = quantize(g y) -> bytes, and back k -> x_hat = g_s(k / g'). One set of
weights serves every λ: the gains g and g' depend on λ, the transforms do not (Cui et al. 2021, arXiv:2003.02012).
"""

import functools
import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from . import bitstream
from .bitstream import BitstreamError
from .data import WEIGHTS, check_image, pad_to_multiple, to_tensor, to_uint8, write_atomic
from .layers import GDN, ResidualBlock, UpConv, add_noise, conv, shrink, ste_round
from .priors import DEADZONE_ONE, FIXED_POINT, FactorizedPrior, IntegerPrior

LAM_MIN, LAM_MAX = 0.001, 0.06
LAM_STEPS = 4096  # λ on the grid LAM_MIN (LAM_MAX / LAM_MIN)^(i / LAM_STEPS), i = 0 .. LAM_STEPS
NODES = 65  # of that grid, every 64th has a row of integer steps; the rows between are interpolated
STRIDE = 16  # pixels a latent location covers, each way
WHOLE = 1 << 12  # a photo of up to so many latent locations, a megapixel, goes through the transforms at once,
TILE = 32  # a larger one in tiles of so many locations each way
MARGIN = 8  # locations around a tile that have a say in it: five 3x3 convolutions at 1/16, six at 1/8
GREY = 255 / 20.8  # y = 1 is about 20.8 grey levels, the best uniform step at LAM_MAX


def lam_index(lam: float) -> int:
    """The grid position nearest to λ. Raises ValueError outside [LAM_MIN, LAM_MAX]."""
    if not LAM_MIN * 0.999 <= lam <= LAM_MAX * 1.001:
        raise ValueError(f"lam must lie between {LAM_MIN} and {LAM_MAX}, not {lam}")
    return min(max(round(math.log(lam / LAM_MIN) / math.log(LAM_MAX / LAM_MIN) * LAM_STEPS), 0), LAM_STEPS)


def lam_at(index: int) -> float:
    """λ at a grid position."""
    return LAM_MIN * (LAM_MAX / LAM_MIN) ** (index / LAM_STEPS)


def latent_shape(height: int, width: int) -> tuple[int, int]:
    """Latent locations (h, w) of a photo of height x width pixels."""
    return -(-height // STRIDE), -(-width // STRIDE)


Area = tuple[slice, slice]  # rows, columns


def tiles(h: int, w: int) -> Iterator[tuple[Area, Area, Area]]:
    """Cut h x w latent locations into tiles, so that a large photo needs no more memory than its pixels do.

    Yields the area of a tile, the same with what the transforms see around it, and the tile's place in that.
    """
    side = max(h, w) if h * w <= WHOLE else TILE
    for top in range(0, h, side):
        for left in range(0, w, side):
            tile, around, inside = zip(_span(top, h, side), _span(left, w, side), strict=True)
            yield tile, around, inside


def _span(first: int, end: int, side: int) -> tuple[slice, slice, slice]:
    """One dimension of a tile that begins at `first`: itself, the same with its margins, and its place in that."""
    last, before = min(first + side, end), max(first - MARGIN, 0)
    return slice(first, last), slice(before, min(last + MARGIN, end)), slice(first - before, last - before)


def in_pixels(area: Area) -> Area:
    """Rows and columns of the pixels below an area of latent locations."""
    rows, columns = (slice(STRIDE * part.start, STRIDE * part.stop) for part in area)
    return rows, columns


def _node_lams(device: torch.device) -> Tensor:
    """λ at the nodes: (NODES,)."""
    return torch.tensor([lam_at(i * LAM_STEPS // (NODES - 1)) for i in range(NODES)], device=device)


@dataclass(frozen=True)
class Latent:
    """A photo after the analysis transform, which is the same for every λ."""

    y: Tensor  # (1, M, h, w) float32
    height: int  # of the photo, in pixels
    width: int


@dataclass(frozen=True)
class Symbols:
    """A quantised photo: what is coded."""

    values: np.ndarray  # int32 (M, h w)
    lam_index: int  # λ's position on the grid
    height: int  # of the photo, in pixels
    width: int


@dataclass(frozen=True)
class Coded:
    """A photo at one λ."""

    data: bytes  # the complete .nct file
    image: np.ndarray  # uint8 (H, W, 3), what `decompress(data)` returns
    bits: np.ndarray  # float64 (h, w), estimated bits of each latent location; the sum estimates the payload
    lam: float  # the λ on the grid that was used


class FactorizedCodec(nn.Module):
    """A factorised-prior codec after Ballé et al. 2017 (arXiv:1611.01704) and 2018 (arXiv:1802.01436).

    Strided convolutions with GDN and most of the depth at 1/8 and 1/16 of the resolution, where it is cheap. A
    linear path from 16x16 patches to latents and back, which training starts as their PCA, runs beside the
    network. `forward` is for training; `analyze`, `code`, `compress`, `decompress` need a finished model, whose
    integer tables `finish` makes.
    """

    GAIN_NODES = 9  # each gain is piecewise linear in log λ between this many nodes
    bf16 = False  # training may run the two networks in bfloat16, where that is faster
    _last_tables: tuple[int, bitstream.Tables] | None = None  # position on the grid, tables
    y_scale: Tensor
    steps: Tensor
    deadzone: Tensor
    cdf: Tensor
    cdf_first: Tensor
    cdf_size: Tensor

    def __init__(self, latent: int = 320, wide: int = 192, narrow: int = 128, depth: tuple[int, int] = (4, 5)):
        """latent: channels M of y. wide, narrow: of the network at 1/16 and at 1/8. depth: residual blocks there."""
        super().__init__()
        patch = 3 * STRIDE**2
        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(8),
            conv(192, narrow, 3),
            GDN(narrow),
            *(ResidualBlock(narrow) for _ in range(depth[0])),
            conv(narrow, wide, 3, stride=2),
            GDN(wide),
            *(ResidualBlock(wide) for _ in range(depth[1])),
            conv(wide, latent, 1, gain=0.01),
        )
        self.synthesis = nn.Sequential(
            conv(latent, wide, 1),
            *(ResidualBlock(wide) for _ in range(depth[1])),
            GDN(wide, inverse=True),
            UpConv(wide, narrow, 1, 2),
            *(ResidualBlock(narrow) for _ in range(depth[0])),
            GDN(narrow, inverse=True),
            UpConv(narrow, 3, 3, 8, gain=0.01),
        )
        self.linear_analysis = nn.Conv2d(patch, latent, 1)
        self.linear_synthesis = nn.Conv2d(latent, patch, 1)
        self.prior = FactorizedPrior(latent)
        log_gain = torch.linspace(-math.log(LAM_MAX / LAM_MIN) / 2, 0, self.GAIN_NODES)[:, None].repeat(1, latent)
        self.log_gain = nn.Parameter(log_gain)
        self.log_inverse_gain = nn.Parameter(-log_gain)
        self.register_buffer("y_scale", torch.ones(latent))  # spread of y at the start of training
        self.register_buffer("steps", torch.zeros(NODES, latent, dtype=torch.int32))
        self.register_buffer("deadzone", torch.zeros(NODES, latent, dtype=torch.uint8))
        self.register_buffer("cdf", torch.zeros(0, dtype=torch.int32))
        self.register_buffer("cdf_first", torch.zeros(latent, dtype=torch.int32))
        self.register_buffer("cdf_size", torch.zeros(latent, dtype=torch.int32))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    # ---- the transforms

    def analyze_tensor(self, x: Tensor) -> Tensor:
        """g_a. x: (B, 3, H, W) in [0, 1], H and W multiples of 16. Returns y: (B, M, H / 16, W / 16)."""
        x = x - 0.5
        linear = self.linear_analysis(F.pixel_unshuffle(x, STRIDE))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            deep = self.analysis(4 * x)
        return GREY * (linear + deep.float())

    def synthesize_tensor(self, y_hat: Tensor) -> Tensor:
        """g_s. y_hat: (B, M, h, w). Returns x_hat: (B, 3, 16 h, 16 w), about [0, 1], not clamped."""
        linear = F.pixel_shuffle(self.linear_synthesis(y_hat / GREY), STRIDE)
        with torch.autocast(y_hat.device.type, torch.bfloat16, enabled=self.bf16):
            deep = self.synthesis(y_hat / self.y_scale[:, None, None])
        return torch.add(linear, deep.float(), alpha=0.25).add_(0.5)

    def _at_lam(self, nodes: Tensor, lam: Tensor) -> Tensor:
        """exp of log values given at GAIN_NODES nodes, (GAIN_NODES, M), at each λ: (B, M, 1, 1)."""
        position = torch.log(lam / LAM_MIN) / math.log(LAM_MAX / LAM_MIN) * (self.GAIN_NODES - 1)
        left = position.floor().clamp(0, self.GAIN_NODES - 2).long()
        part = (position - left)[:, None]
        return torch.exp(nodes[left] * (1 - part) + nodes[left + 1] * part)[:, :, None, None]

    def forward(self, x: Tensor, lam: Tensor, deadzone: bool = False) -> tuple[Tensor, Tensor]:
        """The codec in training: rounded latents for the decoder, noisy ones for the rate.

        x: (B, 3, H, W); lam: (B,). Returns x_hat as x, and estimated bits: (B,). The two stand-ins for the quantizer
        are mixed as in Minnen and Singh 2020 (arXiv:2007.08739). deadzone: round as files do, with wider bins around
        zero; the encoder must not learn then, since its gradient would pull values out of the bin that stay in it.
        """
        v, gain, dead = self.scaled_latent(x, lam)
        dead = dead if deadzone else torch.zeros_like(dead)
        shrunk = shrink(v, dead)
        x_hat = self.synthesize_tensor(ste_round(shrunk) * self._at_lam(self.log_inverse_gain, lam))
        return x_hat, self.estimated_bits(add_noise(shrunk), gain, dead)

    def scaled_latent(self, x: Tensor, lam: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """v = g y, the gain g and the deadzone in steps. x: (B, 3, H, W); lam: (B,). Gives 3 tensors."""
        gain = self._at_lam(self.log_gain, lam)
        node = torch.round(torch.log(lam / LAM_MIN) / math.log(LAM_MAX / LAM_MIN) * (NODES - 1)).long()
        deadzone = self.deadzone[node].float()[:, :, None, None] / DEADZONE_ONE
        return self.analyze_tensor(x) * gain, gain, deadzone

    def estimated_bits(self, t: Tensor, gain: Tensor, deadzone: Tensor) -> Tensor:
        """Cross-entropy of symbols, or noisy symbols, t under the prior, bits per image.

        t: (B, M, h, w); gain, deadzone: (B, M, 1, 1). Returns (B,). What shrinks to (t - 1/2, t + 1/2) is an
        interval of y; its mass under the prior is the probability of t.
        """
        batch, channels = t.shape[:2]

        def y_at(t: Tensor) -> Tensor:
            y = (t + torch.sign(t) * deadzone) / gain
            return y.transpose(0, 1).reshape(channels, 1, -1)

        likelihood = self.prior.mass(y_at(t - 0.5), y_at(t + 0.5))
        return -torch.log2(likelihood).view(channels, batch, -1).sum((0, 2))

    # ---- integers: what the files are made of

    @torch.no_grad()
    def update_deadzone(self, rounding_cost: float, rounds: int) -> None:
        """Set each deadzone, at each node, to (bits of symbol 1 - bits of symbol 0) / (2 rounding_cost), by iteration.

        rounding_cost: bits that an error of one step squared is worth. 6 / ln 2 = 8.66 follows from D = step^2 / 12
        and dR / dD = -λ at high rate. A value between two symbols goes to the cheaper one a little past the
        midpoint, which costs less in D than it saves in R; the deadzone is how far past.
        """
        step = 1 / self._at_lam(self.log_gain, _node_lams(self.log_gain.device))[:, :, 0, 0]  # (NODES, M)
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
        gain = self._at_lam(self.log_gain, _node_lams(self.log_gain.device))[:, :, 0, 0].double()
        self.steps = torch.round(FIXED_POINT / gain).clamp(1, 2**30).to(torch.int32)
        self.update_deadzone(rounding_cost, rounds=20)
        integer = IntegerPrior.from_prior(self.prior, self.steps[-1].numpy())
        self.cdf = torch.from_numpy(integer.cdf).to(torch.int32)
        self.cdf_first = torch.from_numpy(integer.first // integer.spacing).to(torch.int32)
        self.cdf_size = torch.from_numpy(np.diff(integer.start)).to(torch.int32)
        for cached in ("integer_prior", "sha256"):
            self.__dict__.pop(cached, None)
        self._last_tables = None

    @functools.cached_property
    def integer_prior(self) -> IntegerPrior:
        """The integer prior, from the buffers."""
        start = np.concatenate([[0], np.cumsum(self.cdf_size.numpy().astype(np.int64))])
        spacing = np.maximum(self.steps[-1].numpy().astype(np.int64) // 4, 1)
        first = self.cdf_first.numpy().astype(np.int64) * spacing
        return IntegerPrior(self.cdf.numpy().astype(np.int64), start, first, spacing)

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

    def _integers(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Step and deadzone of each channel at a grid position, interpolated in integers. Two (M,) int64."""
        width = LAM_STEPS // (NODES - 1)
        left = min(index // width, NODES - 2)
        part = index - left * width

        def row(nodes: Tensor) -> np.ndarray:
            a, b = nodes[left : left + 2].numpy().astype(np.int64)
            return (a * (width - part) + b * part) // width

        return row(self.steps), row(self.deadzone)

    def _tables(self, index: int) -> bitstream.Tables:
        if (
            self._last_tables is None or self._last_tables[0] != index
        ):  # what codes a photo often asks for its bits, too
            self._last_tables = index, self.integer_prior.tables(*self._integers(index))
        return self._last_tables[1]

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
        payload = bitstream.encode_symbols(symbols.values, self._tables(symbols.lam_index))
        header = bitstream.Header(self.fingerprint, symbols.lam_index, symbols.height, symbols.width)
        return bitstream.pack(header, payload)

    def bits(self, symbols: Symbols) -> np.ndarray:
        """Estimated bits at each latent location: the cross-entropy under the tables. float64 (h, w)."""
        bits = self._tables(symbols.lam_index).bits(symbols.values)
        return bits.sum(0).reshape(latent_shape(symbols.height, symbols.width))

    def decode(self, data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> Symbols:
        """The symbols in a .nct file that this model wrote. Raises BitstreamError."""
        header, payload = bitstream.unpack(data, max_pixels)
        if header.fingerprint != self.fingerprint:
            raise BitstreamError("the file was written by another model: decode it with the one that wrote it")
        if header.lam_index > LAM_STEPS:
            raise BitstreamError(f"the file declares λ number {header.lam_index}, the last is {LAM_STEPS}")
        locations = math.prod(latent_shape(header.height, header.width))
        padded = locations * STRIDE**2  # a picture one pixel wide takes the memory of one 16 pixels wide
        if padded > max_pixels + (1 << 20):
            raise BitstreamError(
                f"the file declares {header.width} x {header.height} pixels, decoded as {padded} with their padding: "
                "pass a larger max_pixels if you trust it"
            )
        values = bitstream.decode_symbols(payload, locations, self._tables(header.lam_index))
        return Symbols(values, header.lam_index, header.height, header.width)

    @torch.inference_mode()
    def reconstruct(self, symbols: Symbols) -> np.ndarray:
        """The synthesis transform of symbols: x_hat as a picture, uint8 (H, W, 3)."""
        h, w = latent_shape(symbols.height, symbols.width)
        values = torch.from_numpy(symbols.values).view(1, -1, h, w)
        gain = self._at_lam(self.log_inverse_gain, torch.tensor([lam_at(symbols.lam_index)]))
        image = np.empty((symbols.height, symbols.width, 3), np.uint8)
        for tile, around, inside in tiles(h, w):
            y_hat = values[:, :, *around].float() * gain
            x_hat = self.synthesize_tensor(y_hat.contiguous(memory_format=torch.channels_last))
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

    # ---- weights

    def save(self, path: Path | str) -> None:
        """Write a finished model to a .safetensors file, with its SHA-256. Raises OSError."""
        state = {name: tensor.contiguous() for name, tensor in self.state_dict().items()}
        write_atomic(path, save(state, {"sha256": self.sha256}))

    @classmethod
    def load(cls, path: Path | str) -> "FactorizedCodec":
        """A finished model from a .safetensors file. Raises FileNotFoundError, or ValueError if it does not fit."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"there are no weights at {path}: train a model or restore the file with git")
        codec = cls()
        try:
            with safe_open(path, "pt") as file:
                state = {name: file.get_tensor(name) for name in file.keys()}
                noted = (file.metadata() or {}).get("sha256")
            codec.cdf = torch.zeros_like(state["cdf"])  # the one buffer whose size training decides
            codec.load_state_dict(state)
        except (SafetensorError, KeyError, RuntimeError) as error:
            raise ValueError(
                f"{path} does not hold the weights of this codec: restore it with git or train again"
            ) from error
        if noted not in (codec.sha256, None):
            raise ValueError(f"the weights in {path} were altered: restore it with git or train again")
        return codec.eval()


WEIGHT_FILES = {"factorized": "factorized.safetensors"}


@functools.lru_cache
def _bundled(name: str) -> FactorizedCodec:
    return FactorizedCodec.load(WEIGHTS / WEIGHT_FILES[name])


def load_codec(name: str = "factorized") -> FactorizedCodec:
    """A trained codec: a bundled one by its name, read once, or the .safetensors file that `nctutorial train` wrote."""
    return _bundled(name) if name in WEIGHT_FILES else FactorizedCodec.load(name)


def decompress(data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> np.ndarray:
    """The photo in a .nct file: uint8 (H, W, 3).

    Raises BitstreamError if the bytes are foreign, truncated or altered, were written by a model that is not
    bundled, or declare more than `max_pixels` pixels.
    """
    header, _ = bitstream.unpack(data, max_pixels)
    for name in WEIGHT_FILES:
        codec = load_codec(name)
        if codec.fingerprint == header.fingerprint:
            return codec.decompress(data, max_pixels)
    raise BitstreamError(
        "the file was written by a model that is not bundled here: update this installation, "
        "or decode it with load_codec(path).decompress(data)"
    )
