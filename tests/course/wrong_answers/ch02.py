"""Answers to chapter 02's exercises that its checks must refuse."""

import numpy as np
import torch
from scipy.stats import norm


def wrong_2_1(step):  # the law for real numbers
    return step**2 / 12


def wrong_2_1_b(step):  # right for odd steps only
    return (step**2 - 1) / 12


def wrong_2_1_c(step):  # right for even steps only
    return (step**2 + 2) / 12


def _gap(step, log, mse):
    k = np.arange(-60, 61)
    p = norm.cdf((k + 0.5) * step) - norm.cdf((k - 0.5) * step)
    p = p[p > 0]
    return -np.sum(p * log(p)) - 0.5 * log(1 / mse)


def wrong_2_2(step):  # trusts the law at coarse steps
    return _gap(step, np.log2, step**2 / 12)


def wrong_2_2_b(step):  # nats
    v = np.linspace(-9, 9, 20_001)
    mse = np.sum(norm.pdf(v) * np.square(np.round(v / step) * step - v)) / norm.pdf(v).sum()
    return _gap(step, np.log, mse)


def wrong_2_2_c(step):  # the limit for fine steps, always
    return 0.5 * np.log2(2 * np.pi * np.e / 12)


def wrong_2_3(s, alpha):  # forgets the interval
    return torch.atanh((2 * np.tanh(alpha / 2) * s).clamp(-0.999, 0.999)) / alpha


def wrong_2_3_b(s, alpha):  # the identity is the inverse for small alpha only
    return s


def wrong_2_4(v, step, delta):  # no dead zone
    return np.round(v / step).astype(int)


def wrong_2_4_b(v, step, delta):  # moves the borders inwards
    return (np.sign(v) * np.floor(np.abs(v) / step + 0.5 + delta)).astype(int)


def wrong_2_4_c(v, step, delta):  # widens the zero and leaves the other borders where they were
    return np.where(np.abs(v) < (0.5 + delta) * step, 0, np.round(v / step)).astype(int)
