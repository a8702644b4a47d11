"""Wrong answers to the exercises of chapter 00, each a mistake that a reader might make."""

import math

import numpy as np


def wrong_0_1(r_a, d_a, r_b, d_b):
    return (d_a - d_b) / (r_b - r_a)  # the wrong way up


def wrong_0_1_b(r_a, d_a, r_b, d_b):
    return (r_a - r_b) / (d_a - d_b)  # the sign


def wrong_0_1_c(r_a, d_a, r_b, d_b):
    return (r_a + r_b) / (d_a + d_b)


def wrong_0_2(k):
    return np.diff(k, axis=1)  # one column too few


def wrong_0_2_b(k):
    return k - np.roll(k, 1, axis=1)  # the left neighbour of the first is not the last


def wrong_0_2_c(k):
    return np.diff(k, axis=1, prepend=k[:, :1])  # the first column is lost


def wrong_0_2_d(k):
    return np.diff(k, axis=1, prepend=0)  # the first column is not compared with the entry above


def wrong_0_3(lam):
    return math.sqrt(6 / (lam * math.log(2)))  # one sample a pixel


def wrong_0_3_b(lam):
    return math.sqrt(18 / lam)  # natural logarithm


def wrong_0_3_c(lam):
    return 18 / (lam * math.log(2))


def wrong_0_3_d(lam):
    return math.sqrt(12 / lam)
