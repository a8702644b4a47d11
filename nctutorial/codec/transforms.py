"""The analysis transform g_a: x -> y and the synthesis transform g_s: y_hat -> x_hat, and how λ steers them.

One set of weights serves every λ: y is multiplied by a gain before it is quantised and by another one after (Cui et
al. 2021, arXiv:2003.02012), and the synthesis is told λ. The analysis is the same for all λ.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import Block, beside, conv
from .tiles import STRIDE
from .units import FIXED_POINT, LAM_MAX, LAM_MIN, node_lams, place_of

GREY = 255 / 20.8  # y = 1 is about 20.8 grey levels, the best uniform step at LAM_MAX
PATCH = 3 * STRIDE**2  # samples below a latent location


class Transforms(nn.Module):
    """Analysis and synthesis transform with gains, after Ballé et al. 2017 (arXiv:1611.01704).

    All depth is at 1/8 of the resolution. A linear path, which training starts as the PCA of 16x16 patches, runs
    beside each network:

        x -> down 8 -> conv 1x1 -> blocks -> down 2 -> conv 1x1 -> + -> y
        x -> down 16 -> conv 1x1 --------------------------------> +

        y_hat -> conv 1x1 -> up 2 -> blocks -> conv 1x1 -> up 8 -> + -> x_hat
        y_hat -> conv 1x1 -> up 16 ------------------------------> +
    """

    GAIN_NODES = 9  # each gain is piecewise linear in log λ between this many nodes
    bf16 = False  # training may run the two networks in bfloat16, where that is faster
    y_scale: Tensor

    def __init__(self, latent: int, channels: int, hidden: int, depth: tuple[int, int]):
        """latent: channels M of y. channels, hidden: of the blocks. depth: blocks of the analysis, of the synthesis."""
        super().__init__()
        self.analysis = nn.Sequential(
            nn.PixelUnshuffle(8),
            conv(192, channels, 1),
            *(Block(channels, hidden) for _ in range(depth[0])),
            nn.PixelUnshuffle(2),
            conv(4 * channels, latent, 1, gain=0.02),
        )
        self.synthesis = nn.Sequential(
            conv(latent + 2, 4 * channels, 1),
            nn.PixelShuffle(2),
            *(Block(channels, hidden) for _ in range(depth[1])),
            conv(channels, 192, 1, gain=0.02),
            nn.PixelShuffle(8),
        )
        self.linear_analysis = nn.Conv2d(PATCH, latent, 1)
        self.linear_synthesis = nn.Conv2d(latent, PATCH, 1)
        log_gain = torch.linspace(-math.log(LAM_MAX / LAM_MIN) / 2, 0, self.GAIN_NODES)[:, None].repeat(1, latent)
        self.log_gain = nn.Parameter(log_gain)
        self.log_inverse_gain = nn.Parameter(-log_gain)
        self.register_buffer("y_scale", torch.ones(latent))  # spread of y at the start of training

    def analyze_tensor(self, x: Tensor) -> Tensor:
        """g_a. x: (B, 3, H, W) in [0, 1], H and W multiples of 16. Returns y: (B, M, H / 16, W / 16)."""
        x = x - 0.5
        linear = self.linear_analysis(F.pixel_unshuffle(x, STRIDE))
        with torch.autocast(x.device.type, torch.bfloat16, enabled=self.bf16):
            deep = self.analysis(x)
        return GREY * (linear + deep.float())

    def synthesize_tensor(self, y_hat: Tensor, lam: Tensor) -> Tensor:
        """g_s. y_hat: (B, M, h, w); lam: (B,). Returns x_hat: (B, 3, 16 h, 16 w), about [0, 1], not clamped."""
        linear = F.pixel_shuffle(self.linear_synthesis(y_hat / GREY), STRIDE)
        with torch.autocast(y_hat.device.type, torch.bfloat16, enabled=self.bf16):
            deep = self.synthesis(beside(y_hat / self.y_scale[:, None, None], places(lam)))
        return torch.add(linear, deep.float(), alpha=0.25).add_(0.5)

    def at_lam(self, nodes: Tensor, lam: Tensor) -> Tensor:
        """exp of log values given at GAIN_NODES nodes, (GAIN_NODES, M), at each λ: (B, M, 1, 1). lam: (B,)."""
        position = place_of(lam) * (self.GAIN_NODES - 1)
        left = position.floor().clamp(0, self.GAIN_NODES - 2).long()
        fraction = (position - left)[:, None]
        return torch.exp(nodes[left] * (1 - fraction) + nodes[left + 1] * fraction)[:, :, None, None]

    @torch.no_grad()
    def integer_steps(self, log_gain: Tensor) -> Tensor:
        """The steps 1 / g at the nodes of λ's grid, in 1 / FIXED_POINT, of trained gains: (NODES, C) int32."""
        gain = self.at_lam(log_gain, node_lams(log_gain.device))[:, :, 0, 0].double()
        return torch.round(FIXED_POINT / gain).clamp(1, 2**30).to(torch.int32)


def places(lam: Tensor) -> Tensor:
    """λ's place in its range, -1 to 1, and the square of it, as the networks are told: (B, 2, 1, 1). lam: (B,)."""
    place = 2 * place_of(lam) - 1
    return torch.stack([place, place**2], 1)[:, :, None, None]
