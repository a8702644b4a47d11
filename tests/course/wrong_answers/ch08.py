"""Wrong answers to the exercises of chapter 08, which the checks must refuse."""

import numpy as np


def _entropy(p):
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1)


def wrong_8_1(pmfs, weights):
    """Nats."""
    return np.log(2) * (_entropy(weights @ pmfs) - weights @ _entropy(pmfs))


def wrong_8_1_b(pmfs, weights):
    """Places weighted alike."""
    return _entropy(pmfs.mean(0)) - _entropy(pmfs).mean()


def wrong_8_1_c(pmfs, weights):
    """The logarithm of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return -(weights @ pmfs * np.log2(weights @ pmfs)).sum() + weights @ (pmfs * np.log2(pmfs)).sum(1)


def wrong_8_1_d(pmfs, weights):
    """What the place is worth at most."""
    return _entropy(weights)


def _pmf(scale):
    edge = (np.arange(-1000, 1002) - 0.5) / scale
    return np.diff(1 / (1 + np.exp(-np.clip(edge, -500, 500)))).clip(1e-300)


def wrong_8_2(scale, used):
    """The symbols follow the other one."""
    p, q = _pmf(used), _pmf(scale)
    return (p * np.log2(p / q)).sum()


def wrong_8_2_b(scale, used):
    """The difference of entropies."""
    return _entropy(_pmf(used)) - _entropy(_pmf(scale))


def wrong_8_2_c(scale, used):
    """Cross-entropy: what the symbols cost, not what they lose."""
    return -(_pmf(scale) * np.log2(_pmf(used))).sum()


def wrong_8_3(weight, bias, m):
    """Signs of the weights left in."""
    return int(((2**m - np.abs(bias)) // np.maximum(np.abs(weight.sum(1)), 1)).min())


def wrong_8_3_b(weight, bias, m):
    """No bias."""
    return int((2**m // np.abs(weight).sum(1)).min())


def wrong_8_3_c(weight, bias, m):
    """One bound for the whole layer, as if all outputs were summed."""
    return int((2**m - np.abs(bias).max()) // np.abs(weight).sum())
