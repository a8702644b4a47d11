"""The toys of chapters 00 to 04, against scipy and against what they promise the later chapters."""

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.fft import dctn

from nctutorial import toys
from nctutorial.data import photo, photo_names, to_tensor


def entropy_bytes(symbols):
    """The empirical entropy of each row, summed, in bytes: the floor of any static coder without its tables."""
    bits = 0.0
    for row in symbols:
        counts = np.unique(row, return_counts=True)[1]
        bits -= (counts * np.log2(counts / counts.sum())).sum()
    return bits / 8


def test_dct_agrees_with_scipy_and_inverts():
    plane = np.random.default_rng(0).normal(size=(24, 40))
    blocks = toys.block_dct(plane)
    assert blocks.shape == (3, 5, 8, 8)
    np.testing.assert_allclose(blocks[1, 2], dctn(plane[8:16, 16:24], norm="ortho"), atol=1e-12)
    np.testing.assert_allclose(toys.block_idct(blocks), plane, atol=1e-12)
    np.testing.assert_allclose(toys.dct_matrix(5) @ toys.dct_matrix(5).T, np.eye(5), atol=1e-12)
    with pytest.raises(ValueError, match="crop or pad"):
        toys.block_dct(np.zeros((24, 41)))


@pytest.mark.parametrize("step", [2, 30, 200])
def test_static_coder_returns_the_symbols_near_the_entropy(step):
    blocks = toys.block_dct(photo("red_panda").mean(axis=-1))
    symbols = np.round(blocks / step).astype(int).reshape(-1, 64).T
    data = toys.encode_static(symbols)
    np.testing.assert_array_equal(toys.decode_static(data), symbols)
    floor = entropy_bytes(symbols)
    assert floor < len(data) < 1.06 * floor + 700


@pytest.mark.parametrize(
    "symbols",
    [np.zeros((3, 7), int), np.array([[-5, 900, -5, 7], [1, 1, 1, 1]]), np.array([[7]])],
)
def test_static_coder_at_the_edges(symbols):
    np.testing.assert_array_equal(toys.decode_static(toys.encode_static(symbols)), symbols)


@pytest.mark.parametrize("data", [b"", b"hello, world", bytes(40)])
def test_static_decoder_refuses_foreign_bytes(data):
    with pytest.raises(ValueError, match="not written by encode_static"):
        toys.decode_static(data)


def test_crops_come_from_the_training_photos_and_depend_on_the_seed_alone():
    crops = toys.crops(count=24, size=32, seed=1)
    assert crops.shape == (24, 3, 32, 32) and crops.dtype == torch.float32
    assert torch.equal(crops, toys.crops(count=24, size=32, seed=1))
    assert not torch.equal(crops, toys.crops(count=24, size=32, seed=2))
    first = to_tensor(photo(photo_names("train")[0]))
    windows = first.unfold(2, 32, 1).unfold(3, 32, 1)[0, :, :, :, 0, 0]  # the top left sample of every window
    for crop in (crops[0], crops[0].flip(-1)):
        rows, columns = np.where((windows == crop[:, :1, :1]).all(0).numpy())
        if any(torch.equal(first[0, :, r : r + 32, c : c + 32], crop) for r, c in zip(rows, columns, strict=True)):
            return
    pytest.fail("the first crop is no part of the first training photo")


def test_dct_filters_are_orthonormal():
    filters = toys.dct_filters(192).flatten(1)
    torch.testing.assert_close(filters @ filters.T, torch.eye(192), atol=1e-5, rtol=0)
    assert (toys.dct_filters(1) == toys.dct_filters(1).flatten()[0]).all(), "the first pattern is flat grey"


def test_dct_filters_are_sorted_by_frequency_and_colours_come_late():
    filters = toys.dct_filters(192)
    grey = (filters - filters.mean(1, keepdim=True)).abs().amax((1, 2, 3)) < 1e-6
    assert grey[:8].tolist() == [True, False, False, True, True, True, True, True]
    patterns = toys.dct_matrix()[:, None, :, None] * toys.dct_matrix()[None, :, None, :]
    products = np.abs(np.einsum("nij,uvij->nuv", filters[grey].sum(1).numpy(), patterns))
    u, v = np.unravel_index(products.reshape(64, 64).argmax(1), (8, 8))
    assert (np.diff(np.hypot(u, v)) >= 0).all()


def test_autoencoder_starts_as_a_truncated_dct():
    x = to_tensor(photo("red_panda"))[..., :64, :128]
    model = toys.Autoencoder(latent=3, hidden=5)
    filters = toys.dct_filters(3)
    y = torch.nn.functional.conv2d(x - 0.5, filters, stride=8)
    x_hat = torch.nn.functional.conv_transpose2d(y, filters, stride=8) + 0.5
    torch.testing.assert_close(model.analysis(x), 5 * y, atol=1e-4, rtol=0)
    torch.testing.assert_close(model(x), x_hat, atol=1e-4, rtol=0)


def test_fit_lowers_the_loss_and_repeats_exactly():
    crops = toys.crops(count=32, size=32)

    def train(seed):
        torch.manual_seed(0)
        model, seen = toys.Autoencoder(latent=4, hidden=8), []

        def loss(x):
            return (model(x + 0.1 * torch.randn_like(x)) - x).square().mean()

        before = loss(crops).item()
        history = toys.fit(model.parameters(), loss, crops, steps=30, seed=seed, every=seen.append)
        return history, seen, before, loss(crops).item()

    history, seen, before, after = train(seed=0)
    assert seen == list(range(1, 31)) and len(history) == 30
    assert after < 0.97 * before
    assert train(seed=0)[0] == history
    assert train(seed=1)[0] != history


def test_logistic_is_the_box_smoothed_density_in_both_tails():
    latents = torch.tensor([[[[-1.0, 1.0]], [[3.0, 7.0]]]]).repeat(50, 1, 1, 1)
    prior = toys.Logistic(latents)
    y = torch.arange(-15.0, 21)
    mean, std = np.array([[0.0], [5.0]]), latents.numpy().std((0, 2, 3), ddof=1)[:, None]
    exact = stats.logistic(mean, std * np.sqrt(3) / np.pi)
    expected = exact.sf(y.numpy() - 0.5) - exact.sf(y.numpy() + 0.5)
    likelihood = prior.likelihood(y.expand(2, 1, -1))[:, 0].detach().numpy()
    np.testing.assert_allclose(likelihood, np.maximum(expected, 1e-9), rtol=1e-3)  # 0.0014 bits, in the tails, too


def test_gdn_is_its_formula():
    rng = np.random.default_rng(0)
    x, beta, gamma = rng.normal(size=(2, 3, 4, 5)), rng.uniform(0.2, 2, 3), rng.uniform(0, 1, (3, 3))
    expected = np.empty_like(x)
    for b, i, row, column in np.ndindex(x.shape):
        norm = beta[i] + sum(gamma[i, j] * x[b, j, row, column] ** 2 for j in range(3))
        expected[b, i, row, column] = x[b, i, row, column] / norm**0.5
    layer = toys.GDN(3)
    with torch.no_grad():
        layer.sqrt_beta.copy_(torch.from_numpy(np.sqrt(beta)))
        layer.sqrt_gamma.copy_(torch.from_numpy(np.sqrt(gamma)))
        found = layer(torch.from_numpy(x).float()).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
