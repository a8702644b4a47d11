"""A size or a quality in place of λ."""

import pytest
from small_codec import SIZES, small_codec, smooth_noise

from nctutorial import metrics
from nctutorial.codec import bitstream
from nctutorial.codec.units import LAM_LAST, lam_at
from nctutorial.tools.targets import Target, compress_to


@pytest.fixture(scope="module", params=SIZES)
def coded(request):
    """A codec, a picture, what is between them, and a function: the picture at a position on the grid."""
    codec, image = small_codec(request.param), smooth_noise(64, 80)
    latent = codec.analyze(image)
    return codec, image, lambda index: codec.code(latent, lam_at(index))


def index_of(file):
    return bitstream.unpack(file)[0].lam_index


@pytest.mark.parametrize(
    "text, target",
    [("30000B", (30000, "B")), ("0.5bpp", (0.5, "bpp")), (".5 bpp", (0.5, "bpp")), ("36dB", (36, "dB"))],
)
def test_a_target_is_a_number_and_a_unit(text, target):
    assert Target.parse(text) == target


@pytest.mark.parametrize("text", ["", "36", "dB", "-1B", "nandB", "1e3B", "36db", "3 0B", "1.B", "36dB\n"])
def test_what_is_no_target(text):
    with pytest.raises(ValueError, match="a number and its unit, as 30000B, 0.5bpp or 36dB, unlike"):
        Target.parse(text)


@pytest.mark.parametrize("index", [0, 1, 1000, LAM_LAST - 1, LAM_LAST])
def test_the_largest_lam_that_fits(coded, index):
    codec, image, at = coded
    n_bytes = len(at(index).data)
    file = compress_to(codec, image, Target(n_bytes, "B"))
    assert len(file) <= n_bytes and file == at(index_of(file)).data
    assert index_of(file) == LAM_LAST or len(at(index_of(file) + 1).data) > n_bytes
    assert compress_to(codec, image, Target(metrics.bpp(n_bytes, image), "bpp")) == file


@pytest.mark.parametrize("index", [0, 1, 1000, LAM_LAST - 1, LAM_LAST])
def test_the_smallest_lam_that_is_good_enough(coded, index):
    codec, image, at = coded
    wanted = metrics.psnr(image, at(index).image)
    file = compress_to(codec, image, Target(wanted, "dB"))
    assert metrics.psnr(image, codec.decompress(file)) >= wanted
    assert index_of(file) == 0 or metrics.psnr(image, at(index_of(file) - 1).image) < wanted


def test_a_target_beyond_the_range_of_lam_is_met_at_its_end(coded):
    codec, image, at = coded
    assert compress_to(codec, image, Target(1e9, "B")) == at(LAM_LAST).data
    assert compress_to(codec, image, Target(1.0, "dB")) == at(0).data


def test_out_of_reach_says_what_is_within(coded):
    codec, image, at = coded
    least, best = len(at(0).data), metrics.psnr(image, at(LAM_LAST).image)
    ends = {"10B": least, "0.001bpp": metrics.bpp(least, image), "90dB": best}
    for text, end in ends.items():
        with pytest.raises(ValueError, match=f"{text} is out of reach: ask for .* or (more|less)$") as error:
            compress_to(codec, image, Target.parse(text))
        within = Target.parse(str(error.value).split()[-3])
        assert within.value == pytest.approx(end, abs=0.01)
        assert compress_to(codec, image, within)


def test_analysis_runs_once_and_few_files_are_made(coded, monkeypatch):
    codec, image, _ = coded
    calls = []
    for name in ("analyze", "encode"):
        method = getattr(codec, name)
        monkeypatch.setattr(codec, name, lambda *given, name=name, method=method: calls.append(name) or method(*given))
    compress_to(codec, image, Target(0.8, "bpp"))
    assert calls.count("analyze") == 1 and calls.count("encode") <= 15
