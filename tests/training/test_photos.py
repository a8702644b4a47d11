import numpy as np
import pytest
import torch
from small_codec import smooth_noise

from nctutorial import data
from nctutorial.training import photos as module
from nctutorial.training.photos import Photos


def photos_in(folder, crop):
    return Photos(folder, crop, "cpu", np.random.default_rng(0))


def pictures(photos):
    """What the buffer holds, as pictures."""
    ends = np.cumsum(photos.sizes.prod(1))
    return [p.reshape(*s, 3) for p, s in zip(np.split(photos.pixels.numpy(), ends[:-1]), photos.sizes, strict=True)]


def test_the_buffer_holds_the_usable_photos_and_made_pictures(tmp_path):
    (tmp_path / "deep").mkdir()
    images = {"c.png": smooth_noise(128, 130), "deep/b.png": smooth_noise(160, 200), "stamp.png": smooth_noise(90, 200)}
    for name, image in images.items():
        data.save_image(tmp_path / name, image)
    (tmp_path / "CREDITS.txt").write_text("not a picture")
    photos = photos_in(tmp_path, 128)
    first, second, *made = pictures(photos)
    np.testing.assert_array_equal(first, images["c.png"])
    np.testing.assert_array_equal(second, images["deep/b.png"])
    assert {picture.shape for picture in made} == {(128, 128, 3)} and len(made) == module.MADE
    np.testing.assert_array_equal(photos.made, [False] * 2 + [True] * module.MADE)
    with pytest.raises(data.ImageError, match="holds no picture of 192 x 192 pixels or more: name a folder of photos"):
        photos_in(tmp_path, 192)


def test_photos_that_arrive_later_are_appended(tmp_path):
    data.save_image(tmp_path / "b.png", smooth_noise(64, 64))
    photos = photos_in(tmp_path, 64)
    before = pictures(photos)
    data.save_image(tmp_path / "a.png", smooth_noise(70, 80))
    photos.look()
    photos.look()
    *same, new = pictures(photos)
    np.testing.assert_array_equal(new, smooth_noise(70, 80))
    assert len(same) == len(before) and all(map(np.array_equal, same, before)) and not photos.made[-1]


def test_crops_are_crops_and_mirrored_crops(tmp_path, monkeypatch):
    yy, xx = np.mgrid[:140, :150].astype(np.uint8)
    for marker, copies in (0, 1), (1, 3):  # three times the area, three times the crops
        image = np.stack([yy, xx, np.full_like(xx, marker)], axis=2)
        data.save_image(tmp_path / f"{marker}.png", np.concatenate([image] * copies))
    monkeypatch.setattr(module, "MADE_SHARE", 0)
    photos = photos_in(tmp_path, 128)
    crops = photos.crops(np.random.default_rng(0), 300, 128)
    assert torch.equal(crops, photos.crops(np.random.default_rng(0), 300, 128))
    crops = (crops * 255).round().numpy().astype(int)
    assert crops.shape == (300, 3, 128, 128)
    left_to_right = np.diff(crops[:, 1], axis=2)
    mirrored = (left_to_right == -1).all((1, 2))
    np.testing.assert_array_equal((left_to_right == 1).all((1, 2)), ~mirrored)
    assert 0.4 < mirrored.mean() < 0.6
    assert 0.68 < crops[:, 2, 0, 0].mean() < 0.82
    assert set(crops[:, 1].min((1, 2))) == set(range(23))  # every horizontal position, the last included
    down = np.diff(crops[:, 0], axis=1)
    assert np.isin(down, (1, -139)).all()  # row after row, over the seams of the tall photo, too


def test_a_tenth_of_the_crops_is_made(tmp_path):
    data.save_image(tmp_path / "a.png", np.full((64, 64, 3), (3, 141, 59), np.uint8))
    photos = photos_in(tmp_path, 64)
    crops = (photos.crops(np.random.default_rng(1), 2000, 16) * 255).round()
    photo = (crops == torch.tensor([3, 141, 59])[:, None, None]).all((1, 2, 3))
    assert 0.07 < 1 - photo.float().mean() < 0.12  # some made pictures are palettes of the photo
