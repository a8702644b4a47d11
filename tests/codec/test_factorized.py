from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_codec import small_codec, smooth_noise

from nctutorial import BitstreamError, data
from nctutorial.codec import units
from nctutorial.codec.factorized import (
    CONTRAST_TABLE,
    CONTRASTS,
    MIDDLE,
    LatentWithContrast,
    as_coded,
    differences,
    sums,
)
from nctutorial.codec.rangecoder import SymbolEncoder
from nctutorial.codec.rounding import Rounding
from nctutorial.codec.units import LAM_MAX, LAM_MIN

NEUTRAL = CONTRASTS.index(2**16)


@pytest.fixture(scope="module")
def small():
    return small_codec()


@pytest.fixture(scope="module")
def model(small):
    return small.model


def latent_of(model, height, width):
    with torch.no_grad():
        return model.analyze_tensor(data.to_tensor(smooth_noise(height, width)))


def contrast_factor(model, y):
    return torch.tensor(CONTRASTS)[model.contrast_of(y)][:, None, None, None] / 2**16


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
    y_hat, bits = model.relaxed(y, lam, Rounding("noise"))
    torch.manual_seed(0)
    noisy = as_coded(y * gain + torch.rand_like(y) - 0.5)
    expected = model.symbol_bits(noisy, gain * contrast_factor(model, y), torch.zeros_like(gain)).sum((1, 2, 3))
    torch.testing.assert_close(bits, expected)
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


# ---- the quantizer


@pytest.mark.parametrize("index", [0, 1024, MIDDLE])
def test_deadzone_is_where_both_symbols_cost_the_same(small, index):
    """bits(0) + 8.66 (1/2 + d)^2 = bits(1) + 8.66 (1/2 - d)^2, by the tables of the file."""
    _, deadzone = integers_at(small, index)
    tables = small.tables(index, NEUTRAL)
    k = np.tile([-1, 0, 1], (24, 1))
    below, zero, above = tables.bits(k).T
    one = -np.log2((2.0**-below + 2.0**-above) / 2)
    difference = zero + 8.66 * (0.5 + deadzone) ** 2 - one - 8.66 * (0.5 - deadzone) ** 2
    inside = (deadzone > 0) & (deadzone < 0.449) & (np.maximum(below, above) < 16)  # neither at its limit nor escaped
    assert inside.sum() > 3
    np.testing.assert_allclose(difference[inside], 0, atol=0.25)  # d is a whole number of 1/256
    assert not deadzone[:3].any()  # the tables of the DC channels are of differences


@given(st.integers(0, 2**32), st.floats(LAM_MIN, LAM_MAX))
def test_quantize_is_its_formula(seed, lam):
    small = small_codec()
    y = np.random.default_rng(seed).normal(0, 30, (24, 6)).astype(np.float32)
    symbols = small.quantize(LatentWithContrast(torch.from_numpy(y).view(1, 24, 2, 3), 20, 40, 0), lam)
    step, d = (each[:, None] for each in integers_at(small, symbols.lam_index))
    v = y / step
    expected = np.zeros_like(v)
    for k in range(1, int(np.abs(v).max()) + 2):  # symbol k begins at k - 1/2 + d
        expected[v >= k - 0.5 + d] = k
        expected[v <= -(k - 0.5 + d)] = -k
    edge = np.abs((np.abs(v) - d + 0.5) % 1)
    clear = (edge > 1e-4) & (edge < 1 - 1e-4)  # float32 may decide either way on an edge
    k = symbols.in_steps((slice(0, 2), slice(0, 3)))
    np.testing.assert_array_equal(k.reshape(24, 6)[clear], expected[clear])
    np.testing.assert_array_equal(symbols.values[3:], k[3:])
    np.testing.assert_array_equal(symbols.values[:3, :, 1:], np.diff(k[:3], axis=2))


def test_absurd_latents_are_clamped_and_survive(small):
    y = torch.zeros(1, 24, 1, 2)
    y[0, [0, 3], 0] = torch.tensor([1e9, -1e9])
    symbols = small.quantize(LatentWithContrast(y, 16, 32, 3), LAM_MAX)
    assert symbols.values[3].tolist() == [[16383, -16383]]
    assert symbols.values[0].tolist() == [[16383, -32766]]
    np.testing.assert_array_equal(small.decode(small.encode(symbols)).values, symbols.values)


# ---- the DC channels, in differences


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32))
def test_differences_are_those_of_a_loop_and_sums_take_them_back(h, w, seed):
    k = np.random.default_rng(seed).integers(-16383, 16384, (3, h, w)).astype(np.int32)
    expected = k.copy()
    for i in range(h):
        for j in range(w):
            if i or j:
                expected[:, i, j] -= k[:, i, j - 1] if j else k[:, i - 1, j]
    d = differences(torch.from_numpy(k))
    np.testing.assert_array_equal(d.numpy(), expected)
    np.testing.assert_array_equal(sums(d).numpy(), k)


def test_differences_that_add_up_to_no_symbol_are_refused(small):
    symbols = small.quantize(small.analyze(np.zeros((16, 48, 3), np.uint8)), 0.01)
    symbols.values[0] = 16000, 300, 83
    np.testing.assert_array_equal(small.decode(small.encode(symbols)).values, symbols.values)
    symbols.values[0, 0, 2] = 84  # each of them is a difference that may occur
    with pytest.raises(BitstreamError, match="colours"):
        small.decode(small.encode(symbols))


# ---- one contrast for a photo


@pytest.mark.parametrize("loudness", [0.7, 1.0, 3.0])
def test_the_contrast_is_the_one_with_the_fewest_bits(small, model, loudness):
    """In the floats of training: by the bits of the files' tables, of the locations that it is chosen from."""
    y = loudness * latent_of(model, 160, 192)
    contrast = int(model.contrast_of(y))
    some = LatentWithContrast(y[..., ::4, ::4].contiguous(), 48, 48, contrast)
    values = small.quantize(some, units.lam_at(MIDDLE)).values
    bits = np.array([small.tables(MIDDLE, c).bits(values)[3:].sum() for c in range(16)])
    assert 1 <= contrast <= 14 and bits[contrast] < bits[contrast - 1] and bits[contrast] < bits[contrast + 1]
    assert bits[contrast] <= 1.002 * bits.min()
    if loudness == 1:
        assert small.analyze(smooth_noise(160, 192)).contrast == contrast  # chosen in integers


def test_contrast_only_says_under_which_tables_symbols_are_coded(small):
    latent = small.analyze(smooth_noise(80, 96))
    files = [small.encode(small.quantize(replace(latent, contrast=c), 0.01)) for c in range(16)]
    decoded = [small.decode(file) for file in files]
    assert [each.contrast for each in decoded] == list(range(16))
    for each in decoded:
        np.testing.assert_array_equal(each.values, decoded[0].values)
    assert len(files[latent.contrast]) <= min(map(len, files)) + 8


@pytest.mark.parametrize("contrast", [2, NEUTRAL, 12])
@torch.no_grad()
def test_tables_of_a_contrast_are_those_of_the_stretched_prior(small, model, contrast):
    step, deadzone = integers_at(small, MIDDLE)
    k = np.tile([1, 2], (24, 1))
    ends = np.stack([k - 0.5, k + 0.5]) + deadzone[:, None]
    ends = torch.from_numpy(ends * step[:, None] * 2**16 / CONTRASTS[contrast]).float()[:, :, None]
    probability = 2.0 ** -small.tables(MIDDLE, contrast).bits(k)
    mass = model.prior.mass(*ends)[:, 0].numpy()
    common = mass > 1e-4
    assert common.sum() > 12
    np.testing.assert_allclose(probability[common], mass[common], rtol=0.05)


def test_a_contrast_that_there_is_not(small):
    encoder = SymbolEncoder()
    encoder.put(np.array([16]), np.array([1]), CONTRAST_TABLE)
    symbols = small.quantize(small.analyze(np.zeros((16, 16, 3), np.uint8)), 0.01)
    with pytest.raises(BitstreamError, match="contrast"):
        small.decode(small.pack(symbols, encoder.payload()))
