"""Networks whose results are the same on every machine, bit for bit.

After Ballé, Johnston and Minnen 2019 ("Integer networks for data compression with latent-variable models"): what
selects a probability table must not depend on the order in which floats are summed. Here weights and activations are
integers, and the sums are taken in float64, which holds every integer below 2^53 exactly: in any order, on any
number of threads, with or without fused multiply-add, the sum is the same.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .units import NETWORK_ONE

LIMIT = 1 << 19  # activations are clamped to less than this, 128 in real numbers
EXACT = 1 << 53  # float64 holds all integers up to here


class IntegerConv2d(nn.Module):
    """A convolution of integers, in units of 1 / NETWORK_ONE. x: (B, C, H, W) float64 holding integers. Same out.

    Raises ValueError if a sum could pass 2^53.
    """

    def __init__(self, layer: nn.Conv2d):
        super().__init__()
        self.stride, self.padding = layer.stride[0], layer.kernel_size[0] // 2
        weight = torch.round(layer.weight.detach().cpu().double() * NETWORK_ONE)
        bias = torch.round(layer.get_parameter("bias").detach().cpu().double() * NETWORK_ONE * NETWORK_ONE)
        if (weight.abs().flatten(1).sum(1) * LIMIT + bias.abs() + NETWORK_ONE).max() >= EXACT:
            raise ValueError("weights too large for exact sums")
        # divided by a power of two the sums are as exact; and a half, for rounding
        self.register_buffer("weight", weight.permute(2, 3, 1, 0).contiguous() / NETWORK_ONE)  # (k, k, in, out)
        self.register_buffer("bias", bias / NETWORK_ONE + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        weight, pad = self.get_buffer("weight"), self.padding
        x = F.pad(x.permute(0, 2, 3, 1), (0, 0, pad, pad, pad, pad)) if pad else x.permute(0, 2, 3, 1)
        batch, height, width, channels = x.shape
        flat = x.reshape(-1, channels)  # what a tap sees of all locations is then a slice; some wrap around, unused
        total = torch.addmm(self.get_buffer("bias"), flat, weight[0, 0])
        for tap in range(1, len(weight) ** 2):
            i, j = divmod(tap, len(weight))
            first = i * width + j
            total[: len(flat) - first].addmm_(flat[first:], weight[i, j])
        total.floor_().clamp_(1 - LIMIT, LIMIT - 1)
        total = total.view(batch, height, width, weight.shape[3]).permute(0, 3, 1, 2)
        return total[:, :, : height - 2 * pad : self.stride, : width - 2 * pad : self.stride]


def integer(network: nn.Module) -> nn.Module:
    """A copy of a network of convolutions, ReLUs and pixel shuffles that computes in integers."""
    found = copy.deepcopy(network)
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            parent, _, last = name.rpartition(".")
            setattr(found.get_submodule(parent), last, IntegerConv2d(layer))
    return found.eval()
