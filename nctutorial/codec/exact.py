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

ACTIVATION_LIMIT = 1 << 19  # activations are clamped to less than this, 128 in real numbers
EXACT = 1 << 50  # float64 holds all integers up to here, and all eighths, which a LeakyReLU leaves


class IntegerConv2d(nn.Module):
    """A convolution of integers, in units of 1 / NETWORK_ONE. x: (B, C, H, W) float64 holding whole eighths.

    Returns integers, as float64.

    Raises ValueError if a sum could pass 2^50.
    """

    def __init__(self, layer: nn.Conv2d):
        super().__init__()
        self.stride, self.padding = layer.stride[0], layer.kernel_size[0] // 2
        weight = torch.round(layer.weight.detach().cpu().double() * NETWORK_ONE)
        bias = torch.round(layer.get_parameter("bias").detach().cpu().double() * NETWORK_ONE * NETWORK_ONE)
        if (weight.abs().flatten(1).sum(1) * ACTIVATION_LIMIT + bias.abs() + NETWORK_ONE).max() >= EXACT:
            raise ValueError("weights too large for exact sums")
        # divided by a power of two the sums are as exact; and a half, for rounding
        self.register_buffer("weight", weight / NETWORK_ONE)
        self.register_buffer("bias", bias / NETWORK_ONE + 0.5)

    def forward(self, x: Tensor) -> Tensor:
        total = F.conv2d(x, self.get_buffer("weight"), self.get_buffer("bias"), self.stride, self.padding)
        return clamp_activation(total.floor_())


def clamp_activation(x: Tensor) -> Tensor:
    """Clamp integers to what activations may be, in place. Any shape."""
    return x.clamp_(1 - ACTIVATION_LIMIT, ACTIVATION_LIMIT - 1)


def integer(network: nn.Module) -> nn.Module:
    """A copy of a network of convolutions, LeakyReLUs and pixel shuffles that computes in integers."""
    exact = copy.deepcopy(network)
    for name, layer in network.named_modules():
        if isinstance(layer, nn.Conv2d):
            parent, _, last = name.rpartition(".")
            setattr(exact.get_submodule(parent), last, IntegerConv2d(layer))
    return exact.eval()
