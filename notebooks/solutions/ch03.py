"""Solutions of the exercises of chapter 03."""

import math

import numpy as np
import torch


# Exercise 3.1
def overpaid(cdf):
    """The mean entropy over all grids, less that of the grid at 0. This is equation (3) at the points k + o.

    For a uniform y, the density of y + u is the overlap of two boxes: a triangle for w = 1, a trapezium for 2 and 3.
    The results are 0.72, -0.14 and 0.24 bits. For w = 2 noise pays less. Our grid has its borders at -1/2 and 1/2 and
    cuts (-1, 1) into a quarter, a half and a quarter: 1.5 bits. The grid that is moved by 1/2 cuts it into two halves:
    1 bit. Ours is the worst of all grids, so the mean lies below it.
    """
    k = np.arange(-40, 41)

    def entropy(o):
        pmf = cdf(k + o + 0.5) - cdf(k + o - 0.5)
        pmf = pmf[pmf > 0]
        return -np.sum(pmf * np.log2(pmf))

    offsets = (np.arange(50) + 0.5) / 50 - 0.5
    return np.mean([entropy(o) for o in offsets]) - entropy(0)


# Exercise 3.2
def staircase_slope(f, y):
    """Equation (1) asks nothing of its function, so it holds for f(round(·)) too: the difference of its values at the
    two integers around y.

    For (k - 0.3)² it is -1.6 below 0 and 0.4 above: descent goes to y = 0, the middle of the best cell, and stays.
    """
    return f(np.round(y + 0.5)) - f(np.round(y - 0.5))


# Exercise 3.3
def dithered(y, u):
    """k = round(y + u) and y_hat = k - u. The error is that of rounding y + u, so it lies within 1/2; and as y + u is
    spread evenly over a cell whatever y is, the error is uniform and independent of y.

    y_hat is distributed like y + noise: training and use see the same. The price is section 4's: the file takes the
    mean of the rates over all grids, and the error is 1/12 for every latent, also for those near 0.
    """
    k = np.round(y + u)
    return k, k - u


# Exercise 3.4
def normal_bits(y, mean, sigma):
    """The formula of the logistic with another cumulative, the same mirror, and the same floor.

    The mirror is of no use if the cumulative itself is not accurate where it is small: erfc is, 1 + erf is not, and
    neither is torch.special.ndtr in single precision. Without the floor, at y = 20, even erfc is 0 in single precision:
    the bits are infinite and the gradient is nan.
    """
    below = -(y - mean).abs()
    upper, lower = (torch.erfc(-(below + half) / sigma / math.sqrt(2)) / 2 for half in (0.5, -0.5))
    return -torch.log2((upper - lower).clamp_min(1e-9))
