"""What is measured of one photo: against the codecs themselves, each point once."""

import math

import numpy as np
import pytest
from explorer_standin import DctCodec

from nctutorial import classical, metrics
from nctutorial.widgets.base import STOPS
from nctutorial.widgets.measurements import RIVALS, Measurements, scaled_down, settings


@pytest.fixture
def codec():
    return DctCodec()


@pytest.fixture
def measured(photo, codec):
    return Measurements(photo, lambda name: codec)


def test_the_analysis_runs_once_and_a_picture_is_coded_once(measured, codec, photo):
    for lam in (0.002, 0.05, 0.002):
        coded = measured.code("codec", lam)
    assert codec.analyzed == 1 and codec.coded == [0.002, 0.05]
    assert np.array_equal(coded.image, codec.code(codec.analyze(photo), 0.002).image)


def test_no_more_pictures_are_kept_than_there_is_room_for(photo, codec):
    measured = Measurements(photo, lambda name: codec, kept=3 * photo.nbytes + 1)
    for lam in (0.001, 0.002, 0.003, 0.001, 0.004):  # 0.002 is the one that has not been used for longest
        measured.code("codec", lam)
    del codec.coded[:]
    for lam in (0.001, 0.003, 0.004, 0.002):
        measured.code("codec", lam)
    assert measured.room == 3 and codec.coded == [0.002]
    assert Measurements(photo, lambda name: codec, kept=0).room == 1


def test_a_curve_holds_what_has_been_measured(measured, codec, photo):
    assert measured.curve("codec") == []
    measured.measure_curves(["codec"])
    measured.measure("codec", 0.0123)  # a point that does not belong to the curve
    expected = []
    for lam in np.geomspace(0.001, 0.06, 13):
        coded = codec.code(codec.analyze(photo), lam)
        expected.append([8 * len(coded.data) / (96 * 144), metrics.psnr(photo, coded.image)])
    np.testing.assert_allclose(measured.curve("codec"), expected)
    for name in RIVALS:
        curve = sorted(classical.rd_curve(name, photo, settings(name)))
        assert measured.curve(name) == [list(point) for point in curve]
        assert settings(name)[0] == classical.QUALITIES[name][0]


@pytest.mark.parametrize("name", RIVALS)
@pytest.mark.parametrize("n_bytes", [1, 700, 2500, 9000, 10**6])
def test_a_rival_at_the_same_bytes(measured, photo, name, n_bytes):
    assert measured.rival(name, n_bytes) is None
    while (quality := measured.next_quality(name, n_bytes)) is not None:
        measured.measure(name, quality)
    rival = measured.rival(name, n_bytes)
    assert rival["file"] == classical.at_bytes(name, photo, n_bytes) and rival["bytes"] == len(rival["file"])
    picture = classical.decode(name, rival["file"])
    assert rival["psnr"] == metrics.psnr(photo, picture) and rival["bpp"] == metrics.bpp(rival["bytes"], photo)
    assert measured.similarity(rival["file"], name) == metrics.ms_ssim(photo, picture)
    assert len(measured.points[name]) < 10, "by bisection"


def test_figures(measured, photo):
    coded = measured.code("codec", 0.01)
    figures = measured.figures(coded, ["jpeg"])
    mse = ((photo.astype(float) - coded.image) ** 2).mean()
    assert figures["bytes"] == len(coded.data) and figures["bpp"] == 8 * len(coded.data) / (96 * 144)
    assert figures["estimated"] == pytest.approx(coded.bits.sum() / (96 * 144))
    assert figures["mse"] == pytest.approx(mse)
    assert figures["psnr"] == pytest.approx(10 * math.log10(255**2 / mse))
    assert figures["lam"] == 0.01 and figures["rivals"] == {"jpeg": None}


@pytest.mark.parametrize("shape, small", [((3000, 4000), (886, 1182)), ((2, 100_000), (1, 8192)), ((1024, 1024), None)])
def test_a_large_photo_is_scaled_down_and_a_sentence_says_so(shape, small):
    image = np.zeros((*shape, 3), np.uint8)
    image[:, shape[1] // 2 :] = 200
    scaled, note = scaled_down(image)
    assert scaled.shape[:2] == (small or shape)
    assert note.startswith(f"{shape[1]} × {shape[0]} pixels")
    assert ("scaled down to" in note) == (small is not None)
    assert scaled[0, 5].max() < 10 and scaled[0, -5].min() > 190


def test_a_curve_of_ours_is_measured_at_stops_of_the_slider():
    assert set(settings("factorized")) < set(STOPS) and len(settings("factorized")) == 13
