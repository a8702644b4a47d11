"""Checks of the exercises of chapter 05."""

import math

import numpy as np
import torch

from . import exercise


@exercise("5.1")
def ex_5_1(floor_bpp):
    zero = 0.5 * math.log2(2 * math.pi)  # bits of a symbol 0
    found = float(floor_bpp(32, 8))
    assert not math.isclose(found, zero * math.log(2) / 2, rel_tol=1e-3), "that is in nats"
    assert not math.isclose(found, zero * 32, rel_tol=1e-3), "that is per location; a location covers stride² pixels"
    assert not math.isclose(found, zero * 4, rel_tol=1e-3), "a location covers stride pixels each way: stride² in all"
    assert math.isclose(found, zero / 2, rel_tol=1e-3), f"for 32 channels at stride 8 you have {found:.3f}, not 0.663"
    for channels, stride in ((64, 8), (320, 16), (1, 1)):
        expected = zero * channels / stride**2
        assert math.isclose(floor_bpp(channels, stride), expected, rel_tol=1e-3), (
            f"for {channels} channels at stride {stride} the floor is {expected:.3f} bpp"
        )


@exercise("5.2")
def ex_5_2(mixture_pmf):
    weights, locations = torch.tensor([0.7, 0.2, 0.1]), torch.tensor([0.0, 3.5, -6.0])
    scales = torch.tensor([0.4, 1.5, 1.0])
    k = torch.arange(-60.0, 61)
    found = mixture_pmf(k, weights, locations, scales)
    assert isinstance(found, torch.Tensor) and found.shape == k.shape, f"return a tensor of shape {tuple(k.shape)}"

    def exact(k, j):  # with the tail on the side where it is small
        a, b = (k - 0.5 - locations[j].item()) / scales[j].item(), (k + 0.5 - locations[j].item()) / scales[j].item()
        a, b = np.where(a > 0, -b, a), np.where(a > 0, -a, b)
        return 1 / (1 + np.exp(-b)) - 1 / (1 + np.exp(-a))

    expected = sum(weights[j].item() * exact(k.double().numpy(), j) for j in range(3))
    found = found.double().numpy()
    total = found.sum()
    assert abs(total - 1) < 1e-3, f"the probabilities sum to {total:.3f}; are they masses of intervals of length 1?"
    middle = np.abs(k.numpy()) < 8
    assert np.allclose(found[middle], expected[middle], rtol=1e-3, atol=1e-7), (
        "near the middle the masses are not right"
    )
    assert found[k.numpy() < 0].min() > 0, "in the lower tail a probability is 0: its symbol could not be coded"
    assert found.min() > 0, "in the upper tail a probability is 0: both sigmoids have been rounded to 1"
    assert np.allclose(found, expected, rtol=1e-2, atol=0), "far from the middle the masses are not accurate to 1 %"


@exercise("5.3")
def ex_5_3(quantile):
    def logistic(location, scale):
        return lambda y: 0.5 * (1 + math.tanh((y - location) / scale / 2))

    for location, scale in ((0, 1), (3, 0.01), (-40, 5), (9000, 300), (0.01, 1e-4)):
        for p in (1e-6, 0.1, 0.5, 0.999):
            calls = []

            def cumulative(y, location=location, scale=scale, calls=calls):
                calls.append(y)
                assert len(calls) <= 1000, "1000 values of the cumulative and no end: halve an interval instead"
                return logistic(location, scale)(y)

            expected = location + scale * math.log(p / (1 - p))
            found = float(quantile(cumulative, p))
            assert abs(found - expected) < 2e-6 + 1e-9 * abs(expected), (
                f"the {p:g} quantile of a density around {location}, {scale} wide, is {expected:.6f}, not {found:.6f}"
            )
