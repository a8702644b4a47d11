"""Wrong answers to the exercises of chapter 04, which the checks must refuse."""

import math

import numpy as np


def wrong_4_1(beta):
    """Forgets that rates are in bits."""
    return 3 / (2 * beta * 255**2)


def wrong_4_1_b(beta):
    """Forgets that a pixel has three samples."""
    return 1 / (2 * beta * 255**2 * math.log(2))


def wrong_4_1_c(beta):
    """β the wrong way up."""
    return 3 * beta / (2 * 255**2 * math.log(2))


def wrong_4_2(x, x_hat, bits, lam):
    """b = 1/λ: the unit factor is missing."""
    rd = bits / (x.numel() / 3) + lam * 255 * (x - x_hat).abs().mean()
    return rd, rd + 3 * math.log2(2 / lam)


def wrong_4_2_b(x, x_hat, bits, lam):
    """Squared error, as in the text."""
    rd = bits / (x.numel() / 3) + lam * 255**2 * (x - x_hat).square().mean()
    return rd, rd


def wrong_4_2_c(x, x_hat, bits, lam):
    """The constant of one sample, not of a pixel."""
    rd = bits / (x.numel() / 3) + lam * 255 * (x - x_hat).abs().mean()
    return rd, rd + math.log2(2 * 3 / (255 * lam * math.log(2)))


def wrong_4_3(y, width):
    """Forgets the variance of the box."""
    return -np.log2(width) + (y**2 / 2 + math.log(2 * math.pi) / 2) / math.log(2)


def wrong_4_3_b(y, width):
    """Nats."""
    return -math.log(width) + (y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2


def wrong_4_3_c(y, width):
    """Forgets log q."""
    return ((y**2 + width**2 / 12) / 2 + math.log(2 * math.pi) / 2) / math.log(2)
