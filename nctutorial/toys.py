"""What chapters 00 to 04 build by hand and later chapters import: small, slow enough to read, and real."""

import math
import struct
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import constriction
import numpy as np
import torch
from torch import Tensor, nn

from .codec.layers import conv
from .data import photo, photo_names

# ---- chapter 00: a transform, and an entropy coder


def dct_matrix(n: int = 8) -> np.ndarray:
    """The orthonormal DCT-II (Ahmed, Natarajan and Rao 1974): (n, n), row k is the cosine of frequency k."""
    k, i = np.arange(n)[:, None], np.arange(n)
    scale = np.where(k == 0, math.sqrt(1 / n), math.sqrt(2 / n))
    return scale * np.cos(math.pi * (2 * i + 1) * k / (2 * n))


def block_dct(plane: np.ndarray, n: int = 8) -> np.ndarray:
    """The DCT of each n x n block: (H, W) -> (H/n, W/n, n, n), the last two are vertical and horizontal frequency.
    Raises ValueError if H or W is not a multiple of n."""
    height, width = plane.shape
    if height % n or width % n:
        raise ValueError(f"a plane of {height} x {width} does not split into {n} x {n} blocks: crop or pad it first")
    blocks = plane.reshape(height // n, n, width // n, n).swapaxes(1, 2)
    return dct_matrix(n) @ blocks @ dct_matrix(n).T


def block_idct(blocks: np.ndarray) -> np.ndarray:
    """The inverse of `block_dct`: (h, w, n, n) -> (h n, w n)."""
    h, w, n, _ = blocks.shape
    pixels = dct_matrix(n).T @ blocks @ dct_matrix(n)
    return pixels.swapaxes(1, 2).reshape(h * n, w * n)


def encode_static(symbols: np.ndarray) -> bytes:
    """Symbols as bytes: each row range-coded under its own histogram, and the histograms, deflated, before them.

    symbols: (C, N) int, C and N at least 1. Bytes, little-endian: C, the lowest symbol and the size of the tables,
    4 each; the tables; the range coder's words.
    """
    low, count = int(symbols.min()), int(np.ptp(symbols)) + 1
    tables = np.array([np.bincount(row - low, minlength=count) for row in symbols], "<i4")
    coder = constriction.stream.queue.RangeEncoder()
    for row, table in zip(symbols, tables, strict=True):
        coder.encode((row - low).astype(np.int32), _model(table))
    packed = zlib.compress(tables.tobytes(), 9)
    return struct.pack("<IiI", len(tables), low, len(packed)) + packed + coder.get_compressed().astype("<u4").tobytes()


def decode_static(data: bytes) -> np.ndarray:
    """The inverse of `encode_static`: (C, N) int32. Raises ValueError if the bytes are none of its making."""
    try:
        rows, low, size = struct.unpack_from("<IiI", data)
        tables = np.frombuffer(zlib.decompress(data[12 : 12 + size]), "<i4").reshape(rows, -1)
        words = np.frombuffer(data[12 + size :], "<u4").astype(np.uint32)
    except (struct.error, zlib.error, ValueError):
        raise ValueError("these bytes were not written by encode_static, or they were altered") from None
    coder = constriction.stream.queue.RangeDecoder(words)
    return np.array([coder.decode(_model(table), int(table.sum())) + low for table in tables], np.int32)


def _model(table: np.ndarray) -> Any:
    padded = np.append(table, 0)  # the library wants two symbols or more; those that never occur cost next to nothing
    return constriction.stream.model.Categorical(padded.astype(np.float64), perfect=False)


# ---- chapter 01: training data, an autoencoder, a loop


def crops(count: int = 256, size: int = 64, seed: int = 0) -> Tensor:
    """Random crops of the bundled training photos in turn, half of them mirrored: (count, 3, size, size) in [0, 1]."""
    rng = np.random.default_rng(seed)
    photos = [photo(name) for name in photo_names("train")]
    samples = np.empty((count, size, size, 3), np.uint8)
    for i in range(count):
        image = photos[i % len(photos)]
        height, width, _ = image.shape
        top, left = rng.integers(height - size + 1), rng.integers(width - size + 1)
        crop = image[top : top + size, left : left + size]
        if rng.choice([-1, 1]) == -1:
            crop = crop[:, ::-1]  # mirrored, left to right
        samples[i] = crop
    return torch.from_numpy(samples).permute(0, 3, 1, 2).float() / 255


class Affine(nn.Module):
    """x -> scale x + shift, with nothing to learn."""

    def __init__(self, scale: float, shift: float):
        super().__init__()
        self.scale, self.shift = scale, shift

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * x + self.shift


class GDN(nn.Module):
    """Generalised divisive normalisation (Ballé, Laparra and Simoncelli 2016, arXiv:1511.06281).

    y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2). beta and gamma are stored as square roots, so that they stay
    non-negative. x: (B, C, H, W). Same shape out.
    """

    def __init__(self, channels: int):
        super().__init__()
        self.sqrt_beta = nn.Parameter(torch.ones(channels))
        self.sqrt_gamma = nn.Parameter(math.sqrt(0.1) * torch.eye(channels) + 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.sqrt_gamma.square()[:, :, None, None]
        return x * torch.rsqrt(nn.functional.conv2d(x * x, gamma, self.sqrt_beta.square() + 1e-6))


class Residual(nn.Module):
    """x + f(x): two 3x3 convolutions with a GDN between them, starting at f = 0. x: (B, C, H, W). Same shape out."""

    def __init__(self, channels: int):
        super().__init__()
        self.f = nn.Sequential(conv(channels, channels, 3), GDN(channels), conv(channels, channels, 3, gain=0))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.f(x)


def dct_filters(count: int) -> Tensor:
    """The first `count` of the 192 patterns of an 8x8 block in colour, by a rule of thumb: (count, 3, 8, 8).

    Each is a grey, green-magenta or red-blue mixture of R, G and B times the DCT's pattern of frequencies u and v;
    together they are orthonormal. The order: (hypot(u, v) + 0.6), times 2.5 for a colour, the smallest first. For few
    patterns these are the ones along which photos vary most; for 32 they are not, see chapter 01.
    """
    mixtures = np.array([[1, 1, 1], [1, -2, 1], [1, 0, -1]]) / np.sqrt([[3], [6], [2]])
    patterns = np.einsum("ui,vj->uvij", dct_matrix(), dct_matrix())
    filters = np.einsum("mc,uvij->muvcij", mixtures, patterns).reshape(192, 3, 8, 8)
    mixture, u, v = np.indices((3, 8, 8)).reshape(3, 192)
    roughness = (np.hypot(u, v) + 0.6) * np.where(mixture == 0, 1, 2.5)
    order = np.argsort(roughness, kind="stable")
    return torch.from_numpy(filters[order[:count]]).float()


class Autoencoder(nn.Module):
    """A small convolutional autoencoder of stride 8 that starts as a truncated DCT and learns from there.

    x: (B, 3, H, W) in [0, 1], H and W multiples of 8. analysis: x -> y, (B, latent, H/8, W/8).
    synthesis: y -> x_hat. forward: x -> x_hat, with nothing in between. latent <= hidden <= 192.
    A difference of 1 in y is one of about 51 grey values in a DCT coefficient, as of a coarse quantizer.
    """

    def __init__(self, latent: int = 32, hidden: int = 48):
        super().__init__()
        blocks, patterns = nn.Conv2d(3, hidden, 8, stride=8), nn.ConvTranspose2d(hidden, 3, 8, stride=8)
        narrow, widen = nn.Conv2d(hidden, latent, 1), nn.Conv2d(latent, hidden, 1)
        with torch.no_grad():
            for layer in (blocks, patterns, narrow, widen):
                nn.init.zeros_(layer.get_parameter("bias"))
            blocks.weight.copy_(dct_filters(hidden))
            patterns.weight.copy_(dct_filters(hidden))
            narrow.weight.copy_(torch.eye(latent, hidden)[:, :, None, None])
            widen.weight.copy_(torch.eye(hidden, latent)[:, :, None, None])
        self.analysis = nn.Sequential(Affine(5, -2.5), blocks, Residual(hidden), narrow)
        self.synthesis = nn.Sequential(widen, Residual(hidden), patterns, Affine(1 / 5, 0.5))

    def forward(self, x: Tensor) -> Tensor:
        return self.synthesis(self.analysis(x))


def fit(
    parameters: Iterable[Tensor],
    loss: Callable[[Tensor], Tensor],
    crops: Tensor,
    steps: int,
    batch: int = 16,
    lr: float = 2e-3,
    seed: int = 0,
    every: Callable[[int], object] | None = None,
) -> list[float]:
    """Minimise `loss` by Adam with cosine decay. The same seed gives the same updates, also where `loss` draws noise.

    parameters: what to train. loss: takes x, (batch, 3, size, size), and returns a scalar. crops: what x is drawn
    from. steps: the number of updates. every: called as every(step) after each, 1 to `steps`. Returns the losses.
    """
    parameters = list(parameters)
    optimizer = torch.optim.Adam(parameters, lr=lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    torch.manual_seed(seed)
    history: list[float] = []
    for step in range(1, steps + 1):
        value = loss(crops[torch.randint(len(crops), (batch,))])
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        schedule.step()
        history.append(value.item())
        if every is not None:
            every(step)
    return history


# ---- chapter 03: a density with parameters


class Logistic(nn.Module):
    """A logistic density for each channel, smoothed by a box of width 1, which at integers is a pmf.

    latents: (B, C, h, w); mean and scale start as theirs. y: (C, h, w) or (B, C, h, w), same shape out.
    """

    def __init__(self, latents: Tensor):
        super().__init__()
        self.mean = nn.Parameter(latents.mean((0, 2, 3))[:, None, None])
        self.log_scale = nn.Parameter((latents.std((0, 2, 3)) * math.sqrt(3) / math.pi).log()[:, None, None])

    def likelihood(self, y: Tensor) -> Tensor:
        """F(y + 1/2) - F(y - 1/2), at least 1e-9. Both are taken below the mean, where sigmoids are small and exact."""
        below, scale = -(y - self.mean).abs(), self.log_scale.exp()
        return (torch.sigmoid((below + 0.5) / scale) - torch.sigmoid((below - 0.5) / scale)).clamp_min(1e-9)

    def bits(self, y: Tensor) -> Tensor:
        return -torch.log2(self.likelihood(y))


# ---- chapter 04: a gain for each channel


class GainedAutoencoder(Autoencoder):
    """The autoencoder with a learned gain for each latent channel: the inverse of the width of a quantizer's bins.

    encode: x -> y, with noise or rounding of unit size to follow; decode: y_tilde or y_hat -> x_hat. The gains are
    1 at the start.
    """

    def __init__(self, latent: int = 32, hidden: int = 48):
        super().__init__(latent, hidden)
        self.log_gain = nn.Parameter(torch.zeros(latent, 1, 1))
        self.log_inverse_gain = nn.Parameter(torch.zeros(latent, 1, 1))

    def encode(self, x: Tensor) -> Tensor:
        return self.analysis(x) * self.log_gain.exp()

    def decode(self, y: Tensor) -> Tensor:
        return self.synthesis(y * self.log_inverse_gain.exp())
