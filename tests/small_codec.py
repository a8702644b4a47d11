"""A codec small enough for tests: started from the PCA of smooth noise and finished, never trained."""

import functools

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from nctutorial.codec.context import ContextModel
from nctutorial.codec.factorized import FactorizedCodec
from nctutorial.codec.hyperprior import HyperpriorCodec
from nctutorial.training.loop import start_from_pca


class SmallCodec(FactorizedCodec):
    def __init__(self):
        super().__init__(latent=24, wide=16, narrow=12, depth=(1, 1))


class SmallHyperprior(HyperpriorCodec):
    def __init__(self):
        context = ContextModel((4, 8, 12), hyper=3, wide=8, middle=8, inner=12)
        super().__init__(context, wide=16, narrow=12, depth=(1, 1))


def smooth_noise(height, width, seed=0):
    """uint8 (H, W, 3): noise blurred at two scales, so that a few principal components hold most of it."""
    rng = np.random.default_rng([seed, height, width])
    fine, coarse = (gaussian_filter(rng.normal(size=(height, width, 3)), (s, s, 0), mode="wrap") for s in (2, 12))
    return np.clip(128 + 150 * fine + 800 * coarse, 0, 255).round().astype(np.uint8)


def _made(kind):
    torch.manual_seed(1)
    codec = kind()
    start_from_pca(codec, [smooth_noise(160, 192, seed) for seed in range(4)], np.random.default_rng(0))
    for layer in (codec.analysis[-1], codec.synthesis[-1].conv):  # 0 so far: let the networks matter a little
        torch.nn.init.normal_(layer.weight, std=0.002)
    codec.finish()
    return codec.eval()


@functools.cache
def small_codec():
    return _made(SmallCodec)


@functools.cache
def small_hyperprior():
    return _made(SmallHyperprior)
