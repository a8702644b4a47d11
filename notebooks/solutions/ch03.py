"""Solutions of the exercises of chapter 03."""

import math

import numpy as np
import torch


# Exercise 3.1
def two_boxes(t, width):
    """By (3), the share of (-width/2, width/2) that lies within 1/2 of t: the length of the overlap over the width.

    It is a trapezium; at width 1 a triangle. A narrow y gives nearly the box of the noise, a wide one nearly its own.
    """
    overlap = np.minimum(t + 0.5, width / 2) - np.maximum(t - 0.5, -width / 2)
    return np.maximum(overlap, 0) / width


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
    neither is torch.special.ndtr in single precision. Chapter 08 has a mean and a sigma for each single latent.
    """
    below = -(y - mean).abs()
    upper, lower = (torch.erfc(-(below + half) / sigma / math.sqrt(2)) / 2 for half in (0.5, -0.5))
    return -torch.log2((upper - lower).clamp_min(1e-9))
