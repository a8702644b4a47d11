import numpy as np
import pytest
import torch

from nctutorial.codec.layers import GDN, ResidualBlock, UpConv, conv


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
    assert not torch.equal(block(x), x)
    torch.nn.init.zeros_(block.residual[-1].weight)
    assert torch.equal(block(x), x)
