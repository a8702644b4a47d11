"""Wrong answers to the exercises of chapter 01, each a mistake that a reader might make."""

import numpy as np


def wrong_1_1(variances, n):
    return 10 * np.log10(255**2 / np.sum(variances[n:]))  # summed, not per sample


def wrong_1_1_b(variances, n):
    return 10 * np.log10(255**2 / np.mean(variances[n:]))  # per number left out


def wrong_1_1_c(variances, n):
    return 10 * np.log10(255**2 / (np.sum(variances[n - 1 :]) / len(variances)))  # one too many


def wrong_1_1_d(variances, n):
    return 10 * np.log10(255**2 / (np.sum(variances[:n]) / len(variances)))  # what is kept


def wrong_1_1_e(variances, n):
    return 20 * np.log10(255**2 / (np.sum(variances[n:]) / len(variances)))


def wrong_1_2(B, S):
    return np.linalg.qr(B)[0]  # orthonormal, but any axes


def wrong_1_2_b(B, S):
    Q, _ = np.linalg.qr(B)
    return Q @ np.linalg.eigh(Q.T @ S @ Q)[1]  # the smallest first


def wrong_1_2_c(B, S):
    return np.linalg.eigh(S)[1][:, ::-1][:, : B.shape[1]]  # PCA, in another subspace


def wrong_1_2_d(B, S):
    return B @ np.linalg.eigh(B.T @ S @ B)[1][:, ::-1]  # without making B orthonormal first


def wrong_1_2_e(B, S):
    return np.linalg.svd(B, full_matrices=False)[0]  # the decoder's own axes


def wrong_1_3(S):
    return 0.5 * np.mean(np.log(np.diag(S)) - np.log(np.linalg.eigvalsh(S)))  # nats


def wrong_1_3_b(S):
    return 0.5 * np.sum(np.log2(np.diag(S)) - np.log2(np.linalg.eigvalsh(S)))  # of all numbers together


def wrong_1_3_c(S):
    return np.mean(np.log2(np.diag(S)) - np.log2(np.linalg.eigvalsh(S)))  # without the half


def wrong_1_3_d(S):
    return 0.5 * np.mean(np.log2(np.linalg.eigvalsh(S)) - np.log2(np.diag(S)))  # the sign


def wrong_1_3_e(S):
    return 0.5 * (np.log2(np.mean(np.diag(S))) - np.mean(np.log2(np.linalg.eigvalsh(S))))  # equal widths before
