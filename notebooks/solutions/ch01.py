"""Solutions of the exercises of chapter 01."""

import numpy as np
import torch


# Exercise 1.1
def price_lists(k, seen, low, high):
    """A table is made of `seen` alone, and read at the symbols of k.

    The panda's wide code at 27 dB, in kB: flat 693, one table 33.4, a table for each row 18.2. With its own tables it
    was 693, 33.1 and 16.8 in section 5. So the list that knows most about other photos also loses most, though
    little. Its 18.2 kB are near the 17.6 kB of the file, which carries its own tables; these need not be sent.
    """

    def bits(symbols, others):
        counts = np.bincount(others.ravel() - low, minlength=high - low + 1) + 1
        return -np.log2(counts / counts.sum())[symbols.ravel() - low].sum()

    flat = k.size * np.log2(high - low + 1)
    each = sum(bits(row, others) for row, others in zip(k, seen, strict=True))
    return flat, bits(k, seen), each


# Exercise 1.2
def tidy(B, S):
    """First any orthonormal basis U, then PCA inside the subspace: the eigenvectors of the small covariance UᵀSU.

    Turning U by them makes the covariance of the code diagonal. Up to the signs the result agrees with the first
    columns of V within 0.0002: the trained B held all of PCA, only mixed.
    """
    U, _ = np.linalg.qr(B)
    _, turn = np.linalg.eigh(U.T @ S @ U)
    return U @ turn[:, ::-1]


# Exercise 1.3
def bits_saved(S):
    """½ log2 of the diagonal minus ½ log2 of the eigenvalues, on average: never negative, by Hadamard's inequality.

    For the training blocks 3.7 bits per number; the panda at a step of 2 saves 4.2. That is the photo: its own
    covariance gives 4.3. Next to nothing is left for densities that are not normal.
    """
    return 0.5 * np.mean(np.log2(np.diag(S)) - np.log2(np.linalg.eigvalsh(S)))


# Exercise 1.4
def begin_at_pca(net, V, colour):
    """Columns of V as patterns. For the biases: both layers see the colour as 5 colour - 2.5.

    What the first layer makes of that colour everywhere, it must take away; the second must add the colour itself.
    After 300 steps the network is 0.1 to 0.2 dB ahead of PCA on the panda. Its first step is PCA, but then it
    may use its neighbours, which no matrix for a single block can.
    """
    blocks, patterns = net.analysis[1], net.synthesis[2]
    hidden = len(blocks.weight)
    weight = V[:, :hidden].T.reshape(hidden, 3, 8, 8)
    centre = 5 * colour - 2.5
    with torch.no_grad():
        blocks.weight.copy_(weight)
        blocks.bias.copy_(-weight.sum((2, 3)) @ centre)
        patterns.weight.copy_(weight)
        patterns.bias.copy_(centre)
    return net
