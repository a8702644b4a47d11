import numpy as np
import pytest
import torch
from small_codec import SIZES, small_codec, small_model, smooth_crops

from nctutorial.codec import CODECS
from nctutorial.codec.transforms import GREY
from nctutorial.training.start import start_from, start_from_pca


def pca(crops, side):
    """Variances, falling, and directions as columns, of the patches of crops: an independent reference."""
    count, _, height, width = crops.shape
    blocks = crops.numpy().reshape(count, 3, height // side, side, width // side, side) - 0.5
    patches = blocks.transpose(0, 2, 4, 1, 3, 5).reshape(-1, 3 * side**2).astype(np.float64)
    variance, axes = np.linalg.eigh(patches.T @ patches / len(patches))
    return variance[::-1], axes[:, ::-1]


def test_the_linear_path_starts_as_the_pca_of_patches():
    model, crops = small_model(), smooth_crops(30)
    start_from_pca(model, crops)
    variance, axes = pca(crops, 16)
    basis = model.linear_analysis.weight.detach().numpy()[:, :, 0, 0]
    np.testing.assert_allclose(np.abs(np.sum(basis.T * axes[:, :24], axis=0)), 1, atol=0.01)  # in the same order
    np.testing.assert_array_equal(model.linear_synthesis.weight.detach().numpy()[:, :, 0, 0], basis.T)
    np.testing.assert_allclose(model.y_scale.numpy(), np.maximum(np.sqrt(variance[:24]) * GREY, 0.3), rtol=1e-3)


def test_the_network_starts_with_white_features():
    model, crops = small_model(), smooth_crops(30)
    start_from_pca(model, crops)
    features = model.analysis[:2](crops - 0.5).transpose(0, 1).flatten(1)
    torch.testing.assert_close(features @ features.T / features.shape[1], torch.eye(12), atol=0.02, rtol=0)


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("other", SIZES)
def test_a_start_takes_all_weights_of_its_kind_and_the_transforms_of_the_other(tmp_path, kind, other):
    path, model = tmp_path / "start.safetensors", CODECS[kind][0](**SIZES[kind])
    small_codec(other).save(path)
    before, given = {name: t.clone() for name, t in model.state_dict().items()}, small_codec(other).model.state_dict()
    model = start_from(model, path, smooth_crops(2))
    assert all(p.requires_grad for p in model.parameters())
    for name, tensor in model.state_dict().items():
        if kind == other or (name in given and name != "deadzone"):
            assert torch.equal(tensor, given[name]), name
        elif kind == "hyperprior" and name != "unit":
            assert torch.equal(tensor, before[name]), name
    if kind == "hyperprior" != other:
        assert (model.unit > 0).all() and len(model.unit.unique()) > 12


def test_transforms_of_other_sizes_are_refused(tmp_path):
    path = tmp_path / "start.safetensors"
    small_codec("factorized").save(path)
    with pytest.raises(ValueError, match="start.safetensors have other sizes than those of a hyperprior model"):
        start_from(CODECS["hyperprior"][0](), path, smooth_crops(1))
