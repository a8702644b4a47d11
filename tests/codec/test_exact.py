import numpy as np
import pytest
import torch
from torch import nn

from nctutorial.codec.exact import ACTIVATION_LIMIT, IntegerConv2d
from nctutorial.codec.layers import SLOPE
from nctutorial.codec.units import NETWORK_ONE


def layer(fan_in, fan_out, kernel, stride=1, std=0.3, seed=0):
    torch.manual_seed(seed)
    conv = nn.Conv2d(fan_in, fan_out, kernel, stride, padding=kernel // 2)
    nn.init.normal_(conv.weight, std=std)
    return conv


def eighths(*shape, size):
    """Whole eighths, as a LeakyReLU leaves them."""
    bound = 8 * size * NETWORK_ONE
    return torch.from_numpy(np.random.default_rng(0).integers(-bound, bound, shape)).double() / 8


def by_hand(x, conv):
    """The same convolution in Python's integers, which never round."""
    weight = np.vectorize(int, otypes=[object])(torch.round(conv.weight.double() * NETWORK_ONE).detach().numpy())
    bias = [int(b) for b in torch.round(conv.bias.double() * NETWORK_ONE * NETWORK_ONE)]
    pad, step, k = conv.padding[0], conv.stride[0], conv.kernel_size[0]
    x = np.vectorize(int, otypes=[object])(8 * np.pad(x[0].numpy(), ((0, 0), (pad, pad), (pad, pad))))
    height, width = ((side - k) // step + 1 for side in x.shape[1:])
    out = np.empty((len(bias), height, width), object)
    for i in range(height):
        for j in range(width):
            seen = x[:, step * i : step * i + k, step * j : step * j + k]
            for c in range(len(bias)):
                value = ((weight[c] * seen).sum() + 8 * (bias[c] + NETWORK_ONE // 2)) // (8 * NETWORK_ONE)
                out[c, i, j] = min(max(value, 1 - ACTIVATION_LIMIT), ACTIVATION_LIMIT - 1)
    return out.astype(np.float64)


@pytest.mark.parametrize("kernel, stride", [(1, 1), (3, 1), (5, 1), (3, 2)])
@pytest.mark.parametrize("height, width, size", [(1, 1, 20), (4, 5, 20), (7, 2, 127)])  # the last: many are clamped
def test_a_convolution_is_that_of_pythons_integers(kernel, stride, height, width, size):
    conv, x = layer(3, 4, kernel, stride), eighths(1, 3, height, width, size=size)
    np.testing.assert_array_equal(IntegerConv2d(conv)(x)[0].numpy(), by_hand(x, conv))


def test_results_do_not_depend_on_the_order_of_summation():
    """Channels in another order, in a batch, in another memory format: floats differ, these do not."""
    conv, other, order = layer(200, 16, 3), layer(200, 16, 3), torch.randperm(200)
    other.weight.data = conv.weight.data[:, order]
    x = eighths(1, 200, 9, 9, size=100)
    first, exact = IntegerConv2d(conv)(x), IntegerConv2d(other)
    for same in (x[:, order], x[:, order].contiguous(memory_format=torch.channels_last), torch.cat([x, -x])[:, order]):
        assert torch.equal(first, exact(same)[:1])
    floats = (x / NETWORK_ONE).float()
    assert not torch.equal(conv(floats), other(floats[:, order]))


def test_an_eighth_of_an_integer_is_exact():
    x = torch.arange(-3.0 * NETWORK_ONE, 0, dtype=torch.float64)
    assert torch.equal(nn.LeakyReLU(SLOPE)(x) * 8, x)


def test_sums_that_floats_do_not_hold_are_refused():
    conv = layer(4, 2, 1)
    with torch.no_grad():
        conv.weight[0] = 2.0**18  # 2^18 4096 2^19 4 = 2^51, in eighths 2^54
    with pytest.raises(ValueError, match="too large"):
        IntegerConv2d(conv)
