"""Checks of the exercises of chapter 01."""

import math

import numpy as np
import torch
from torch import nn

from nctutorial import toys

from . import exercise

LOW, HIGH = -7, 9


def bits(symbols, counts):
    """Of all symbols under one table. counts: of the integers from LOW on."""
    with np.errstate(divide="ignore"):
        return float(-np.log2(counts / counts.sum())[symbols.ravel() - LOW].sum())


def times(symbols):
    """How often each integer from LOW to HIGH occurs."""
    return np.bincount(symbols.ravel() - LOW, minlength=HIGH - LOW + 1)


@exercise("1.1")
def ex_1_1(price_lists):
    rng = np.random.default_rng(0)
    for n, blocks, others in ((4, 60, 90), (1, 300, 50)):
        scales = np.geomspace(2.5, 0.4, n)[:, None]
        k = np.clip(np.round(rng.normal(0, scales, (n, blocks))), -4, 5).astype(int)
        seen = np.clip(np.round(rng.normal(0.3, 0.8 * scales, (n, others))), -3, 6).astype(int)
        k[0, :2] = -6, 7  # two integers that are not in `seen`, and there are more which are in neither
        answer = np.asarray(price_lists(k.copy(), seen.copy(), LOW, HIGH), float)
        assert answer.shape == (3,), f"three numbers are wanted, (flat, one, each); you return {answer}"
        _check_flat(answer[0], k, seen)
        assert n == 1 or not math.isclose(answer[1], _each_row(k, seen)), "(flat, one, each) is the order"
        _check_one_table(answer[1], k, seen)
        _check_each_row(answer[2], k, seen)


def _each_row(k, seen, counts=lambda theirs, ours: theirs + 1):
    """The price under tables that `counts` makes of how often integers occur in a row of seen, and of k."""
    return sum(bits(row, counts(times(others), times(row))) for row, others in zip(k, seen, strict=True))


def _check_flat(given, k, seen):
    for mistake, size in (
        ("every integer from low to high has a price, not only those that occur in k", np.ptp(k) + 1),
        ("every integer from low to high has a price, not only those that occur in seen", np.ptp(seen) + 1),
        ("every integer from low to high has a price, whether it occurs or not", len(np.unique(k))),
        ("from low to high, ends included, there are high - low + 1 integers", HIGH - LOW),
    ):
        assert not math.isclose(given, k.size * math.log2(size)), f"flat: {mistake}"
    _check_bits("flat", given, k.size * math.log2(HIGH - LOW + 1), k)


IMPOSSIBLE = "an integer that `seen` lacks costs infinitely much; in the table each counts once more"
OF_K = "the table counts the integers in seen; yours counts those in k"
OF_SEEN = "that is the price of seen, not of k"
ONLY_MISSING = "you count only the integers that never occur once more; it should be every integer"


def _check_one_table(given, k, seen):
    theirs, ours = times(seen), times(k)
    assert given < math.inf, f"one table for all rows: {IMPOSSIBLE}"
    for mistake, wrong in (
        (OF_K, bits(k, ours)),
        (OF_K, bits(k, ours + 1)),
        (OF_SEEN, bits(seen, theirs + 1)),
        (ONLY_MISSING, bits(k, np.maximum(theirs, 1))),
        ("the place of the integer k in the table is k - low, not k", bits(k, np.roll(theirs + 1, -LOW))),
        ("each integer counts once more in the table, not once more for each row", bits(k, theirs + len(k))),
    ):
        right = bits(k, theirs + 1)
        assert not math.isclose(given, wrong) or math.isclose(wrong, right), f"one table for all rows: {mistake}"
    _check_bits("one table for all rows", given, bits(k, theirs + 1), k)


def _check_each_row(given, k, seen):
    assert given < math.inf, f"a table for each row: {IMPOSSIBLE}"
    right, size = _each_row(k, seen), HIGH - LOW + 1
    for mistake, wrong in (
        (OF_K, _each_row(k, seen, lambda theirs, ours: ours)),
        (OF_K, _each_row(k, seen, lambda theirs, ours: ours + 1)),
        (OF_SEEN, _each_row(seen, seen)),
        (ONLY_MISSING, _each_row(k, seen, lambda theirs, ours: np.maximum(theirs, 1))),
        (
            "the probabilities of each row sum to 1; divide its counts by their own sum",
            right + k.size * math.log2((seen.size + len(k) * size) / (seen.shape[1] + size)),
        ),
    ):
        assert not math.isclose(given, wrong) or math.isclose(wrong, right), f"a table for each row: {mistake}"
    _check_bits("a table for each row", given, right, k)


def _check_bits(name, given, right, k):
    for mistake, factor in (
        ("that is in nats: take log2", math.log(2)),
        ("that is per symbol; all symbols are wanted", 1 / k.size),
        ("that is in bytes", 1 / 8),
        ("that is in kB", 1 / 8000),
        ("the sign: a price is positive", -1),
    ):
        assert not math.isclose(given, factor * right, rel_tol=1e-6), f"{name}: {mistake}"
    assert math.isclose(given, right, rel_tol=1e-6), (
        f"{name}: for {k.size} symbols from {LOW} to {HIGH} you say {given:.2f} bits, it is {right:.2f}"
    )


def covariance(d, seed):
    """A covariance of d numbers with variances that differ and correlations that matter."""
    mix = np.random.default_rng(seed).normal(size=(d, d)) * np.geomspace(30, 1, d)
    return mix @ mix.T


@exercise("1.2")
def ex_1_2(tidy):
    for d, n, seed in ((12, 4, 0), (30, 3, 1), (9, 1, 2)):
        S = covariance(d, seed)
        B = np.random.default_rng(seed + 10).normal(size=(d, n))
        U = np.asarray(tidy(B.copy(), S.copy()))
        assert U.shape == (d, n), f"for B of shape {(d, n)} the axes have shape {U.shape}; they should have B's"
        assert np.allclose(U.T @ U, np.eye(n), atol=1e-8), "the columns are not perpendicular and of length 1"
        assert np.allclose(U @ (U.T @ B), B, atol=1e-8), "the columns do not span what the columns of B span"
        code = U.T @ S @ U
        others = np.abs(code - np.diag(code.diagonal())).max()
        assert others < 1e-6 * code.max(), f"the code is still correlated: beside the diagonal there is {others:.3g}"
        assert (np.diff(code.diagonal()) <= 0).all(), f"largest variance first, not {code.diagonal().round(1)}"


@exercise("1.3")
def ex_1_3(bits_saved):
    for rho in (0.9, 0.5):
        saved = float(bits_saved(np.array([[4.0, 2 * rho * 3], [2 * rho * 3, 9.0]])))
        right = -0.25 * math.log2(1 - rho**2)
        assert not math.isclose(saved, -right), "the sign: bits before minus bits after"
        assert not math.isclose(saved, right * math.log(2)), "that is in nats: take log2"
        assert not math.isclose(saved, 2 * right), (
            "twice too much: is the ½ of ½ log2 s² there, and is it per number, not for all of them together?"
        )
        assert math.isclose(saved, right, rel_tol=1e-6), (
            f"two numbers with correlation {rho}: you say {saved:.4g} bits each, it is {right:.4g}"
        )
    saved = float(bits_saved(np.diag([1.0, 5.0, 25.0])))
    assert abs(saved) < 1e-9, f"uncorrelated numbers are on PCA's axes already: 0 bits, not {saved:.3g}"
    S = covariance(40, 3)
    right = (np.log2(S.diagonal()).sum() - np.linalg.slogdet(S)[1] / math.log(2)) / 80
    saved = float(bits_saved(S))
    assert math.isclose(saved, right, rel_tol=1e-6), f"for a covariance of 40 numbers: {right:.4g}, not {saved:.4g}"


@exercise("1.4")
def ex_1_4(begin_at_pca):
    generator = torch.Generator().manual_seed(0)
    V = torch.linalg.qr(torch.randn(192, 192, generator=generator))[0]
    colour = torch.tensor([0.3, 0.7, 0.45])
    net = begin_at_pca(toys.Autoencoder(latent=5, hidden=12), V.clone(), colour.clone())
    assert isinstance(net, nn.Module), f"return the network, not a {type(net).__name__}"
    layers = {"analysis[1]": net.analysis[1], "synthesis[2]": net.synthesis[2]}
    for name, layer in layers.items():
        _check_patterns(f"net.{name}.weight", layer.weight.detach(), V)
        assert layer.weight.requires_grad and layer.bias.requires_grad, f"net.{name} would not learn any more"
    first, second = (layer.weight.data_ptr() for layer in layers.values())
    assert first != second, "both weights are one tensor: when one layer learns, the other changes; give each its own"
    with torch.no_grad():
        plain = colour[:, None, None].expand(1, 3, 8, 16)
        code = net.analysis(plain).abs().max().item()
        assert code < 1e-4, f"a picture of nothing but the colour should have the code 0; yours goes up to {code:.3g}"
        back = net.synthesis(torch.zeros(1, 5, 1, 2))
        assert torch.allclose(back, plain, atol=1e-5), (
            f"the code 0 should give back the colour {_rounded(colour)}; you give {_rounded(back.mean((0, 2, 3)))}"
        )
        x = torch.rand(2, 3, 16, 24, generator=generator)
        v = nn.functional.pixel_unshuffle(x - colour[:, None, None], 8)
        U = V[:, :5]
        right = nn.functional.pixel_shuffle(torch.einsum("di,ei,behw->bdhw", U, U, v), 8) + colour[:, None, None]
        error = (net(x) - right).abs().max().item()
        assert error < 1e-4, f"on random pictures the network differs from PCA by up to {error:.2g}"


def _check_patterns(name, weight, V):
    patterns, shape = V[:, :12].T, (12, 3, 8, 8)
    assert weight.shape == shape, f"{name} has shape {tuple(weight.shape)}; it should stay {shape}"
    for mistake, wrong in (
        ("still holds the patterns of the DCT", toys.dct_filters(12)),
        ("holds rows of V; the axes are its columns", V[:12]),
        ("holds the last columns of V; the axes of largest variance are the first", V[:, -12:].T),
        ("was reshaped before it was transposed, which tears the columns apart", V[:, :12]),
        ("has the pixels before the colours; a column has 64 numbers of red, then green, then blue", None),
        ("is multiplied by 5: the network multiplies already", 5 * patterns),
        ("is multiplied by 255: x goes from 0 to 1 here", 255 * patterns),
    ):
        if wrong is None:
            wrong = patterns.reshape(12, 8, 8, 3).permute(0, 3, 1, 2)
        assert not torch.allclose(weight, wrong.reshape(shape), atol=1e-6), f"{name} {mistake}"
    assert torch.allclose(weight, patterns.reshape(shape), atol=1e-6), f"{name} is not made of the first columns of V"


def _rounded(colour):
    return [round(value, 2) for value in colour.tolist()]
