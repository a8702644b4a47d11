import numpy as np
import pytest
import scipy.stats
import torch

from nctutorial.codec.layers import GDN, ResidualBlock, UpConv, conv
from nctutorial.codec.rounding import add_noise, random_round, relax, relaxed_bits, shrink, ste_round


@pytest.mark.parametrize("inverse", [False, True])
def test_gdn_is_its_formula(inverse):
    rng = np.random.default_rng(0)
    x, beta, gamma = rng.normal(size=(2, 3, 4, 5)), rng.uniform(0.2, 2, 3), rng.uniform(0, 1, (3, 3))
    expected = np.empty_like(x)
    for b, i, row, column in np.ndindex(x.shape):
        norm = beta[i] + sum(gamma[i, j] * x[b, j, row, column] ** 2 for j in range(3))
        expected[b, i, row, column] = x[b, i, row, column] * norm ** (0.5 if inverse else -0.5)
    layer = GDN(3, inverse)
    with torch.no_grad():
        layer.sqrt_beta.copy_(torch.from_numpy(np.sqrt(beta)))
        layer.sqrt_gamma.copy_(torch.from_numpy(np.sqrt(gamma)))
        found = layer(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_gdn_stays_finite_whatever_training_does_to_its_parameters():
    layer = GDN(2)
    with torch.no_grad():
        layer.sqrt_beta.fill_(0)
        layer.sqrt_gamma.fill_(-0.5)
    x = torch.tensor([[0.0, 3.0]]).view(1, 2, 1, 1).requires_grad_()
    layer(x).sum().backward()
    # gamma = 1/4 although its square root is negative: the norm is (0 + 9) / 4
    torch.testing.assert_close(layer(x).flatten(), torch.tensor([0.0, 3 / 1.5]))
    assert x.grad.isfinite().all()
    assert layer.sqrt_beta.grad.isfinite().all()


@pytest.mark.parametrize("kernel, stride, gain", [(1, 1, 1.0), (3, 1, 0.3), (5, 2, 2**0.5)])
def test_conv_keeps_the_variance(kernel, stride, gain):
    torch.manual_seed(0)
    x = torch.randn(4, 64, 40, 40)
    with torch.no_grad():
        y = conv(64, 96, kernel, stride, gain)(x)
    assert y.shape == (4, 96, 40 // stride, 40 // stride)
    inside = y[..., 2:-2, 2:-2]  # the padding lowers the variance at the border
    assert inside.std().item() == pytest.approx(gain, rel=0.05)
    assert abs(inside.mean().item()) < 0.05 * gain


def test_upconv_is_a_convolution_then_depth_to_space():
    torch.manual_seed(0)
    layer, x = UpConv(4, 2, 3, 3), torch.randn(1, 4, 5, 6)
    with torch.no_grad():
        deep, y = layer.conv(x).numpy(), layer(x).numpy()
    assert y.shape == (1, 2, 15, 18)
    for c, row, column in np.ndindex(y.shape[1:]):
        assert y[0, c, row, column] == deep[0, 9 * c + 3 * (row % 3) + column % 3, row // 3, column // 3]


def test_residual_block_adds_to_its_input():
    torch.manual_seed(0)
    block, x = ResidualBlock(8), torch.randn(2, 8, 6, 7)
    with torch.no_grad():
        expected = x + block.residual(x)
        torch.testing.assert_close(block(x), expected)
        assert not torch.equal(expected, x)
        block.residual[-1].weight.zero_()
        assert torch.equal(block(x), x)


def test_noise_is_uniform_and_independent_of_its_input():
    torch.manual_seed(0)
    v = (5 * torch.randn(20_000)).requires_grad_()
    noisy = add_noise(v)
    u = (noisy - v).detach().numpy()
    assert np.abs(u).max() <= 0.5 + 1e-5
    assert scipy.stats.kstest(u, scipy.stats.uniform(-0.5, 1).cdf).pvalue > 0.01
    assert abs(np.corrcoef(u, v.detach().numpy())[0, 1]) < 0.02
    noisy.sum().backward()
    assert torch.equal(v.grad, torch.ones_like(v))


def test_straight_through_rounds_forward_and_is_the_identity_backward():
    v = torch.linspace(-3.3, 3.3, 67, requires_grad=True)
    rounded = ste_round(v)
    np.testing.assert_allclose(rounded.detach().numpy(), np.rint(v.detach().numpy()), atol=1e-6)
    (rounded * torch.arange(67)).sum().backward()
    assert torch.equal(v.grad, torch.arange(67.0))


def test_shrunk_and_rounded_is_the_quantizer_with_a_deadzone():
    v, deadzone = torch.linspace(-4, 4, 1601, dtype=torch.float64) + 1e-4, torch.tensor(0.2, dtype=torch.float64)
    expected = np.zeros(1601)
    for k in range(1, 5):  # symbol k begins at k - 1/2 + 0.2
        expected[v.numpy() >= k - 0.3] = k
        expected[v.numpy() <= -(k - 0.3)] = -k
    np.testing.assert_array_equal(shrink(v, deadzone).round().numpy(), expected)
    assert torch.equal(shrink(v, torch.zeros(())), v)


@pytest.mark.parametrize("v", [-1.7, -0.2, 0.1, 0.35, 0.5, 2.8])
def test_random_round_takes_either_neighbour_as_often_as_the_paper_says(v):
    torch.manual_seed(0)
    found = random_round(torch.full((200_000,), v), 0.5).numpy()
    assert np.floor(v) <= found.min() and found.max() <= np.ceil(v)
    # with weights exp(-atanh(distance) / temperature), Yang, Bamler and Mandt 2020, equation 10
    down, up = (np.exp(-np.arctanh(distance) / 0.5) for distance in (v - np.floor(v), np.ceil(v) - v))
    assert (found > np.floor(v) + 0.5).mean() == pytest.approx(up / (up + down), abs=0.005)


def test_random_round_leaves_integers_and_is_rounding_when_cold():
    v = torch.linspace(-3, 3, 61)
    assert torch.allclose(random_round(v[::10], 0.35), v[::10], atol=1e-3)
    clear = v[(v - v.floor() - 0.5).abs() > 0.05]
    assert torch.allclose(random_round(clear, 0.01), clear.round(), atol=1e-3)


def gradient_and_slope(function, v):
    """Of the mean of a function of random symbols around v: by autograd, and by a finite difference."""

    def mean(v):
        torch.manual_seed(0)
        return function(random_round(v.expand(400_000), 0.35)).double().mean()

    at = torch.tensor(v, requires_grad=True)
    mean(at).backward()
    with torch.no_grad():
        return at.grad.item(), ((mean(at + 0.01) - mean(at - 0.01)) / 0.02).item()


@pytest.mark.parametrize("v", [0.1, 0.4, 0.5, 0.7])
def test_the_gradient_of_random_round_is_that_of_the_average_outcome(v):
    gradient, slope = gradient_and_slope(lambda t: t, v)
    assert gradient == pytest.approx(slope, rel=0.05, abs=0.01)


@pytest.mark.parametrize("relaxation", [None, "noise", 0.35])
def test_what_stands_in_for_rounding(relaxation):
    v = torch.linspace(-2, 2, 41, requires_grad=True)
    torch.manual_seed(0)
    for_picture, for_rate = relax(v, relaxation)
    torch.manual_seed(0)
    expected = {
        None: lambda: (v.round(), v.round()),
        "noise": lambda: (v.round(), v + torch.rand(41) - 0.5),
        0.35: lambda: (random_round(v, 0.35),) * 2,
    }[relaxation]()
    torch.testing.assert_close((for_picture, for_rate), expected)
    (slope,) = torch.autograd.grad(for_picture.sum() + for_rate.sum(), v)
    assert slope.any() == (relaxation is not None)


@pytest.mark.parametrize("v", [0.1, 0.4, 0.5, 0.7])
def test_the_gradient_of_random_bits_is_that_of_their_average(v):
    """Also where all that a 1 costs more than a 0 is a jump at 1/2, as behind a deadzone."""
    gradient, slope = gradient_and_slope(lambda t: relaxed_bits(lambda k: 9.0 * (k > 0.5), t, 0.35), v)
    assert gradient == pytest.approx(slope, rel=0.05)


def test_bits_of_integers_and_of_noisy_symbols_are_as_they_are():
    k, t = torch.arange(-3.0, 4), torch.linspace(-3, 3, 9)
    assert torch.equal(relaxed_bits(torch.square, k, 0.35), k**2)
    for relaxation in (None, "noise"):
        assert torch.equal(relaxed_bits(torch.square, t, relaxation), t**2)
