"""Right answers to the exercises of chapter 08 that look different from the solutions; the checks must accept them."""

import math

import numpy as np
import torch


def _mean_divergence(pmfs, weights):
    mixture = weights @ pmfs
    return sum(
        weight * pmf[k] * math.log2(pmf[k] / mixture[k])
        for weight, pmf in zip(weights, pmfs, strict=True)
        for k in range(len(mixture))
        if pmf[k] > 0
    )


def _entropies_of_the_pair(pmfs, weights):
    """H(K) + H(place) - H(both)."""

    def entropy(p):
        p = p[p > 0]
        return -(p * np.log2(p)).sum()

    return entropy(weights @ pmfs) + entropy(weights) - entropy(weights[:, None] * pmfs)


def _lower_tail_mirrored(scale, used):
    k = np.arange(-1000, 1001)

    def pmf(s):
        edge = -np.abs(k)
        return [
            1 / (1 + math.exp(min(-(e + 0.5) / s, 700))) - 1 / (1 + math.exp(min(-(e - 0.5) / s, 700))) for e in edge
        ]

    return sum(p * math.log2(p / q) for p, q in zip(pmf(scale), pmf(used), strict=True) if p > 1e-250 and q > 0)


def _log_probabilities(scale, used):
    """log P(k) = log sinh(1 / 2s) - log(cosh(k / s) + cosh(1 / 2s)), which never ends in 0."""
    k = torch.arange(-1000, 1001).double()

    def log_pmf(s):
        half = torch.tensor(0.5 / s, dtype=torch.float64)
        log_sinh = half + torch.log1p(-torch.exp(-2 * half))
        cosh_k, cosh_half = (torch.logaddexp(a, -a) for a in (k / s, half))
        return log_sinh - torch.logaddexp(cosh_k, cosh_half)

    p, q = log_pmf(scale), log_pmf(used)
    return (p.exp() * (p - q)).sum().item() / math.log(2)


def _by_search(weight, bias, m):
    low, high = 0, 2**m
    while high - low > 1:
        middle = (low + high) // 2
        fits = all(
            sum(abs(int(w)) for w in row) * middle + abs(int(b)) <= 2**m for row, b in zip(weight, bias, strict=True)
        )
        low, high = (middle, high) if fits else (low, middle)
    return low


def _square_by_square(k, alone, given):
    white, black = 0.0, 0.0
    h, w = k.shape
    for i in range(h):
        for j in range(w):
            if (i + j) % 2 == 0:
                white -= math.log2(alone[k[i, j]])
                continue
            largest = max(k[a, j] for a in (i - 1, i + 1) if 0 <= a < h)
            largest = max([largest] + [k[i, b] for b in (j - 1, j + 1) if 0 <= b < w])
            black -= math.log2(given[1 if largest else 0][k[i, j]])
    return white, black


def _by_torch(k, alone, given):
    kernel = torch.tensor([[0.0, 1, 0], [1, 0, 1], [0, 1, 0]])[None, None]
    loud = torch.nn.functional.conv2d(torch.tensor(k > 0).float()[None, None], kernel, padding=1)[0, 0] > 0
    bits = -torch.log2(torch.tensor(given, dtype=torch.float32)[loud.long(), torch.tensor(k)])
    black = (torch.arange(k.shape[0])[:, None] + torch.arange(k.shape[1])) % 2 == 1
    own = -torch.log2(torch.tensor(alone, dtype=torch.float32)[torch.tensor(k)])
    return own[~black].sum(), bits[black].sum()


RIGHT = {
    "8.1": {"the mean divergence": _mean_divergence, "three entropies": _entropies_of_the_pair},
    "8.2": {"the lower tail, mirrored": _lower_tail_mirrored, "logarithms throughout": _log_probabilities},
    "8.3": {"a search": _by_search, "a float that is whole": lambda *layer: float(_by_search(*layer))},
    "8.4": {"square by square": _square_by_square, "a convolution in single precision": _by_torch},
}
