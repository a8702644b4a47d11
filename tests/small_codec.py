"""Codecs small enough for tests: started from the PCA of smooth noise and finished, never trained."""

import copy
import functools

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from nctutorial.codec import CODECS
from nctutorial.data import to_tensor
from nctutorial.training.start import start_from_pca

SIZES = {
    "factorized": {"latent": 24, "channels": 12, "hidden": 8, "depth": (2, 1)},
    "hyperprior": {"slices": (4, 8, 12), "hyper": 3, "wide": 8, "middle": 8, "inner": 12}
    | {"channels": 12, "hidden": 8, "depth": (2, 1)},
}


def smooth_noise(height, width, seed=0):
    """uint8 (H, W, 3): noise blurred at two scales, so that a few principal components hold most of it."""
    rng = np.random.default_rng([seed, height, width])
    fine, coarse = (gaussian_filter(rng.normal(size=(height, width, 3)), (s, s, 0), mode="wrap") for s in (2, 12))
    return np.clip(128 + 150 * fine + 800 * coarse, 0, 255).round().astype(np.uint8)


def smooth_crops(count, side=128):
    """Crops of such noise, for a start: (count, 3, side, side)."""
    return torch.cat([to_tensor(smooth_noise(side, side, seed)) for seed in range(count)])


@functools.cache
def small_codec(kind="factorized"):
    torch.manual_seed(1)
    model = CODECS[kind][0](**SIZES[kind])
    start_from_pca(model, smooth_crops(24))
    return CODECS[kind][1].finish(model)


def small_hyperprior():
    return small_codec("hyperprior")


def small_model(kind="factorized"):
    """What the small codec was made of, to be trained or changed: a new copy with each call, in training mode."""
    return copy.deepcopy(small_codec(kind).model).requires_grad_(True).train()
