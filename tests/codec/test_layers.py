import pytest
import torch

from nctutorial.codec.layers import SLOPE, Block, beside, conv


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


def test_a_block_adds_to_its_input():
    torch.manual_seed(0)
    block, x = Block(8, 5), torch.randn(2, 8, 6, 7)
    with torch.no_grad():
        hidden = torch.nn.functional.conv2d(x, block.f[0].weight, block.f[0].bias, padding=1)
        hidden = torch.where(hidden > 0, hidden, SLOPE * hidden)
        torch.testing.assert_close(block(x), x + torch.nn.functional.conv2d(hidden, block.f[2].weight, block.f[2].bias))
    torch.nn.init.zeros_(block.f[-1].weight)
    assert torch.equal(block(x), x)


def test_the_place_of_lam_stands_beside_each_location():
    x, place = torch.randn(2, 3, 4, 5), torch.tensor([[0.5, 0.25], [-1, 1]]).view(2, 2, 1, 1)
    y = beside(x, place)
    assert torch.equal(y[:, :3], x) and torch.equal(y[:, 3:], place.expand(2, 2, 4, 5))
