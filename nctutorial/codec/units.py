"""What encoder and decoder must agree on before the first bit: the grid of λ, and the fixed point of their integers.

Whatever selects a probability is an integer in one of the units below, so that any machine selects the same one.
"""

import itertools
import math

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

FIXED_POINT = 1 << 16  # quantiser steps, knots of the prior and spreads of y: units of 2^-16 of y
CDF_ONE = 1 << 30  # the integer cumulative runs from 0 to 2^30
TABLE_ONE = 1 << 22  # the counts of a probability table sum to about 2^22
DEADZONE_ONE = 256  # deadzones: units of 1/256 of a step
MEAN_ONE = 64  # predicted means: units of 1/64 of a step
NETWORK_ONE = 1 << 12  # weights and activations of integer networks: units of 2^-12

LAM_MIN, LAM_MAX = 0.001, 0.06
LAM_LAST = 4096  # λ lies on the grid LAM_MIN (LAM_MAX / LAM_MIN)^(i / LAM_LAST), i = 0 .. LAM_LAST
NODES = 65  # every 64th λ of the grid has a row of integer steps; the rows between are interpolated


def lam_index(lam: float) -> int:
    """The grid position nearest to λ. Raises ValueError outside [LAM_MIN, LAM_MAX]."""
    if not LAM_MIN * 0.999 <= lam <= LAM_MAX * 1.001:
        raise ValueError(f"lam must lie between {LAM_MIN} and {LAM_MAX}, not {lam}")
    return min(max(round(math.log(lam / LAM_MIN) / math.log(LAM_MAX / LAM_MIN) * LAM_LAST), 0), LAM_LAST)


def lam_at(index: int) -> float:
    """λ at a grid position."""
    return LAM_MIN * (LAM_MAX / LAM_MIN) ** (index / LAM_LAST)


def lam_text(index: int) -> str:
    """The shortest number that means the λ at a grid position."""
    texts = (f"{lam_at(index):.{digits}g}" for digits in itertools.count(1))
    return next(text for text in texts if lam_index(float(text)) == index)


def place_of(lam: Tensor) -> Tensor:
    """λ's place in its range, on a log scale: 0 at LAM_MIN, 1 at LAM_MAX. Any shape."""
    return torch.log(lam / LAM_MIN) / math.log(LAM_MAX / LAM_MIN)


def node_lams(device: torch.device) -> Tensor:
    """λ at the nodes: (NODES,)."""
    return torch.tensor([lam_at(i * LAM_LAST // (NODES - 1)) for i in range(NODES)], device=device)


def between_nodes(nodes: ArrayLike, index: int) -> np.ndarray:
    """Integers given at the nodes, (NODES, C), at a grid position: interpolated in integers. Returns (C,) int64."""
    width = LAM_LAST // (NODES - 1)
    left = min(index // width, NODES - 2)
    fraction = index - left * width
    a, b = np.asarray(nodes)[left : left + 2].astype(np.int64)
    return (a * (width - fraction) + b * fraction) // width
