"""Wrong answers to the exercises of chapter 01, by the mistake in them, which the checks must refuse."""

import numpy as np


def smallest_first(B, S):
    Q, _ = np.linalg.qr(B)
    return Q @ np.linalg.eigh(Q.T @ S @ Q)[1]


WRONG = {
    "1.1": {
        "summed, not per sample": lambda variances, n: 10 * np.log10(255**2 / np.sum(variances[n:])),
        "per number left out": lambda variances, n: 10 * np.log10(255**2 / np.mean(variances[n:])),
        "one too many left out": lambda variances, n: (
            10 * np.log10(255**2 / (np.sum(variances[n - 1 :]) / len(variances)))
        ),
        "what is kept": lambda variances, n: 10 * np.log10(255**2 / (np.sum(variances[:n]) / len(variances))),
        "20 log of a power": lambda variances, n: 20 * np.log10(255**2 / (np.sum(variances[n:]) / len(variances))),
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
}
