import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nctutorial.codec import tiles


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_latent_shape_covers_the_picture(height, width):
    h, w = tiles.latent_shape(height, width)
    assert (h - 1) * 16 < height <= h * 16 and (w - 1) * 16 < width <= w * 16


@given(st.integers(1, 200), st.integers(1, 200))
def test_tiles_cover_every_location_once_with_all_that_is_around(h, w):
    covered = np.zeros((h, w), int)
    names = np.arange(h * w).reshape(h, w)
    for tile, around, inside in tiles.tiles(h, w):
        covered[tile] += 1
        np.testing.assert_array_equal(names[around][inside], names[tile])
        for own, outer, end in zip(tile, around, (h, w), strict=True):
            assert outer.start <= max(own.start - tiles.MARGIN, 0) and outer.stop >= min(own.stop + tiles.MARGIN, end)
            assert own.start % 4 == 0  # where a location of z begins
        assert names[around].size <= 48 * 48 if h * w > 64 * 64 else tile == (slice(0, h), slice(0, w))
    assert (covered == 1).all()


def test_pixels_below_an_area():
    picture = np.arange(64 * 80).reshape(64, 80)
    below = tiles.in_pixels((slice(1, 3), slice(2, 5)))
    np.testing.assert_array_equal(picture[below], picture[16:48, 32:80])
