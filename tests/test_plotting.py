"""The figures: that they show the numbers they were given."""

import numpy as np
import pytest

from nctutorial import data, plotting


def test_rd_plane_draws_each_curve_with_its_label_and_units():
    curves = {"jpeg": [(0.2, 26.0), (0.5, 30.0)], "my codec": [(0.1, 27.0), (0.4, 31.5), (1.0, 35.0)]}
    ax = plotting.rd_plane(curves)
    drawn = {line.get_label(): line.get_xydata().tolist() for line in ax.lines}
    assert drawn == {"JPEG": [[0.2, 26], [0.5, 30]], "my codec": [[0.1, 27], [0.4, 31.5], [1, 35]]}
    assert ax.get_xlabel() == "rate (bpp)" and ax.get_ylabel() == "PSNR (dB)"


def test_looks_differ_in_more_than_colour():
    looks = [(line, marker) for _, _, line, marker in plotting.LOOKS.values()]
    assert len(set(looks)) == len(looks)


@pytest.mark.parametrize("focus", [(8, 8), (300.0, 200.0), (767, 511)])
def test_explorer_picture_shows_the_same_region_of_every_picture(focus):
    photo = data.photo("stream")
    pictures = [photo, *(np.roll(photo, shift, 1) for shift in (5, 10, 20))]
    points = [(0.1, 26.0), (0.5, 30.0), (1.5, 36.0)]
    results = [
        (f"λ = {i}", picture, point) for i, (picture, point) in enumerate(zip(pictures[1:], points, strict=True))
    ]
    figure = plotting.explorer_picture(photo, results, {"codec": points, "jpeg": [], "webp": points}, focus)
    *crops, plane = figure.axes
    regions = [axes.images[0].get_array() for axes in crops]
    assert len(regions) == 4 and all(region.shape == (160, 160, 3) for region in regions)
    places = [
        (y, x)
        for y in range(0, 512 - 159)
        for x in range(0, 768 - 159)
        if np.array_equal(photo[y, x : x + 160], regions[0][0])
        and np.array_equal(photo[y : y + 160, x : x + 160], regions[0])
    ]
    ((top, left),) = places
    assert abs(left + 80 - focus[0]) <= 1 or left in (0, 768 - 160)
    for picture, region in zip(pictures, regions, strict=True):
        assert np.array_equal(picture[top : top + 160, left : left + 160], region)
    marked = [line.get_xydata().tolist()[0] for line in plane.lines if len(line.get_xydata()) == 1]
    assert marked == [list(point) for point in points]


def test_explorer_picture_of_a_tiny_photo():
    photo = np.zeros((3, 5, 3), np.uint8)
    results = [("λ", photo, (1.0, 30.0))] * 3
    figure = plotting.explorer_picture(photo, results, {"codec": [(1.0, 30.0)]}, (0, 0))
    assert figure.axes[0].images[0].get_array().shape == (3, 3, 3)
