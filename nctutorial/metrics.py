"""Distortion and rate: MSE, PSNR, MS-SSIM, bits per pixel, and the Bjøntegaard rate difference.

Images are uint8 (H, W, 3). Averages over images are taken outside: PSNR and BD-rate are per image first.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from scipy.interpolate import PchipInterpolator

MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang et al. 2003, finest scale first
MS_SSIM_MIN_SIDE = 161  # five scales of an 11-tap window need more than 10 * 2**4 pixels


def mse(a: np.ndarray, b: np.ndarray) -> float:
    """Mean squared error per sample on the 0..255 scale. Raises ValueError if the shapes differ."""
    _check_shapes(a, b)
    difference = np.subtract(a, b, dtype=np.int32)  # integers: exact, and four times faster than float64
    return float(np.square(difference).sum(dtype=np.int64)) / difference.size


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Peak signal-to-noise ratio in dB over all RGB samples; inf if the images are equal."""
    error = mse(a, b)
    return 10 * math.log10(255**2 / error) if error else math.inf


def bpp(n_bytes: int, image_or_shape: np.ndarray | Sequence[int]) -> float:
    """Bits per pixel of the original image: 8 n_bytes / (H W). Takes the image or its shape (H, W, ...)."""
    height, width = getattr(image_or_shape, "shape", image_or_shape)[:2]
    return 8 * n_bytes / (height * width)


def ms_ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003), 1 if equal; mean of R, G and B.

    The usual five scales need sides of 161 pixels or more. A smaller image is continued by its mirror images up to
    161 pixels first, so that any H, W >= 1 can be measured. Raises ValueError if the shapes differ.
    """
    _check_shapes(a, b)
    missing = [(0, max(0, MS_SSIM_MIN_SIDE - side)) for side in a.shape[:2]]
    both = np.concatenate([a, b], axis=2)
    if min(a.shape[:2]) < MS_SSIM_MIN_SIDE:
        both = np.pad(both, [*missing, (0, 0)], mode="symmetric")
    with torch.inference_mode():
        # Channels last and all channels in one convolution: five times faster than image by image.
        xy = torch.from_numpy(both).permute(2, 0, 1)[None].float()
        result = torch.ones(3)
        for scale, weight in enumerate(MS_SSIM_WEIGHTS):
            luminance, contrast_structure = _ssim_maps(xy)
            if scale == len(MS_SSIM_WEIGHTS) - 1:
                contrast_structure = luminance * contrast_structure
            result *= contrast_structure.mean((0, 2, 3)).relu() ** weight
            xy = F.avg_pool2d(xy, 2, padding=[side % 2 for side in xy.shape[2:]])
    return min(1.0, float(result.mean()))


def _check_shapes(a: np.ndarray, b: np.ndarray) -> None:
    if np.shape(a) != np.shape(b):
        raise ValueError(f"the images have different shapes: {np.shape(a)} and {np.shape(b)}")


def _ssim_maps(xy: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, 6, H, W), two images on 0..255 -> the two factors of SSIM, each (1, 3, H - 10, W - 10).

    The window is Gaussian: 11 taps, sigma 1.5, no padding.
    """
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    x, y = (xy - 128).chunk(2, dim=1)  # centred, so that float32 variances stay exact
    moments = torch.cat([x, y, x * x + y * y, x * y], dim=1).contiguous(memory_format=torch.channels_last)
    taps = torch.exp(-(torch.arange(-5.0, 6.0) ** 2) / (2 * 1.5**2))
    taps = (taps / taps.sum()).expand(12, 1, 1, 11).contiguous()
    rows = F.conv2d(moments, taps, groups=12)
    mx, my, square, product = F.conv2d(rows, taps.transpose(2, 3).contiguous(), groups=12).chunk(4, dim=1)
    contrast_structure = (2 * (product - mx * my) + c2) / (square - mx * mx - my * my + c2)
    mx, my = mx + 128, my + 128
    return (2 * mx * my + c1) / (mx * mx + my * my + c1), contrast_structure


def bd_rate(rate_ref: ArrayLike, psnr_ref: ArrayLike, rate: ArrayLike, psnr: ArrayLike) -> float:
    """Bjøntegaard delta rate: the mean rate difference to the reference at equal quality, in percent.

    -10 means 10 % fewer bits. Each argument is a sequence; rates in any one unit. log(rate) is
    interpolated over PSNR by PCHIP (monotone, so it cannot overshoot as the cubic of Bjøntegaard 2001
    does) and the difference averaged over the PSNRs that both curves cover.
    Raises ValueError if a curve has fewer than two points, does not increase, or they do not overlap.
    """
    reference, other = _log_rate(rate_ref, psnr_ref), _log_rate(rate, psnr)
    low = max(reference.x[0], other.x[0])
    high = min(reference.x[-1], other.x[-1])
    if low >= high:
        raise ValueError("the two curves have no quality in common: measure them over a wider range")
    difference = (other.integrate(low, high) - reference.integrate(low, high)) / (high - low)
    return 100 * math.expm1(difference)


def _log_rate(rate: ArrayLike, quality: ArrayLike) -> PchipInterpolator:
    rate, quality = np.asarray(rate, float), np.asarray(quality, float)
    if rate.shape != quality.shape or rate.ndim != 1 or len(rate) < 2:
        raise ValueError("a rate-distortion curve needs two points or more, one quality to each rate")
    if not (np.isfinite(rate).all() and np.isfinite(quality).all() and (rate > 0).all()):
        raise ValueError("rates must be finite and above 0, qualities finite")
    order = np.argsort(rate)
    rate, quality = rate[order], quality[order]
    if not ((np.diff(rate) > 0).all() and (np.diff(quality) > 0).all()):
        raise ValueError("a rate-distortion curve must increase: more bits, better quality")
    return PchipInterpolator(quality, np.log(rate))
