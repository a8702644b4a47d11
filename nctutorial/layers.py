"""Building blocks of the transforms. They know nothing of priors, rates or files."""

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class GDN(nn.Module):
    """Generalised divisive normalisation (Ballé, Laparra and Simoncelli 2016, arXiv:1511.06281), or its inverse.

    y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2); the inverse multiplies instead of dividing. beta and gamma
    are stored as square roots, so that they stay non-negative. x: (B, C, H, W). Returns the same shape.
    """

    def __init__(self, channels: int, inverse: bool = False):
        super().__init__()
        self.inverse = inverse
        self.sqrt_beta = nn.Parameter(torch.ones(channels))
        self.sqrt_gamma = nn.Parameter(math.sqrt(0.1) * torch.eye(channels) + 1e-3)

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.sqrt_gamma.square()[:, :, None, None]
        norm = F.conv2d(x * x, gamma, self.sqrt_beta.square() + 1e-6)
        return x * torch.sqrt(norm) if self.inverse else x * torch.rsqrt(norm)


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A padded convolution, initialised so that unit variance in gives variance gain^2 out.

    Seen in this project: half the loss at equal steps against PyTorch's default initialisation.
    """
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(in_channels * kernel**2))
    nn.init.zeros_(layer.get_parameter("bias"))
    return layer


class UpConv(nn.Module):
    """A convolution, then depth to space: the transpose of a strided convolution without its checkerboards.

    x: (B, C, H, W). Returns (B, out_channels, factor H, factor W). After Shi et al. 2016, arXiv:1609.05158.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, factor: int, gain: float = 1.0):
        super().__init__()
        self.conv = conv(in_channels, out_channels * factor**2, kernel, gain=gain)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), self.factor)


def add_noise(v: Tensor) -> Tensor:
    """Training's stand-in for rounding: v + u, u uniform in (-1/2, 1/2) (Ballé et al. 2017, arXiv:1611.01704)."""
    return v + torch.rand_like(v) - 0.5


def ste_round(v: Tensor) -> Tensor:
    """round(v) forward, the identity backward: the straight-through estimator (Theis et al. 2017, arXiv:1703.00395)."""
    return v + (v.round() - v).detach()


def random_round(v: Tensor, temperature: float) -> Tensor:
    """Training's closest stand-in for rounding: near one of the two integers around v, more likely the nearer one.

    Stochastic Gumbel annealing (Yang, Bamler and Mandt 2020, arXiv:2006.04240), which ends at a temperature near 0,
    in rounding. Unlike noise it leaves a zero that is no close call a zero; the gradient is that of the average.
    """
    low = v.detach().floor()
    part = (v - low).clamp(1e-4, 1 - 1e-4)
    odds = (torch.atanh(part) - torch.atanh(1 - part)) / temperature
    return low + torch.sigmoid((odds + torch.logit(torch.rand_like(part), 1e-6)) / temperature)


Relaxation = Literal["noise"] | float | None


def relax(v: Tensor, relaxation: Relaxation) -> tuple[Tensor, Tensor]:
    """What training takes for round(v), twice: for the distortion, and for the rate. Shapes as v.

    "noise": straight-through rounding and noise (Minnen and Singh 2020, arXiv:2007.08739). A number: `random_round`
    at that temperature, the same for both. None: both rounded, which has no gradient.
    """
    if relaxation == "noise":
        return ste_round(v), add_noise(v)
    t = torch.round(v) if relaxation is None else random_round(v, relaxation)
    return t, t


def relaxed_bits(bits: Callable[[Tensor], Tensor], t: Tensor, relaxation: Relaxation) -> Tensor:
    """Bits of symbols that `relax` made for the rate. bits: of integers and, behind no deadzone, of noisy symbols.

    `random_round` ends between integers; there the bits are interpolated. Evaluated at t, as if it were noisy, they
    would jump at t = 1/2, by the mass of the deadzone: most of what a 1 costs more than a 0, and no gradient sees it.
    """
    if relaxation is None or relaxation == "noise":
        return bits(t)
    low = t.detach().floor()
    part = t - low
    return (1 - part) * bits(low) + part * bits(low + 1)


class ResidualBlock(nn.Module):
    """x + f(x), f a bottleneck of 1x1, 3x3 and 1x1 convolutions (He et al. 2016, arXiv:1512.03385). Same shape out."""

    def __init__(self, channels: int):
        super().__init__()
        half = channels // 2
        self.residual = nn.Sequential(
            conv(channels, half, 1),
            nn.ReLU(),
            conv(half, half, 3, gain=math.sqrt(2)),
            nn.ReLU(),
            conv(half, channels, 1, gain=0.3),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x + self.residual(x)


def shrink(v: Tensor, deadzone: Tensor) -> Tensor:
    """sign(v) max(|v| - deadzone, 0): rounded, it is a quantizer whose bin around zero is wider. Shapes broadcast."""
    return torch.sign(v) * (v.abs() - deadzone).clamp_min(0)
