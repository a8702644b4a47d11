"""Solutions of chapter 02's exercises."""

import numpy as np
import torch


# Exercise 2.1
def integer_error(step):
    """For an odd step the errors of a bin are -(step-1)/2 to (step-1)/2, each once: their mean square is
    (step^2 - 1)/12. For an even step there are step/2 - 1 errors to either side, one 0, and one integer exactly
    between two bins, which is off by step/2 whichever way it goes: the mean square is (step^2 + 2)/12.

    For steps much larger than 1 both become step^2/12: the grid of the data is then fine against the step.
    """
    return (step**2 - 1) / 12 if step % 2 else (step**2 + 2) / 12


# Exercise 2.2
def gap_to_shannon(step):
    """H from differences of the normal cumulative, the error from a fine grid of v.

    For fine steps the gap tends to log2(2 pi e / 12)/2 = 0.2546 bit, which is 1.53 dB: what the best quantizers of
    many numbers at once could still save. It is largest, 0.46 bit, near a step of 2.3: a decoder that answers with the
    middle of a bin wastes what it knows about the density within the bin. At still coarser steps nearly all becomes 0,
    which costs nothing, and Shannon's limit for an error of 1, the variance, is 0 as well.
    """
    from scipy.stats import norm

    k = np.arange(-int(12 / step) - 2, int(12 / step) + 3)
    p = norm.cdf((k + 0.5) * step) - norm.cdf((k - 0.5) * step)
    p = p[p > 0]
    bits = -np.sum(p * np.log2(p))
    v = np.linspace(-9, 9, 100_001)
    weight = norm.pdf(v) / norm.pdf(v).sum()
    mse = np.sum(weight * np.square(np.round(v / step) * step - v))
    return bits - 0.5 * np.log2(1 / mse)


# Exercise 2.3
def soft_round_inverse(s, alpha):
    """Soft rounding keeps y between the same two integers, so floor(s) + 1/2 is the same middle; then undo the scale
    and the tangent.

    In float32 with alpha = 40, y = 0.1 becomes exactly 0.0, and the inverse says -inf: it is lost. y = 0.4 becomes
    0.0003 and comes back. Only what lies near the middle between two integers can still be hidden, and the more alpha
    grows, the nearer it must be: hence a large last alpha.
    """
    middle = torch.floor(s) + 0.5
    return middle + torch.atanh(2 * np.tanh(alpha / 2) * (s - middle)) / alpha


# Exercise 2.4
def ste_deadzone(y, delta):
    """Round magnitudes, with the borders moved outwards: floor(|y| + 1/2 - delta). Then y + (k - y), the bracket
    detached, has the value k and the gradient of the first y.

    In section 5's example y comes to rest at the border between 0 and 1, which is now at 0.7; the integers are still
    0.3 on average. On the DCT coefficients with a step of 16, delta = 0.15 saves 0.16 bit a pixel for 0.8 dB. A step
    of 18 without a dead zone has the same PSNR and saves 0.10 bit: the dead zone is better.
    """
    k = torch.sign(y) * torch.floor(y.abs() + 0.5 - delta)
    return y + (k - y).detach()
