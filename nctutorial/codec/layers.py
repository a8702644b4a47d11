"""Building blocks of the networks. x: (B, C, H, W)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def conv(in_channels: int, out_channels: int, kernel: int, stride: int = 1, gain: float = 1.0) -> nn.Conv2d:
    """A padded convolution, initialised so that unit variance in gives variance gain^2 out.

    Seen in this project: half the loss at equal steps against PyTorch's default initialisation.
    """
    layer = nn.Conv2d(in_channels, out_channels, kernel, stride, padding=kernel // 2)
    nn.init.normal_(layer.weight, std=gain / math.sqrt(in_channels * kernel**2))
    nn.init.zeros_(layer.get_parameter("bias"))
    return layer


class GDN(nn.Module):
    """Generalised divisive normalisation (Ballé, Laparra and Simoncelli 2016, arXiv:1511.06281), or its inverse.

    y_i = x_i / sqrt(beta_i + sum_j gamma_ij x_j^2); the inverse multiplies instead of dividing. beta and gamma
    are stored as square roots, so that they stay non-negative. Returns the shape of x.
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


class UpConv(nn.Module):
    """A convolution, then depth to space: the transpose of a strided convolution without its checkerboards.

    Returns (B, out_channels, factor H, factor W). After Shi et al. 2016, arXiv:1609.05158.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, factor: int, gain: float = 1.0):
        super().__init__()
        self.conv = conv(in_channels, out_channels * factor**2, kernel, gain=gain)
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return F.pixel_shuffle(self.conv(x), self.factor)


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
