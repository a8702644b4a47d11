import numpy as np
import pytest
import torch
from small_codec import small_hyperprior, small_model, smooth_noise

from nctutorial import data
from nctutorial.codec import CODECS, units
from nctutorial.codec.base import Latent
from nctutorial.codec.context import masks
from nctutorial.codec.transforms import places
from nctutorial.codec.units import LAM_MAX, MEAN_ONE


@pytest.fixture(scope="module")
def small():
    return small_hyperprior()


def test_quantize_is_its_formula():
    """sign(d) floor(|d| + 1/2 - deadzone) around the means that a file is decoded with; nothing at scale 0."""
    model = small_model("hyperprior")
    model.context.heads[-1][-1].bias.detach()[-6:] = -9  # the log scales of six channels: far below a step
    small = CODECS[model.kind][1].finish(model)
    latent = small.analyze(smooth_noise(96, 80))
    symbols = small.decode(small.encode(small.quantize(latent, 0.02)))
    assert (symbols.scales[-6:] == 0).all() and (symbols.scales[:-6] > 0).all() and symbols.means.any()
    step = units.between_nodes(small.step, symbols.lam_index) / units.FIXED_POINT
    d = latent.y[0].numpy() / step[:, None, None] - symbols.means / MEAN_ONE
    deadzone = small.model.deadzone.numpy()[symbols.scales] / 256
    size = np.abs(d) + 0.5 - deadzone
    expected = np.sign(d) * np.floor(size) * (symbols.scales > 0)
    clear = np.abs(size - size.round()) > 1e-3  # float32 may decide either way on an edge
    np.testing.assert_array_equal(symbols.values[clear], expected[clear])


def test_values_outside_all_tables_survive(small):
    latent = small.analyze(smooth_noise(40, 56))
    symbols = small.quantize(Latent(latent.y * 1e6, 40, 56), LAM_MAX)
    assert np.abs(symbols.values).max() == 2**15 - 1
    decoded = small.decode(small.encode(symbols))
    for name in ("values", "means", "scales", "hyper"):
        np.testing.assert_array_equal(getattr(decoded, name), getattr(symbols, name))


def test_bits_are_placed_where_they_are_spent(small):
    symbols = small.quantize(small.analyze(smooth_noise(90, 130)), 0.01)
    y, z = small.bits_apart(symbols)
    assert y.shape == (6, 9) and z.shape == symbols.hyper.shape[1:] == (2, 3)
    whole = small.bits(symbols)
    np.testing.assert_allclose(whole.sum(), y.sum() + z.sum())
    np.testing.assert_allclose((whole - y)[:4, :4], z[0, 0] / 16)
    np.testing.assert_allclose((whole - y)[4:, 8:], z[1, 2] / 2)  # below the last z there are only 2 x 1 locations


def test_in_training_the_rate_is_that_of_the_symbols_and_all_heads_learn():
    """Means learn from noisy symbols, whose bits are not in the rate."""
    model, lam = small_model("hyperprior"), torch.tensor([0.002])
    model.hyper_prior.bits = lambda low, high: 0 * low  # those of z are of noisy symbols
    y = model.analyze_tensor(data.to_tensor(smooth_noise(96, 80))).detach()
    coded = model.eval().relaxed(y, lam)[1].item()
    bits = model.train().relaxed(y, lam)[1]
    assert bits.item() == pytest.approx(coded, rel=1e-5)
    bits.backward()
    for head in model.context.heads:
        assert all(half.any() for half in head[-1].weight.grad.chunk(2)), "of means and of scales"


@torch.no_grad()
def test_noisy_symbols_are_those_of_the_formula():
    """One pass by hand: the rate is of y / step - mean + u, the picture of rounded symbols, without a deadzone."""
    model, lam = small_model("hyperprior").eval(), torch.tensor([0.01])
    y = model.analyze_tensor(data.to_tensor(smooth_noise(64, 64)))
    seen = []
    predict = model.context.predict
    model.context.predict = lambda *args: seen.append(predict(*args)) or seen[-1]
    torch.manual_seed(0)
    y_hat, bits = model.relaxed(y, lam, noisy=True)
    torch.manual_seed(0)
    gain = model.at_lam(model.log_gain, lam)[0]
    units, expected = model.unit[:, None, None] * gain, 0.0
    rebuilt = torch.zeros_like(y[0])
    for (first, last, mask), (mean, log_scale) in zip(model.context.passes, seen, strict=True):
        mean, scale = mean[0] * units[first:last], log_scale[0].exp() * units[first:last]
        d = (y[0] * gain)[first:last] - mean
        t = d + torch.rand_like(d[None])[0] - 0.5
        logistic = torch.special.expit
        mass = logistic((t + 0.5) / scale).double() - logistic((t - 0.5) / scale).double()
        where = masks(4, 4)[mask]
        expected += (-mass.log2() * where).sum().item()
        rebuilt[first:last] += (d.round() + mean) * where
    z = model.context.hyper_latent(y / model.unit[:, None, None], places(lam))
    g = model.at_lam(model.log_hyper_gain, lam)
    t = (z * g).round()
    side_information = model.hyper_prior.bits((t - 0.5) / g, (t + 0.5) / g).sum().item()
    assert bits.item() == pytest.approx(expected + side_information, rel=1e-3)
    torch.testing.assert_close(y_hat[0], rebuilt * model.at_lam(model.log_inverse_gain, lam)[0], rtol=1e-3, atol=1e-3)
