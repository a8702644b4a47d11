import numpy as np
import pytest
from small_codec import smooth_noise

from nctutorial.training import made


@pytest.mark.parametrize("kind", set(made.KINDS), ids=lambda kind: kind.__name__)
def test_each_kind_fills_a_picture_and_follows_its_seed(kind):
    photo = smooth_noise(96, 96)
    pictures = [kind(np.random.default_rng(seed), photo) for seed in range(12)]
    assert {(p.shape, p.dtype) for p in pictures} == {((96, 96, 3), np.dtype(np.uint8))}
    np.testing.assert_array_equal(kind(np.random.default_rng(3), photo), pictures[3])
    assert len({p.tobytes() for p in pictures}) > 6


def colours(picture):
    return len(np.unique(picture.reshape(-1, 3), axis=0))


def test_what_the_kinds_are():
    """Few colours in pixel art and palettes, edges one pixel wide in patterns, smoothness in gradients."""
    photo, seeds = smooth_noise(96, 96), [np.random.default_rng(seed) for seed in range(40)]
    assert colours(photo) > 3000
    assert max(colours(made._cells(rng, photo)) for rng in seeds) <= 16
    assert max(colours(made._palette(rng, photo)) for rng in seeds) <= 128
    patterns = [made._pattern(rng, photo) for rng in seeds]
    assert max(map(colours, patterns)) <= 2
    assert any(
        (np.diff(p.astype(int), axis=0) != 0).any(2).all() for p in patterns
    )  # rows that all differ from the next
    assert any(np.abs(np.diff(made._gradient(rng, photo).astype(int), axis=0)).max() <= 3 for rng in seeds)
    drawings = [made._drawing(rng, photo) for rng in seeds]
    assert max(map(colours, drawings)) < 1500 and min(map(colours, drawings)) > 1


def test_half_of_the_pictures_show_two_kinds(monkeypatch):
    monkeypatch.setattr(made, "KINDS", [lambda rng, photo, v=v: np.full_like(photo, v) for v in range(200)])
    pictures = [made.made_picture(np.random.default_rng(seed), smooth_noise(64, 64)) for seed in range(200)]
    assert 70 < sum(colours(p) == 2 for p in pictures) < 120
