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
    """KL(p || q): the symbols follow p, the pmf of `scale`; the coder believes in q, the pmf of `used`.

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

    The codec's layers are used with up to 2^19, which is 128 in real numbers; in float64 there is room to spare. In
    float32 the last layer of step 1 allows a few hundred units of 2^-12, less than 1 in real numbers: it would not do.
    """
    left = 2**m - np.abs(bias).astype(np.int64)
    return int((left // np.abs(weight).astype(np.int64).sum(axis=1)).min())
