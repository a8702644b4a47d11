"""Wrong answers to the exercises of chapter 01, by the mistake in them, which the checks must refuse."""

import math

import numpy as np
import torch


def bits(symbols, counts, low):
    with np.errstate(divide="ignore"):
        return -np.log2(counts / counts.sum())[symbols.ravel() - low].sum()


def lists(
    k,
    seen,
    low,
    high,
    flat=lambda k, seen, low, high: high - low + 1,
    one=lambda count, own, n: count + 1,
    each=lambda count, own: count + 1,
):
    """The answer with one part of it replaced: how many integers the flat list has, the counts of the tables."""

    def times(symbols):
        return np.bincount(symbols.ravel() - low, minlength=high - low + 1)

    return (
        k.size * math.log2(flat(k, seen, low, high)),
        bits(k, one(times(seen), times(k), len(k)), low),
        sum(bits(row, each(times(other), times(row)), low) for row, other in zip(k, seen, strict=True)),
    )


def but(**parts):
    return lambda k, seen, low, high: lists(k, seen, low, high, **parts)


def scaled(factor):
    return lambda k, seen, low, high: np.array(lists(k, seen, low, high)) * factor


def per_symbol(k, seen, low, high):
    return np.array(lists(k, seen, low, high)) / k.size


def price_of_seen(k, seen, low, high):
    return lists(k, seen, low, high)[0], *lists(seen, seen, low, high)[1:]


def one_sum_for_all_rows(k, seen, low, high):
    flat, one, each = lists(k, seen, low, high)
    size = high - low + 1
    return flat, one, each + k.size * math.log2(len(seen) * (seen.shape[1] + size) / (seen.shape[1] + size))


def from_zero(k, seen, low, high):
    """The place of an integer in the table is the integer itself: Python counts negative ones from the end."""
    counts = np.bincount(seen.ravel() - low, minlength=high - low + 1) + 1
    flat, _, each = lists(k, seen, low, high)
    return flat, -np.log2(counts / counts.sum())[k].sum(), each


def smallest_first(B, S):
    Q, _ = np.linalg.qr(B)
    return Q @ np.linalg.eigh(Q.T @ S @ Q)[1]


def begin(net, V, colour, patterns=None, bias=None, centre=None):
    """The right answer, but for what is given: functions for the patterns, the first bias and the second."""
    blocks, back = net.analysis[1], net.synthesis[2]
    hidden = len(blocks.weight)
    weight = V[:, :hidden].T.reshape(hidden, 3, 8, 8)
    right = 5 * colour - 2.5
    with torch.no_grad():
        for layer in (blocks, back):
            layer.weight.copy_(patterns(V, hidden).reshape(hidden, 3, 8, 8) if patterns else weight)
        blocks.bias.copy_(bias(weight, colour) if bias else -weight.sum((2, 3)) @ right)
        back.bias.copy_(centre(colour) if centre else right)
    return net


def starting(**parts):
    return lambda net, V, colour: begin(net, V, colour, **parts)


def no_biases(net, V, colour):
    return begin(net, V, colour, bias=lambda weight, colour: torch.zeros(len(weight)), centre=torch.zeros_like)


def analysis_only(net, V, colour):
    before = net.synthesis[2].weight.detach().clone()
    net = begin(net, V, colour)
    net.synthesis[2].weight.data.copy_(before)
    return net


def shared(net, V, colour):
    net = begin(net, V, colour)
    net.synthesis[2].weight.data = net.analysis[1].weight.data
    return net


def frozen(net, V, colour):
    return begin(net, V, colour).requires_grad_(False)


WRONG = {
    "1.1": {
        "flat over what occurs in k": but(flat=lambda k, seen, low, high: np.ptp(k) + 1),
        "flat over what occurs in seen": but(flat=lambda k, seen, low, high: np.ptp(seen) + 1),
        "flat over the different integers in k": but(flat=lambda k, seen, low, high: len(np.unique(k))),
        "one integer too few": but(flat=lambda k, seen, low, high: high - low),
        "one table, of k": but(one=lambda count, own, n: own + 1),
        "one table, of k, as it is": but(one=lambda count, own, n: own),
        "a table for each row, of k": but(each=lambda count, own: own + 1),
        "tables of k, as in the chapter": but(one=lambda count, own, n: own, each=lambda count, own: own),
        "nothing added": but(one=lambda count, own, n: count, each=lambda count, own: count),
        "added for each row": but(one=lambda count, own, n: count + n),
        "added where nothing was": but(one=lambda count, own, n: np.maximum(count, 1)),
        "added where nothing was, in each row": but(each=lambda count, own: np.maximum(count, 1)),
        "a very small number added": but(one=lambda count, own, n: count + 1e-9),
        "one sum for all rows": one_sum_for_all_rows,
        "the price of seen": price_of_seen,
        "places from zero": from_zero,
        "nats": scaled(math.log(2)),
        "kB": scaled(1 / 8000),
        "per symbol": per_symbol,
        "the sign": scaled(-1),
        "the two tables the other way round": lambda k, seen, low, high: np.array(lists(k, seen, low, high))[[0, 2, 1]],
        "two of three": lambda k, seen, low, high: lists(k, seen, low, high)[1:],
    },
    "1.2": {
        "orthonormal, but any axes": lambda B, S: np.linalg.qr(B)[0],
        "the smallest first": smallest_first,
        "PCA, in another subspace": lambda B, S: np.linalg.eigh(S)[1][:, ::-1][:, : B.shape[1]],
        "B is not made orthonormal first": lambda B, S: B @ np.linalg.eigh(B.T @ S @ B)[1][:, ::-1],
        "the decoder's own axes": lambda B, S: np.linalg.svd(B, full_matrices=False)[0],
    },
    "1.3": {
        "nats": lambda S: 0.5 * np.mean(np.log(np.diag(S)) - np.log(np.linalg.eigvalsh(S))),
        "of all numbers together": lambda S: 0.5 * np.sum(np.log2(np.diag(S)) - np.log2(np.linalg.eigvalsh(S))),
        "without the half": lambda S: np.mean(np.log2(np.diag(S)) - np.log2(np.linalg.eigvalsh(S))),
        "the sign": lambda S: 0.5 * np.mean(np.log2(np.linalg.eigvalsh(S)) - np.log2(np.diag(S))),
        "equal widths before": lambda S: 0.5 * (np.log2(np.mean(np.diag(S))) - np.mean(np.log2(np.linalg.eigvalsh(S)))),
    },
    "1.4": {
        "rows of V": starting(patterns=lambda V, hidden: V[:hidden]),
        "the last columns": starting(patterns=lambda V, hidden: V[:, -hidden:].T),
        "not transposed": starting(patterns=lambda V, hidden: V[:, :hidden]),
        "colours last": starting(
            patterns=lambda V, hidden: V[:, :hidden].T.reshape(hidden, 8, 8, 3).permute(0, 3, 1, 2)
        ),
        "five times": starting(patterns=lambda V, hidden: 5 * V[:, :hidden].T),
        "255 times": starting(patterns=lambda V, hidden: 255 * V[:, :hidden].T),
        "the patterns in another order": starting(patterns=lambda V, hidden: V[:, :hidden].T.flip(0)),
        "the analysis only": analysis_only,
        "no biases": no_biases,
        "the sign of the first bias": starting(
            bias=lambda weight, colour: weight.sum((2, 3)) @ (5 * colour - 2.5),
        ),
        "the first bias forgets the factor 5": starting(
            bias=lambda weight, colour: -weight.sum((2, 3)) @ (colour - 0.5)
        ),
        "the first bias takes the pixels' mean": starting(
            bias=lambda weight, colour: -weight.mean((2, 3)) @ (5 * colour - 2.5)
        ),
        "the colour itself as the second bias": starting(centre=lambda colour: colour),
        "both weights are one tensor": shared,
        "cannot learn any more": frozen,
        "the layer in place of the network": lambda net, V, colour: V,
    },
}
