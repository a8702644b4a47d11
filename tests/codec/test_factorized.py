import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_codec import small_codec, smooth_noise

from nctutorial import data
from nctutorial.codec import units
from nctutorial.codec.base import Latent
from nctutorial.codec.units import LAM_LAST, LAM_MAX, LAM_MIN


@pytest.fixture(scope="module")
def small():
    return small_codec()


@pytest.fixture(scope="module")
def model(small):
    return small.model


def latent_of(model, height, width):
    with torch.no_grad():
        return model.analyze_tensor(data.to_tensor(smooth_noise(height, width)))


def integers_at(codec, index):
    """Steps and deadzones at a grid position of λ, in y and in steps: two (M,)."""
    step, deadzone = (units.between_nodes(nodes, index) for nodes in (codec.step, codec.deadzone))
    return step / 2**16, deadzone / 256


# ---- the relaxed rate


@torch.no_grad()
def test_without_a_deadzone_noise_is_for_the_rate_and_rounding_for_the_picture(model):
    y, lam = latent_of(model, 48, 32), torch.tensor([0.004])
    gain = model.at_lam(model.log_gain, lam)
    torch.manual_seed(0)
    y_hat, bits = model.relaxed(y, lam, noisy=True)
    torch.manual_seed(0)
    noisy = y * gain + torch.rand_like(y) - 0.5
    torch.testing.assert_close(bits, model.symbol_bits(noisy, gain, torch.zeros_like(gain)).sum((1, 2, 3)))
    torch.testing.assert_close(y_hat, (y * gain).round() * model.at_lam(model.log_inverse_gain, lam))


@torch.no_grad()
def test_noisy_bits_are_those_of_an_interval_of_y(model):
    """-log2 of the mass of what shrinks to (t - 1/2, t + 1/2), at one t by hand, in float64."""
    t, gain, deadzone = torch.tensor([[0.2, -1.4], [0.3, 1.5], [0.25, 0.1]])
    bits = model.symbol_bits(*(v[:, None, None, None].expand(2, 24, 1, 1) for v in (t, gain, deadzone)))
    # 0.2 -+ 1/2 = -0.3, 0.7 come from v = -0.55, 0.95; -1.4 -+ 1/2 = -1.9, -0.9 from -2.0, -1.0
    for b, ends in enumerate([(-0.55 / 0.3, 0.95 / 0.3), (-2.0 / 1.5, -1.0 / 1.5)]):
        mass = torch.sigmoid(model.prior.logits(torch.tensor(ends).expand(24, 1, 2)).double()).diff()
        assert bits[b].sum().item() == pytest.approx(-torch.log2(mass).sum().item(), rel=1e-4)


# ---- the quantizer and the tables


@pytest.mark.parametrize("index", [0, 1024, 2048])
def test_deadzone_is_where_both_symbols_cost_the_same(small, index):
    """bits(0) + 8.66 (1/2 + d)^2 = bits(1) + 8.66 (1/2 - d)^2, by the tables of the file."""
    _, deadzone = integers_at(small, index)
    below, zero, above = small.tables(index).bits(np.tile([-1, 0, 1], (24, 1))).T
    one = -np.log2((2.0**-below + 2.0**-above) / 2)
    difference = zero + 8.66 * (0.5 + deadzone) ** 2 - one - 8.66 * (0.5 - deadzone) ** 2
    inside = (deadzone > 0) & (deadzone < 0.449) & (np.maximum(below, above) < 16)  # neither at its limit nor escaped
    assert inside.sum() > 3
    np.testing.assert_allclose(difference[inside], 0, atol=0.25)  # d is a whole number of 1/256


@pytest.mark.parametrize("index", [0, 1000, LAM_LAST])
@torch.no_grad()
def test_tables_are_those_of_the_prior(small, model, index):
    step, deadzone = integers_at(small, index)
    k = np.tile([1, 2], (24, 1))
    ends = torch.from_numpy((np.stack([k - 0.5, k + 0.5]) + deadzone[:, None]) * step[:, None]).float()[:, :, None]
    probability, mass = 2.0 ** -small.tables(index).bits(k), model.prior.mass(*ends)[:, 0].numpy()
    common = mass > 1e-4
    assert common.sum() > 12
    np.testing.assert_allclose(probability[common], mass[common], rtol=0.05)


@given(st.integers(0, 2**32), st.floats(LAM_MIN, LAM_MAX))
def test_quantize_is_its_formula(seed, lam):
    small = small_codec()
    y = np.random.default_rng(seed).normal(0, 30, (24, 6)).astype(np.float32)
    symbols = small.quantize(Latent(torch.from_numpy(y).view(1, 24, 2, 3), 20, 40), lam)
    step, d = (each[:, None] for each in integers_at(small, symbols.lam_index))
    v = y / step
    expected = np.zeros_like(v)
    for k in range(1, int(np.abs(v).max()) + 2):  # symbol k begins at k - 1/2 + d
        expected[v >= k - 0.5 + d] = k
        expected[v <= -(k - 0.5 + d)] = -k
    edge = np.abs((np.abs(v) - d + 0.5) % 1)
    clear = (edge > 1e-4) & (edge < 1 - 1e-4)  # float32 may decide either way on an edge
    np.testing.assert_array_equal(symbols.values.reshape(24, 6)[clear], expected[clear])


def test_absurd_latents_are_clamped_and_survive(small):
    y = torch.zeros(1, 24, 1, 2)
    y[0, 3, 0] = torch.tensor([1e9, -1e9])
    symbols = small.quantize(Latent(y, 16, 32), LAM_MAX)
    assert symbols.values[3].tolist() == [[32767, -32767]]
    np.testing.assert_array_equal(small.decode(small.encode(symbols)).values, symbols.values)
