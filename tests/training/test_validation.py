import math

import numpy as np
import pytest
import torch
from small_codec import SIZES, small_codec, small_model, smooth_noise
from torch import nn

from nctutorial.codec.units import LAM_MAX
from nctutorial.training import validation


@pytest.fixture(autouse=True)
def one_photo(monkeypatch):
    monkeypatch.setattr(validation, "photo_names", lambda split: ["a"])
    monkeypatch.setattr(validation, "photo", lambda name: smooth_noise(70, 90))


@pytest.mark.parametrize("kind", SIZES)
def test_validation_is_of_rounded_latents(kind):
    image, codec, model = smooth_noise(70, 90), small_codec(kind), small_model(kind)
    rows, dead = validation.validate(model)
    assert [row[0] for row in rows] == list(validation.LAMS)
    assert (np.diff([row[1:] for row in rows], axis=0) > 0).all()  # more bits, better pictures
    coded = codec.code(codec.analyze(image), LAM_MAX)
    assert rows[-1][1] == pytest.approx(coded.bits.sum() / (70 * 90), rel=0.05)
    mse = np.mean((coded.image.astype(float) - image) ** 2)
    assert rows[-1][2] == pytest.approx(10 * math.log10(255**2 / mse), abs=0.2)
    assert dead == 0 and not any(layer._forward_hooks for layer in model.modules())


def test_dead_units_are_counted():
    """Of the units of both transforms' blocks, 8 a block: those that say the same everywhere, loud or silent."""
    model = small_model()
    blocks = [
        layer for layer in model.modules() if isinstance(layer, nn.Sequential) and isinstance(layer[1], nn.LeakyReLU)
    ]
    assert len(blocks) == 3
    with torch.no_grad():
        for unit, bias in (0, 0.0), (3, 100.0), (5, -100.0):
            blocks[1][0].weight[unit] = 0
            blocks[1][0].bias[unit] = bias
    assert validation.validate(model)[1] == pytest.approx(3 / 24)
