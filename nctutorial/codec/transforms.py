"""The transforms x -> y and y_hat -> x_hat that all codecs share, and how λ steers them.

One set of weights serves every λ: y is multiplied by a gain before it is quantised and by another one after, and
only these depend on λ (Cui et al. 2021, arXiv:2003.02012).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import GDN, ResidualBlock, UpConv, conv
from .tiles import STRIDE
from .units import FIXED_POINT, LAM_MAX, LAM_MIN, NODES, node_lams, place_of

DC_CHANNELS = 3  # the first channels of y, which start as the mean colour of a location
GREY = 255 / 20.8  # y = 1 is about 20.8 grey levels, the best uniform step at LAM_MAX


class Transforms(nn.Module):
    """Analysis and synthesis transform with gains, after Ballé et al. 2017 (arXiv:1611.01704).

    Strided convolutions with GDN and most of the depth at 1/8 and 1/16 of the resolution, where it is cheap. A
    linear path from 16x16 patches to latents and back, which training starts as their PCA, runs beside the network.
    """

    GAIN_NODES = 9  # each gain is piecewise linear in log λ between this many nodes
    bf16 = False  # training may run the two networks in bfloat16, where that is faster
    y_scale: Tensor
    steps: Tensor

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
        log_gain = torch.linspace(-math.log(LAM_MAX / LAM_MIN) / 2, 0, self.GAIN_NODES)[:, None].repeat(1, latent)
        self.log_gain = nn.Parameter(log_gain)
        self.log_inverse_gain = nn.Parameter(-log_gain)
        self.register_buffer("y_scale", torch.ones(latent))  # spread of y at the start of training
        self.register_buffer("steps", torch.zeros(NODES, latent, dtype=torch.int32))

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

    def at_lam(self, nodes: Tensor, lam: Tensor) -> Tensor:
        """exp of log values given at GAIN_NODES nodes, (GAIN_NODES, M), at each λ: (B, M, 1, 1)."""
        position = place_of(lam) * (self.GAIN_NODES - 1)
        left = position.floor().clamp(0, self.GAIN_NODES - 2).long()
        part = (position - left)[:, None]
        return torch.exp(nodes[left] * (1 - part) + nodes[left + 1] * part)[:, :, None, None]

    @torch.no_grad()
    def integer_steps(self, log_gain: Tensor) -> Tensor:
        """The steps 1 / g at the nodes, in units of 1 / FIXED_POINT, of trained gains: (NODES, C) int32."""
        gain = self.at_lam(log_gain, node_lams(log_gain.device))[:, :, 0, 0].double()
        return torch.round(FIXED_POINT / gain).clamp(1, 2**30).to(torch.int32)
