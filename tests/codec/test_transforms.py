import numpy as np
import pytest
import torch
from small_codec import small_codec, small_model, smooth_noise

from nctutorial import data
from nctutorial.codec import units
from nctutorial.codec.tiles import MARGIN
from nctutorial.codec.transforms import GREY, Transforms, places
from nctutorial.codec.units import LAM_LAST, LAM_MIN


def patches(x):
    """(H, W, 3) -> (h w, 768), each patch channel by channel, by plain loops."""
    h, w = x.shape[0] // 16, x.shape[1] // 16
    return np.stack(
        [x[16 * i : 16 * i + 16, 16 * j : 16 * j + 16].transpose(2, 0, 1).ravel() for i in range(h) for j in range(w)]
    )


@torch.no_grad()
def test_the_linear_path_is_a_projection_of_patches():
    torch.manual_seed(0)
    transforms, image = Transforms(24, channels=12, hidden=8, depth=(1, 1)), smooth_noise(32, 48)
    basis = np.linalg.qr(np.random.default_rng(0).normal(size=(768, 24)))[0]
    transforms.linear_analysis.weight.copy_(torch.from_numpy(basis.T[:, :, None, None]))
    transforms.linear_synthesis.weight.copy_(torch.from_numpy(basis[:, :, None, None]))
    for layer in (transforms.linear_analysis, transforms.linear_synthesis):
        layer.bias.zero_()
    for layer in (transforms.analysis[-1], transforms.synthesis[-2]):
        layer.weight.zero_()
    y = transforms.analyze_tensor(data.to_tensor(image))
    x_hat = transforms.synthesize_tensor(y, torch.tensor([0.01]))[0].permute(1, 2, 0).numpy()
    coefficients = (patches(image / 255) - 0.5) @ basis
    np.testing.assert_allclose(y[0].flatten(1).numpy().T, GREY * coefficients, atol=1e-3)
    np.testing.assert_allclose(patches(x_hat), 0.5 + coefficients @ basis.T, atol=1e-5)


def test_the_margin_of_tiles_is_what_the_transforms_see():
    torch.manual_seed(0)
    transforms = Transforms(320, channels=128, hidden=64, depth=(7, 6))  # as bundled
    y = torch.randn(1, 320, 21, 21, requires_grad=True)
    transforms.synthesize_tensor(y, torch.tensor([0.01]))[..., 160:176, 160:176].square().sum().backward()
    x = torch.rand(1, 3, 336, 336, requires_grad=True)
    transforms.analyze_tensor(x)[..., 10, 10].square().sum().backward()
    reached = []
    for grad, size in ((y.grad, 1), (x.grad, 16)):
        rows, columns = grad[0].abs().sum(0).nonzero().T // size
        reached.append(max((rows - 10).abs().max(), (columns - 10).abs().max()))
    assert max(reached) == MARGIN


@torch.no_grad()
def test_the_synthesis_is_told_lam():
    transforms, y = Transforms(24, channels=12, hidden=8, depth=(1, 1)), torch.randn(1, 24, 3, 4)
    low, again, high = (transforms.synthesize_tensor(y, torch.tensor([lam])) for lam in (0.001, 0.001, 0.06))
    assert torch.equal(low, again) and not torch.equal(low, high)
    expected = torch.tensor([[-1.0, 1], [0, 0], [1, 1]])  # the place on the log scale, and its square
    torch.testing.assert_close(places(torch.tensor([0.001, 0.06**0.5 * 0.001**0.5, 0.06]))[:, :, 0, 0], expected)


def test_bfloat16_is_close_to_float32():
    model, x = small_model(), data.to_tensor(smooth_noise(32, 48))
    with torch.no_grad():
        y = model.analyze_tensor(x)
        model.bf16 = True
        in_bf16 = model.analyze_tensor(x)
    assert in_bf16.dtype == torch.float32 and not torch.equal(in_bf16, y)
    torch.testing.assert_close(in_bf16, y, rtol=0.02, atol=0.02)


def test_gains_are_piecewise_linear_in_log_lam():
    lams = np.array([0.001, 0.0013, 0.01, 0.0599, 0.06])
    nodes = torch.linspace(-1, 1, 9)[:, None] ** 3 * torch.arange(24)
    gains = small_codec().model.at_lam(nodes, torch.tensor(lams).float())[:, :, 0, 0]
    for c in range(24):
        expected = np.interp(np.log(lams / LAM_MIN) / np.log(60) * 8, np.arange(9), nodes[:, c].numpy())
        np.testing.assert_allclose(gains[:, c].numpy(), np.exp(expected), rtol=1e-4)


@pytest.mark.parametrize("index", [0, 1, 63, 64, 1000, 4033, LAM_LAST])
def test_integer_steps_follow_the_gains(index):
    codec = small_codec()
    gain = codec.model.at_lam(codec.model.log_gain, torch.tensor([units.lam_at(index)]))[0, :, 0, 0]
    step = units.between_nodes(codec.step, index) / units.FIXED_POINT
    np.testing.assert_allclose(step, 1 / gain.double().numpy(), rtol=1e-3)
