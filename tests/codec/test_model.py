import copy

import numpy as np
import pytest
import torch
from small_codec import SIZES, small_codec, small_model, smooth_noise
from torch.utils.flop_counter import FlopCounterMode

from nctutorial import data
from nctutorial.codec import CODECS, units
from nctutorial.codec.units import LAM_LAST

pytestmark = pytest.mark.parametrize("kind", SIZES)


def test_every_parameter_learns(kind):
    model, x = small_model(kind), data.to_tensor(smooth_noise(96, 96)).repeat(2, 1, 1, 1)
    x_hat, bits = model(x, torch.tensor([0.002, 0.05]), noisy=True)
    assert x_hat.shape == x.shape and bits.shape == (2,)
    (bits.sum() + 1e4 * (x_hat - x).square().mean()).backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and p.grad.isfinite().all() and p.grad.any(), name


@pytest.mark.parametrize("index", [0, 2048, LAM_LAST])  # nodes of the deadzones, of which training takes the nearest
def test_training_sees_the_symbols_that_are_coded_and_their_bits(kind, index):
    """The hyperprior codec's means and scales are rounded in files: the picture is nearly the same there."""
    codec, image, lam = small_codec(kind), smooth_noise(96, 80), units.lam_at(index)
    colour = image.reshape(6, 16, 5, 16, 3).mean((1, 3)).repeat(16, axis=0).repeat(16, axis=1)
    image = (image - 0.7 * (colour - 128)).clip(0, 255).astype(np.uint8)  # nothing beyond the untrained tables
    symbols = codec.quantize(codec.analyze(image), lam)
    with torch.no_grad():
        x_hat, bits = codec.model(data.to_tensor(image), torch.tensor([lam]))
    error = np.abs(data.to_uint8(x_hat).astype(int) - codec.reconstruct(symbols)).mean()
    assert error <= {"factorized": 0, "hyperprior": 1.5}[kind]
    tolerance = {"factorized": 0.002, "hyperprior": 0.03}[kind]
    assert bits.item() == pytest.approx(codec.bits(symbols).sum(), rel=tolerance)


@pytest.mark.parametrize("noisy", [True, False])
def test_chance_is_for_training_and_for_noisy_symbols(kind, noisy):
    model = small_model(kind).eval()
    y, lam = model.analyze_tensor(data.to_tensor(smooth_noise(96, 80))), torch.tensor([0.01])
    with torch.no_grad():
        first, second = (model.relaxed(y, lam, noisy)[1].item() for _ in range(2))
        assert (first == second) != noisy
        model.train()  # a hyper-latent is noisy now, however y is rounded
        first, second = (model.relaxed(y, lam, noisy)[1].item() for _ in range(2))
        assert (first == second) == (kind == "factorized" and not noisy)


@torch.no_grad()
def test_a_lam_beyond_the_range_is_trained_with(kind):
    model, x = small_model(kind), data.to_tensor(smooth_noise(64, 64)).repeat(2, 1, 1, 1)
    for noisy in (True, False):
        x_hat, bits = model(x, torch.tensor([0.0008, 0.075]), noisy)
        assert x_hat.isfinite().all() and bits[1] > bits[0] > 0


def test_finish_takes_a_copy(kind):
    model = small_model(kind)
    before, codec = copy.deepcopy(model.state_dict()), CODECS[model.kind][1].finish(model, rounding_cost=4.0)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(p.requires_grad for p in model.parameters()) and model.training
    deadzone = codec.model.deadzone
    assert not any(p.requires_grad for p in codec.model.parameters()) and not codec.model.training
    assert (deadzone >= before["deadzone"]).all() and (deadzone > before["deadzone"]).any()  # an error costs fewer bits


def test_the_bundled_sizes_keep_to_their_budget(kind):
    """Thousand multiplications a pixel of all networks of encoder and decoder, counted by torch; and megabytes."""
    model, x, place = CODECS[kind][0](), torch.zeros(1, 3, 256, 256), torch.zeros(1, 2, 1, 1)
    y, z, side, lam = torch.zeros(1, 320, 16, 16), torch.zeros(1, 48, 4, 4), torch.zeros(1, 128, 16, 16), torch.ones(1)

    def thousands(*functions):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for function in functions:
                function()
        return counter.get_total_flops() / 2 / 256**2 / 1000

    encoder, decoder = [lambda: model.analyze_tensor(x)], [lambda: model.synthesize_tensor(y, lam)]
    if kind == "hyperprior":
        predict = [lambda i=i: model.context.predict(i, side, y, place) for i in range(len(model.context.passes))]
        predict.append(lambda: model.context.side(z, place, 16, 16))
        encoder += [lambda: model.context.hyper_latent(y, place), *predict]
        decoder += predict
    assert 10 < thousands(*encoder) <= 25 and 9 < thousands(*decoder) <= 15
    assert len(CODECS[kind][1].finish(model).to_bytes()) <= 10e6
