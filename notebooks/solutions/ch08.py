"""Solutions of the exercises of chapter 08."""

import numpy as np


# Exercise 8.1
def worth_knowing(pmfs, weights):
    """The entropy of the mixture minus the mean of the entropies.

    It is 0 if all places are alike, and the entropy of the weights if no two places share a symbol, since then every
    symbol tells its place.
    """

    def entropy(p):
        return -(p * np.log2(np.where(p > 0, p, 1))).sum(-1)

    return entropy(weights @ pmfs) - weights @ entropy(pmfs)


# Exercise 8.2
def cost_of_wrong_scale(scale, used):
    """KL(P || Q): the symbols follow P, the pmf of `scale`; the coder believes in Q, the pmf of `used`.

    Off by e^(1/16), a symbol loses 0.004 bits at most: 0.24 % of its bits at a scale of 0.3, 0.14 % at 1, 0.07 % at 10.
    With 16 scales, off by e^(1/4) at worst, it would be 1 to 4 %.
    """
    upper = np.arange(1001) + 0.5

    def pmf(s):  # of 0, 1, 2, ...; the negative ones are as probable
        above = 1 / (1 + np.exp(np.minimum(upper / s, 700)))
        return np.append(1 - 2 * above[0], above[:-1] - above[1:])

    p, q = pmf(scale), pmf(used)
    seen = (p > 1e-30) & (q > 1e-300)
    once = (p * np.log2(np.where(seen, p, 1) / np.where(seen, q, 1)))[seen]
    return once[0] + 2 * once[1:].sum()


# Exercise 8.3
def largest_activation(weight, bias, m):
    """The worst signs make a sum of |w| A; with the bias it may reach 2^m. Each output has its bound, the least counts.

    In real numbers the bound for the layer of section 7 is A / 4096. In float64 it is far beyond the codec's 128; in
    float32 it is less than 1, and activations pass 1 all the time: float32 would not do.
    """
    left = 2**m - np.abs(bias).astype(np.int64)
    return int((left // np.abs(weight).astype(np.int64).sum(axis=1)).min())


# Exercise 8.4
def white_then_black(k, alone, given):
    """A board with a border of zeros has four neighbours everywhere; those of a black square are white.

    All eight neighbours would not do: the four diagonal ones of a black square are black, and the decoder does not
    have them. If given[0] and given[1] equal `alone`, knowing is worth nothing.
    """
    h, w = k.shape
    black = (np.arange(h)[:, None] + np.arange(w)) % 2 == 1
    around = np.pad(k > 0, 1)
    loud = around[:-2, 1:-1] | around[2:, 1:-1] | around[1:-1, :-2] | around[1:-1, 2:]
    white_bits = -np.log2(alone[k[~black]]).sum()
    black_bits = -np.log2(given[loud[black].astype(int), k[black]]).sum()
    return white_bits, black_bits
