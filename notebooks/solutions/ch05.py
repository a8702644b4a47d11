"""Solutions of the exercises of chapter 05."""

import math

import torch


# Exercise 5.1
def floor_bpp(channels, stride):
    """A 0 costs −log2 of the density at 0, ½ log2 2π = 1.33 bits, and there are channels / stride² latents for a pixel.

    64 channels at stride 8 could not go below 1.33 bpp, 320 at stride 16 not below 1.66. A learned prior has no such
    floor: it gives a probability near 1 to the zeros of a channel that is hardly used.
    """
    return 0.5 * math.log2(2 * math.pi) * channels / stride**2


# Exercise 5.2
def mixture_pmf(k, weights, locations, scales):
    """The weighted sum of the components' interval masses, each computed on the side where sigmoids are small.

    The difference of the two weighted sums would be right on paper, and 0 in the upper tail.
    """
    upper = (k[:, None] + 0.5 - locations) / scales  # (N, J)
    lower = (k[:, None] - 0.5 - locations) / scales
    sign = torch.where(upper + lower > 0, -1.0, 1.0)
    mass = (torch.sigmoid(sign * upper) - torch.sigmoid(sign * lower)).abs()
    return (weights * mass).sum(1)


# Exercise 5.3
def quantile(cumulative, probability):
    """Double until the answer is inside, then bisect; 100 halvings reach the precision of a float from anywhere."""
    low, high = -1.0, 1.0
    while cumulative(low) > probability:
        low *= 2
    while cumulative(high) < probability:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        if cumulative(middle) < probability:
            low = middle
        else:
            high = middle
    return high
