"""Wrong answers to the exercises of chapter 08, by the mistake in them, which the checks must refuse."""

import numpy as np


def _entropy(p):
    return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1)


def _logarithm_of_zero(pmfs, weights):
    with np.errstate(divide="ignore", invalid="ignore"):
        return -(weights @ pmfs * np.log2(weights @ pmfs)).sum() + weights @ (pmfs * np.log2(pmfs)).sum(1)


def _pmf(scale):
    edge = (np.arange(-1000, 1002) - 0.5) / scale
    return np.diff(1 / (1 + np.exp(-np.clip(edge, -500, 500)))).clip(1e-300)


def _other_symbols(scale, used):
    p, q = _pmf(used), _pmf(scale)
    return (p * np.log2(p / q)).sum()


WRONG = {
    "8.1": {
        "nats": lambda pmfs, weights: np.log(2) * (_entropy(weights @ pmfs) - weights @ _entropy(pmfs)),
        "places weighted alike": lambda pmfs, weights: _entropy(pmfs.mean(0)) - _entropy(pmfs).mean(),
        "the logarithm of 0": _logarithm_of_zero,
        "what the place is worth at most": lambda pmfs, weights: _entropy(weights),
    },
    "8.2": {
        "the symbols follow the other one": _other_symbols,
        "the difference of entropies": lambda scale, used: _entropy(_pmf(used)) - _entropy(_pmf(scale)),
        "cross-entropy: what the symbols cost, not what they lose": lambda scale, used: (
            -(_pmf(scale) * np.log2(_pmf(used))).sum()
        ),
    },
    "8.3": {
        "signs of the weights left in": lambda weight, bias, m: int(
            ((2**m - np.abs(bias)) // np.maximum(np.abs(weight.sum(1)), 1)).min()
        ),
        "no bias": lambda weight, bias, m: int((2**m // np.abs(weight).sum(1)).min()),
        "one bound for the whole layer, as if all outputs were summed": lambda weight, bias, m: int(
            (2**m - np.abs(bias).max()) // np.abs(weight).sum()
        ),
    },
}
