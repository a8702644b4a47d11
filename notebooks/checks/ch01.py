"""Checks of the exercises of chapter 01."""

import math

import numpy as np

from . import exercise


def covariance(d, seed):
    """A covariance of d numbers with variances that differ and correlations that matter."""
    mix = np.random.default_rng(seed).normal(size=(d, d)) * np.geomspace(30, 1, d)
    return mix @ mix.T


@exercise("1.1")
def ex_1_1(psnr_of_pca):
    rng = np.random.default_rng(0)
    for d, n in ((192, 8), (192, 1), (12, 11)):
        variances = np.sort(rng.exponential(size=d) * np.geomspace(5000, 1, d))[::-1]
        psnr = float(psnr_of_pca(variances.copy(), n))
        for what, error in (
            ("that is the PSNR of an error summed over the block; D is per sample", variances[n:].sum()),
            ("that divides by the numbers left out; D is per sample of the block", variances[n:].mean()),
            ("the n-th eigenvalue is kept, the first that is left out is variances[n]", variances[n - 1 :].sum() / d),
            ("that is the variance which is kept; the error is what is left out", variances[:n].sum() / d),
        ):
            assert not math.isclose(psnr, 10 * math.log10(255**2 / error), rel_tol=1e-9), what
        right = 10 * math.log10(255**2 / (variances[n:].sum() / d))
        assert math.isclose(psnr, right, rel_tol=1e-6), (
            f"blocks of {d} samples, n = {n}: you say {psnr:.2f} dB, it is {right:.2f}"
        )


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
