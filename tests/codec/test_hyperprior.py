"""The hyperprior codec: what it codes is what it decodes, its estimates are its bytes, its contexts are causal."""

import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import logistic
from small_codec import SmallHyperprior, small_codec, small_hyperprior, smooth_noise
from torch.utils.flop_counter import FlopCounterMode

from nctutorial import BitstreamError, data, metrics
from nctutorial.codec import bitstream, priors
from nctutorial.codec.context import ContextModel, masks
from nctutorial.codec.hyperprior import HyperpriorCodec, hyper_shape
from nctutorial.codec.units import LAM_LAST, LAM_MAX, LAM_MIN, lam_at
from nctutorial.training import loop as training


@pytest.fixture
def small():
    return small_hyperprior()


# ---- the distribution


def test_the_mass_of_an_interval_is_scipys():
    low, scale = torch.linspace(-60, 60, 241, dtype=torch.float64), torch.tensor([0.5, 1.0, 7.0])[:, None].double()
    found = priors.logistic_mass(low, low + 1, scale)
    upper = logistic.sf(low, scale=scale) - logistic.sf(low + 1, scale=scale)
    lower = logistic.cdf(low + 1, scale=scale) - logistic.cdf(low, scale=scale)
    np.testing.assert_allclose(found, np.maximum(np.where(low > 0, upper, lower), 1e-9), rtol=1e-9)
    assert priors.logistic_mass(torch.tensor(-0.5), torch.tensor(0.5), torch.tensor(0.01)).item() == 1


def test_scales_and_their_numbers():
    scales = torch.tensor([priors.scale_at(level) for level in range(priors.LEVELS)])
    assert priors.level_of(scales).tolist() == [*range(priors.LEVELS)]
    np.testing.assert_allclose(scales[8:] / scales[:-8], math.e, rtol=1e-6)
    assert priors.level_of(torch.tensor([1e-9, 1e9])).tolist() == [0, priors.LEVELS - 1]


@pytest.mark.parametrize("level", [0, 20, 40, 63])
def test_tables_hold_the_logistic_distribution_behind_the_deadzone(level):
    deadzone = priors.logistic_deadzones(8.66).numpy()
    tables = priors.logistic_tables(deadzone)
    counts, low = tables.counts[level], tables.low[level]
    k = np.arange(low, low + len(counts) - 1)
    edges = np.concatenate([k - 0.5, [k[-1] + 0.5]])
    edges += np.where(edges > 0, 1, -1) * deadzone[level] / 256
    expected = np.diff(logistic.cdf(edges, scale=priors.scale_at(level)))
    np.testing.assert_allclose(counts[:-1] / 2**22, expected, atol=2 / 2**22)
    assert (counts > 0).all() and abs(counts.sum() - 2**22) <= len(counts)


def test_the_deadzone_is_where_both_symbols_cost_the_same():
    """At 1/2 + d from the mean, rounding to 0 or to 1 costs the same R + 8.66 error^2."""
    found = priors.logistic_deadzones(8.66).numpy() / 256
    assert (found >= 0).all() and (np.diff(found) <= 0).all()
    for level in (24, 32, 40):
        scale, d = priors.scale_at(level), found[level]
        bits = [
            -math.log2(logistic.cdf(b, scale=scale) - logistic.cdf(a, scale=scale))
            for a, b in ((-0.5 - d, 0.5 + d), (0.5 + d, 1.5 + d))
        ]
        costs = [bits[k] + 8.66 * (0.5 + d - k) ** 2 for k in (0, 1)]
        assert costs[0] == pytest.approx(costs[1], abs=0.1)


# ---- the context model


@pytest.mark.parametrize("h, w", [(1, 1), (2, 5), (9, 6)])
def test_the_steps_cover_every_latent_once(h, w):
    model, where = ContextModel(), masks(h, w)
    seen = torch.zeros(model.latent, h, w)
    for first, last, mask in model.steps:
        seen[first:last] += where[mask]
    assert (seen == 1).all()
    neighbours = where[0, 1:] & where[0, :-1]
    assert not neighbours.any() and (where[0] ^ where[1]).all()


def test_a_step_sees_nothing_that_is_decoded_later():
    torch.manual_seed(0)
    model, h, w = ContextModel((4, 8, 12), hyper=3, wide=8, middle=8, inner=12), 6, 7
    where, level, side = masks(h, w), torch.zeros(1, 2, 1, 1), torch.randn(1, 8, h, w)
    for i, (first, last, mask) in enumerate(model.steps):
        known = torch.randn(1, 24, h, w, requires_grad=True)
        mean, log_scale = model.parameters_of(i, side, known, level)
        ((mean + log_scale) * where[mask]).square().sum().backward()
        decoded = torch.zeros(24, h, w, dtype=torch.bool)
        decoded[:first] = True
        if mask == 1:
            decoded[first:last] = where[0]
        grad = torch.zeros(24, h, w) if known.grad is None else known.grad[0]
        if i == 1:  # the black squares see white neighbours
            assert (grad[first:last][:, where[0]] != 0).any()
        # what the first colour holds at places that are not decoded is 0 in files: only known channels are read
        assert (grad[last:] == 0).all() and (mask == 1 or (grad[first:] == 0).all())


def test_the_codec_keeps_to_its_budget():
    """At most 40 thousand multiplications a pixel to encode and 20 thousand to decode, as counted by torch."""
    codec, x, level = HyperpriorCodec(), torch.zeros(1, 3, 256, 256), torch.zeros(1, 2, 1, 1)

    def thousands(*functions):
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            for function in functions:
                function()
        return counter.get_total_flops() / 2 / x[0, 0].numel() / 1000

    y, z, side = torch.zeros(1, 320, 16, 16), torch.zeros(1, 48, 4, 4), torch.zeros(1, 160, 16, 16)
    context = [lambda: codec.context.side(z, level, 16, 16)]
    context += [lambda i=i: codec.context.parameters_of(i, side, y, level) for i in range(len(codec.context.steps))]
    encoder = thousands(lambda: codec.analyze_tensor(x), lambda: codec.context.hyper_latent(y, level), *context)
    decoder = thousands(lambda: codec.synthesize_tensor(y), *context)
    assert 12 < encoder <= 40 and 12 < decoder <= 20


# ---- round trips


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, LAM_LAST), st.integers(0, 9))
def test_round_trip(height, width, index, seed):
    codec, image, lam = small_hyperprior(), smooth_noise(height, width, seed), lam_at(index)
    latent = codec.analyze(image)
    symbols = codec.quantize(latent, lam)
    stream = codec.encode(symbols)
    decoded = codec.decode(stream)
    for name in ("values", "means", "levels", "hyper"):
        np.testing.assert_array_equal(getattr(decoded, name), getattr(symbols, name))
    assert (decoded.height, decoded.width, decoded.lam_index) == (height, width, index)
    coded = codec.code(latent, lam)
    assert coded.data == stream == codec.compress(image, lam)
    np.testing.assert_array_equal(codec.decompress(stream), coded.image)
    assert coded.image.shape == image.shape
    payload = len(stream) - bitstream.HEADER_BYTES
    assert coded.bits.sum() - 1 <= 8 * payload <= 1.001 * coded.bits.sum() + 72


def test_values_outside_all_tables_survive(small):
    latent = small.analyze(smooth_noise(40, 56))
    wild = type(latent)(latent.y * 1000, 40, 56)
    symbols = small.quantize(wild, LAM_MAX)
    decoded = small.decode(small.encode(symbols))
    np.testing.assert_array_equal(decoded.values, symbols.values)
    assert np.abs(symbols.values).max() > 1000


def test_bits_are_placed_where_they_are_spent(small):
    symbols = small.quantize(small.analyze(smooth_noise(90, 130)), 0.01)
    y, z = small.bits_apart(symbols)
    assert y.shape == (6, 9) and z.shape == hyper_shape(6, 9) == (2, 3)
    whole = small.bits(symbols)
    assert whole.shape == (6, 9) and (whole >= y).all()
    np.testing.assert_allclose(whole.sum(), y.sum() + z.sum())
    np.testing.assert_allclose((whole - y)[4:, 8:], z[1, 2] / 2)  # below the last z there are only 2 x 1 locations


@pytest.mark.parametrize("index", [0, 2048, LAM_LAST])
def test_training_sees_nearly_the_symbols_that_are_coded(small, index):
    """In floats, with unrounded means and scales: the same rate within 3 %, the same picture within 2 grey levels."""
    image, lam = smooth_noise(96, 80), lam_at(index)
    symbols = small.quantize(small.analyze(image), lam)
    with torch.no_grad():
        y = small.analyze_tensor(data.to_tensor(image))
        y_hat, bits = small.relaxed(y, torch.tensor([lam]))
        found = data.to_uint8(small.synthesize_tensor(y_hat))
    assert bits.item() == pytest.approx(small.bits(symbols).sum(), rel=0.03)
    assert np.abs(found.astype(int) - small.reconstruct(symbols)).mean() < 1.5


@pytest.mark.parametrize("relaxation", [None, "noise", 0.35])
def test_chance_is_for_training_and_for_relaxed_symbols(small, relaxation):
    y = small.analyze_tensor(data.to_tensor(smooth_noise(96, 80))).detach()
    lam = torch.tensor([0.01])
    with torch.no_grad():
        drawn = [small.relaxed(y, lam, relaxation)[1] for _ in range(2)]
        assert (drawn[0] == drawn[1]) == (relaxation is None)
        small.train()
        noisy_z = [small.relaxed(y, lam, relaxation)[1].item() for _ in range(2)]
        small.eval()
    assert noisy_z[0] != noisy_z[1]


@pytest.mark.parametrize("relaxation, tolerance", [(None, 1e-5), (0.35, 0.15)])
def test_in_training_the_rate_is_that_of_the_symbols_and_all_learns(small, monkeypatch, relaxation, tolerance):
    monkeypatch.setattr(small.hyper_prior, "bits", lambda low, high: 0 * low)  # z's are of noisy symbols
    y = small.analyze_tensor(data.to_tensor(smooth_noise(96, 80))).detach()
    lam = torch.tensor([0.002])
    coded = small.relaxed(y, lam)[1].item()
    small.train()
    bits = small.relaxed(y, lam, relaxation)[1]
    small.eval()
    assert bits.item() == pytest.approx(coded, rel=tolerance)
    bits.backward()
    for head in small.context.heads:
        assert all(half.any() for half in head[-1].weight.grad.chunk(2)), "of means and of scales"
    small.zero_grad()


@pytest.mark.parametrize("relaxation", ["noise", 0.35])
def test_every_weight_learns(small, relaxation):
    codec = SmallHyperprior()
    codec.load_state_dict(
        {k: v for k, v in small.state_dict().items() if k not in codec.SIZED_BY_TRAINING}, strict=False
    )
    x = data.to_tensor(smooth_noise(96, 96)).repeat(2, 1, 1, 1)
    x_hat, bits = codec(x, torch.tensor([0.002, 0.05]), relaxation)
    (bits.sum() + 1e4 * (x_hat - x).square().mean()).backward()
    silent = [name for name, p in codec.named_parameters() if p.grad is None or not p.grad.any()]
    assert silent == []
    muon, adam = training.optimizers(codec, 0.01)
    ids = [id(p) for group in muon.param_groups + adam.param_groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in codec.parameters())


# ---- files of weights, and damaged streams


def test_saved_and_loaded_it_is_the_same(tmp_path, small):
    path = tmp_path / "small.safetensors"
    small.save(path)
    loaded = SmallHyperprior.load(path)
    image = smooth_noise(50, 70)
    assert loaded.fingerprint == small.fingerprint
    assert loaded.compress(image) == small.compress(image)
    with pytest.raises(ValueError, match="does not hold the weights"):
        HyperpriorCodec.load(path)


def test_training_goes_from_a_factorised_start(tmp_path, monkeypatch):
    path = tmp_path / "start.safetensors"
    small_codec().save(path)
    monkeypatch.setattr(training.models, "FactorizedCodec", type(small_codec()))
    codec = SmallHyperprior()
    training.start_from(codec, path, [smooth_noise(160, 192)], np.random.default_rng(0))
    assert torch.equal(codec.linear_analysis.weight, small_codec().linear_analysis.weight)
    assert (codec.unit > 0).all() and len(codec.unit.unique()) > 12


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(0, 4000), st.integers(1, 255), min_size=1, max_size=4))
def test_altered_payloads_decode_or_raise_bitstream_error(changes):
    codec = small_hyperprior()
    stream = codec.compress(smooth_noise(40, 60), 0.03)
    header, payload = bitstream.unpack(stream)
    altered = bytearray(payload)
    for place, change in {place % len(payload): change for place, change in changes.items()}.items():
        altered[place] ^= change
    with pytest.raises(BitstreamError, match="checksum"):
        codec.decode(stream[: bitstream.HEADER_BYTES] + altered)
    with contextlib.suppress(BitstreamError):  # and where the checksum is repaired, too
        found = codec.decode(bitstream.pack(header, bytes(altered)))
        assert codec.reconstruct(found).shape == (40, 60, 3)


def test_a_factorised_file_is_not_read(small):
    with pytest.raises(BitstreamError, match="another model"):
        small.decode(small_codec().compress(smooth_noise(20, 20)))


def test_more_rate_is_more_quality(small):
    image = smooth_noise(120, 160)
    latent = small.analyze(image)
    coded = [small.code(latent, lam) for lam in np.geomspace(LAM_MIN, LAM_MAX, 5)]
    assert all(np.diff([len(c.data) for c in coded]) > 0)
    assert all(np.diff([metrics.psnr(image, c.image) for c in coded]) > 0)
