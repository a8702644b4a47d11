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


def _upper_tail_lost(scale, used):
    """Section 2's logistic_pmf, and symbols of probability 0 left out."""
    edge = np.arange(-1000, 1002) - 0.5
    p, q = (np.diff(1 / (1 + np.exp(-np.clip(edge / s, -500, 500)))) for s in (scale, used))
    with np.errstate(divide="ignore"):
        return (p[p > 0] * np.log2(p[p > 0] / q[p > 0])).sum()


def _short(scale, used):
    p, q = _pmf(scale)[970:1031], _pmf(used)[970:1031]
    return (p * np.log2(p / q)).sum()


def _colours(shape):
    return np.add.outer(np.arange(shape[0]), np.arange(shape[1])) % 2 == 1


def _coded(k, alone, given, loud, black):
    loud = np.asarray(loud).astype(int)
    return -np.log2(alone[k[~black]]).sum(), -np.log2(given[loud[black], k[black]]).sum()


def _four(k):
    around = np.pad(k > 0, 1).astype(int)
    return around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]


def _around_the_edge(k, alone, given):
    loud = sum(np.roll(k > 0, step, axis).astype(int) for step in (1, -1) for axis in (0, 1)) > 0
    return _coded(k, alone, given, loud, _colours(k.shape))


def _all_eight(k, alone, given):
    around = np.pad(k > 0, 1).astype(int)
    h, w = k.shape
    total = sum(around[i : i + h, j : j + w] for i in range(3) for j in range(3)) - (k > 0)
    return _coded(k, alone, given, total > 0, _colours(k.shape))


def _means(k, alone, given):
    white, black = _coded(k, alone, given, _four(k) > 0, _colours(k.shape))
    return white / (~_colours(k.shape)).sum(), black / _colours(k.shape).sum()


def _in_nats(k, alone, given):
    return tuple(np.log(2) * bits for bits in _coded(k, alone, given, _four(k) > 0, _colours(k.shape)))


WRONG = {
    "8.1": {
        "nats": lambda pmfs, weights: np.log(2) * (_entropy(weights @ pmfs) - weights @ _entropy(pmfs)),
        "places weighted alike": lambda pmfs, weights: _entropy(pmfs.mean(0)) - _entropy(pmfs).mean(),
        "the logarithm of 0": _logarithm_of_zero,
        "what the place is worth at most": lambda pmfs, weights: _entropy(weights),
        "the wrong sign": lambda pmfs, weights: weights @ _entropy(pmfs) - _entropy(weights @ pmfs),
    },
    "8.2": {
        "the symbols follow the other one": _other_symbols,
        "the difference of entropies": lambda scale, used: _entropy(_pmf(used)) - _entropy(_pmf(scale)),
        "cross-entropy: what the symbols cost, not what they lose": lambda scale, used: (
            -(_pmf(scale) * np.log2(_pmf(used))).sum()
        ),
        "the upper tail is lost in floats": _upper_tail_lost,
        "30 symbols each way": _short,
        "nats": lambda scale, used: np.log(2) * (_pmf(scale) * np.log2(_pmf(scale) / _pmf(used))).sum(),
    },
    "8.3": {
        "signs of the weights left in": lambda weight, bias, m: int(
            ((2**m - np.abs(bias)) // np.maximum(np.abs(weight.sum(1)), 1)).min()
        ),
        "no bias": lambda weight, bias, m: int((2**m // np.abs(weight).sum(1)).min()),
        "one bound for the whole layer, as if all outputs were summed": lambda weight, bias, m: int(
            (2**m - np.abs(bias).max()) // np.abs(weight).sum()
        ),
        "below 2^m, though 2^m is exact": lambda weight, bias, m: int(
            ((2**m - 1 - np.abs(bias)) // np.abs(weight).sum(1)).min()
        ),
    },
    "8.4": {
        "the board goes on at the other side": _around_the_edge,
        "all eight neighbours, four of them black": _all_eight,
        "white in place of black": lambda k, alone, given: _coded(k, alone, given, _four(k) > 0, ~_colours(k.shape)),
        "means instead of sums": _means,
        "nats": _in_nats,
        "white squares look, too": lambda k, alone, given: (
            -np.log2(given[(_four(k) > 0).astype(int), k])[~_colours(k.shape)].sum(),
            _coded(k, alone, given, _four(k) > 0, _colours(k.shape))[1],
        ),
        "more than one loud neighbour is needed": lambda k, alone, given: _coded(
            k, alone, given, _four(k) > 1, _colours(k.shape)
        ),
        "the square itself": lambda k, alone, given: _coded(k, alone, given, k > 0, _colours(k.shape)),
    },
}
