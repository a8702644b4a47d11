import numpy as np
import pytest
import torch
from small_codec import SIZES, small_codec, small_model, smooth_noise

from nctutorial import data
from nctutorial.codec import CODECS
from nctutorial.codec.transforms import GREY
from nctutorial.training.crops import random_crops, read_photos, start_from, start_from_pca


def test_read_photos_takes_the_usable_ones(tmp_path):
    (tmp_path / "deep").mkdir()
    images = {
        "deep/b.png": smooth_noise(160, 200),
        "c.png": smooth_noise(128, 130),
        "stamp.png": smooth_noise(100, 200),
    }
    for name, image in images.items():
        data.save_image(tmp_path / name, image)
    (tmp_path / "CREDITS.txt").write_text("not a picture")
    photos = read_photos(tmp_path, 128)
    assert [image.shape for image in photos] == [(128, 130, 3), (160, 200, 3)]
    np.testing.assert_array_equal(photos[1], images["deep/b.png"])
    with pytest.raises(data.ImageError, match="holds no picture of 161 x 161 pixels or more: name a folder of photos"):
        read_photos(tmp_path, 161)


def test_random_crops_are_crops_and_mirrored_crops():
    yy, xx = np.mgrid[:140, :150].astype(np.uint8)
    photos = [np.stack([yy, xx, np.full_like(xx, marker)], axis=2) for marker in (0, 1)]
    photos[1] = np.concatenate([photos[1]] * 3)  # three times the area, three times the crops
    crops = random_crops(photos, np.random.default_rng(0), 300)
    assert torch.equal(crops, random_crops(photos, np.random.default_rng(0), 300))
    crops = (crops * 255).round().numpy().astype(int)
    assert crops.shape == (300, 3, 128, 128)
    left_to_right = np.diff(crops[:, 1], axis=2)
    mirrored = (left_to_right == -1).all((1, 2))
    np.testing.assert_array_equal((left_to_right == 1).all((1, 2)), ~mirrored)
    assert 0.4 < mirrored.mean() < 0.6
    assert 0.68 < crops[:, 2, 0, 0].mean() < 0.82
    assert set(crops[:, 1].min((1, 2))) == set(range(23))  # every horizontal position, the last included


def test_the_start_is_the_pca_of_patches():
    photos, model = [smooth_noise(160, 192, seed) for seed in range(3)], small_model()
    start_from_pca(model, photos, np.random.default_rng(5))
    crops = random_crops(photos, np.random.default_rng(5), 400).numpy() - 0.5
    patches = crops.reshape(400, 3, 8, 16, 8, 16).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 768)
    variance, v = np.linalg.eigh(patches.T.astype(np.float64) @ patches / len(patches))
    variance, v = variance[::-1], v[:, ::-1]
    basis = model.linear_analysis.weight.detach().numpy()[:, :, 0, 0]
    assert variance[23] > 1.002 * variance[24]  # else the subspace is not unique
    np.testing.assert_allclose(np.abs(np.sum(basis.T * v[:, :24], axis=0)), 1, atol=0.01)  # in the same order
    np.testing.assert_array_equal(model.linear_synthesis.weight.detach().numpy()[:, :, 0, 0], basis.T)
    np.testing.assert_allclose(model.y_scale.numpy(), np.maximum(np.sqrt(variance[:24]) * GREY, 0.3), rtol=1e-3)


def test_the_pca_begins_with_the_mean_colours():
    rng, model = np.random.default_rng(0), small_model()
    faint, loud = rng.integers(-9, 10, (8, 8, 3)), rng.integers(-90, 91, (8, 8, 1))
    flat, ramp = (each.repeat(16, axis=0).repeat(16, axis=1) for each in (faint, loud))
    wave = np.tile(np.cos(np.arange(16) * np.pi / 8), 8)  # the same to both sides: crops of 128 x 128 may be mirrored
    start_from_pca(model, [(128 + flat + ramp * wave[:, None]).astype(np.uint8)], rng)
    basis = model.linear_analysis.weight.detach().unflatten(1, (3, 256))[..., 0, 0]
    mean_colour = basis.sum(2).square().sum(1) / 256  # of a pattern's energy, 1, how much is flat
    assert (mean_colour[:3] > 0.99).all() and (mean_colour[3:] < 0.01).all()
    assert model.y_scale[3] > 5 * model.y_scale[0]  # not because they have more energy


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("other", SIZES)
def test_a_start_takes_all_weights_of_its_kind_and_the_transforms_of_the_other(tmp_path, kind, other):
    path, model = tmp_path / "start.safetensors", CODECS[kind][0](**SIZES[kind])
    small_codec(other).save(path)
    before, given = {name: t.clone() for name, t in model.state_dict().items()}, small_codec(other).model.state_dict()
    model = start_from(model, path, [smooth_noise(160, 192)], np.random.default_rng(0))
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
        start_from(CODECS["hyperprior"][0](), path, [], np.random.default_rng(0))
