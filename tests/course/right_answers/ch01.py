"""Right answers to the exercises of chapter 01 that look different from the solutions."""

import math

import numpy as np
import scipy
import torch
from torch import nn


def symbol_by_symbol(k, seen, low, high):
    def price(symbol, counts):
        return -math.log2(counts[symbol] / sum(counts.values()))

    def table(symbols):
        counts = dict.fromkeys(range(low, high + 1), 1)
        for symbol in symbols:
            counts[symbol] += 1
        return counts

    flat = k.size * math.log(high + 1 - low, 2)
    all_rows = table(seen.ravel().tolist())
    one = sum(price(symbol, all_rows) for symbol in k.ravel().tolist())
    each = 0
    for row, others in zip(k.tolist(), seen.tolist(), strict=True):
        counts = table(others)
        each += sum(price(symbol, counts) for symbol in row)
    return flat, one, each


def by_histograms(k, seen, low, high):
    edges = np.arange(low, high + 2) - 0.5
    ours = np.array([np.histogram(row, edges)[0] for row in k])
    theirs = np.array([np.histogram(row, edges)[0] for row in seen])
    one = theirs.sum(axis=0) + 1
    each = theirs + 1
    return np.array(
        [
            ours.sum() * np.log2(len(edges) - 1),
            -np.sum(ours * np.log2(one / one.sum())),
            -np.sum(ours * np.log2(each / each.sum(axis=1, keepdims=True))),
        ]
    )


def in_torch(k, seen, low, high):
    k, seen = torch.from_numpy(k - low), torch.from_numpy(seen - low)
    size = high - low + 1
    counts = nn.functional.one_hot(seen, size).sum(1)
    one = torch.log2(counts.sum(0) + 1.0)
    each = torch.log2(counts + 1.0)
    one_bits = (math.log2(seen.numel() + size) - one[k]).sum()
    each_bits = (math.log2(seen.shape[1] + size) - each.gather(1, k)).sum()
    return [k.numel() * math.log2(size), one_bits, each_bits]


def generalised(B, S):
    return B @ scipy.linalg.eigh(B.T @ S @ B, B.T @ B)[1][:, ::-1]


def of_a_root(B, S):
    Q = np.linalg.svd(B, full_matrices=False)[0]
    return Q @ np.linalg.svd(Q.T @ np.linalg.cholesky(S))[0]


def projected(B, S):
    P = B @ np.linalg.pinv(B)
    return np.linalg.eigh(P @ S @ P)[1][:, ::-1][:, : B.shape[1]]


def sorted_afterwards(B, S):
    Q, _ = torch.linalg.qr(torch.from_numpy(B))
    variances, turn = torch.linalg.eigh(Q.T @ torch.from_numpy(S) @ Q)
    return -(Q @ turn[:, variances.argsort(descending=True)]).numpy()


def by_correlations(S):
    scales = np.sqrt(np.diag(S))
    return -0.5 * np.linalg.slogdet(S / np.outer(scales, scales))[1] / math.log(2) / len(S)


def by_cholesky(S):
    return np.mean(np.log2(np.sqrt(np.diag(S)))) - np.mean(np.log2(np.diag(np.linalg.cholesky(S))))


def new_layers(net, V, colour):
    hidden, centre = net.analysis[1].out_channels, 5 * (colour - 0.5)
    weight = V[:, :hidden].T.reshape(hidden, 3, 8, 8)
    net.analysis[1] = nn.Conv2d(3, hidden, 8, stride=8)
    net.synthesis[2] = nn.ConvTranspose2d(hidden, 3, 8, stride=8)
    net.analysis[1].weight = nn.Parameter(weight.clone())
    net.analysis[1].bias = nn.Parameter(-(V[:, :hidden].T @ centre.repeat_interleave(64)))
    net.synthesis[2].weight = nn.Parameter(weight.clone())
    net.synthesis[2].bias = nn.Parameter(centre.clone())
    return net


def measured(net, V, colour):
    for layer in (net.analysis[1], net.synthesis[2]):
        for j in range(layer.weight.shape[0]):
            layer.weight.data[j] = V[:, j].view(3, 8, 8)
    plain = colour.view(1, 3, 1, 1).expand(1, 3, 8, 8)
    with torch.no_grad():
        net.analysis[1].bias -= net.analysis[:2](plain).flatten()
        net.synthesis[2].bias += 5 * colour - 2.5
    return net


RIGHT = {
    "1.1": {"symbol by symbol": symbol_by_symbol, "histograms": by_histograms, "torch": in_torch},
    "1.2": {
        "a generalised eigenproblem": generalised,
        "singular vectors of a root of S": of_a_root,
        "a projected covariance": projected,
        "sorted afterwards, the other sign": sorted_afterwards,
    },
    "1.3": {
        "the determinant of the correlations": by_correlations,
        "Cholesky": by_cholesky,
        "the product of the eigenvalues": lambda S: (
            (np.log2(np.diag(S)).sum() - np.linalg.slogdet(S)[1] / np.log(2)) / (2 * len(S))
        ),
    },
    "1.4": {"new layers": new_layers, "one pattern after the other": measured},
}
