import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from make_golden import GOLDEN
from small_codec import SIZES, small_codec, smooth_noise

import nctutorial
from nctutorial import BitstreamError, data, metrics
from nctutorial.codec import NAMES, bitstream, units
from nctutorial.codec.bitstream import HEADER_BYTES, Header
from nctutorial.codec.tiles import latent_shape
from nctutorial.codec.units import LAM_LAST, LAM_MAX, LAM_MIN


@pytest.fixture(params=SIZES)
def small(request):
    return small_codec(request.param)


# ---- there and back


@given(st.sampled_from(list(SIZES)), st.integers(1, 70), st.integers(1, 70), st.integers(0, LAM_LAST))
@settings(max_examples=50)
def test_round_trip_of_any_size(kind, height, width, index):
    codec, image, lam = small_codec(kind), smooth_noise(height, width), units.lam_at(index)
    latent = codec.analyze(image)
    symbols, coded = codec.quantize(latent, lam), codec.code(latent, lam)
    assert coded.data == codec.encode(symbols) == codec.compress(image, lam)
    decoded = codec.decode(coded.data)
    for name, value in vars(symbols).items():
        np.testing.assert_array_equal(getattr(decoded, name), value, err_msg=name)
    assert (decoded.height, decoded.width, decoded.lam_index, coded.lam) == (height, width, index, lam)
    np.testing.assert_array_equal(codec.decompress(coded.data), coded.image)
    assert coded.image.shape == image.shape and coded.image.dtype == np.uint8
    assert coded.bits.shape == latent_shape(height, width)
    np.testing.assert_array_equal(coded.bits, codec.bits(symbols))
    payload = 8 * (len(coded.data) - HEADER_BYTES)
    assert coded.bits.sum() - 1 <= payload <= 1.001 * coded.bits.sum() + 72


def test_any_strides_give_the_same_bytes(small):
    image = smooth_noise(33, 50)
    for same in (np.asfortranarray(image), image[:, ::-1].copy()[:, ::-1]):
        assert small.compress(same, 0.02) == small.compress(image, 0.02)


@pytest.mark.parametrize("image", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((0, 4, 3), np.uint8)])
def test_what_is_no_image(small, image):
    with pytest.raises(data.ImageError, match="uint8"):
        small.compress(image)


def test_bits_are_where_the_detail_is(small):
    image = np.full((64, 64, 3), 128, np.uint8)
    detail = smooth_noise(16, 16).astype(int)
    image[16:32, 32:48] = detail - detail.mean((0, 1)).round().astype(int) + 128  # the mean colour does not change
    bits = small.code(small.analyze(image), 0.03).bits
    assert np.unravel_index(bits.argmax(), bits.shape) == (1, 2)


@pytest.mark.parametrize("name", NAMES)
def test_larger_lam_is_larger_and_better(name, red_panda):
    codec, image = nctutorial.load_codec(name), red_panda[160:352, 160:352]
    latent = codec.analyze(image)
    coded = [codec.code(latent, lam) for lam in np.geomspace(LAM_MIN, LAM_MAX, 17)]
    assert (np.diff([len(c.data) for c in coded]) > 0).all()
    assert (np.diff([metrics.psnr(image, c.image) for c in coded]) > 0).all()


# ---- large photos


@torch.no_grad()
def test_in_tiles_as_in_one(small):
    image, lam = smooth_noise(1050, 1041), 0.02  # 66 x 66 locations: four tiles, two of them narrow
    latent = small.analyze(image)
    whole = small.model.analyze_tensor(data.pad_to_multiple(data.to_tensor(image), 16))
    torch.testing.assert_close(latent.y, whole, atol=1e-3, rtol=1e-3)
    symbols = small.decode(small.compress(image, lam))
    lam = torch.tensor([units.lam_at(symbols.lam_index)])
    gain = small.model.at_lam(small.model.log_inverse_gain, lam)
    y_hat = torch.from_numpy(symbols.in_steps((slice(0, 66), slice(0, 66))))[None] * gain
    expected = data.to_uint8(small.model.synthesize_tensor(y_hat, lam)[..., :1050, :1041])
    difference = np.abs(small.reconstruct(symbols).astype(int) - expected)
    assert difference.max() <= 1 and difference.mean() < 1e-3  # floats in another order


# ---- streams that are not what an encoder wrote


def repaired(stream):
    """The file with its length and its checksum made right again: what a clever vandal leaves."""
    fields, payload = bytes(stream[:18]) + struct.pack("<I", len(stream) - HEADER_BYTES), bytes(stream[HEADER_BYTES:])
    return fields + struct.pack("<I", zlib.crc32(fields + payload)) + payload


def replaced(stream, rng):
    there = np.frombuffer(stream, np.uint8)
    return np.where(rng.random(len(there)) < 0.02, rng.integers(256, size=len(there)), there).astype(np.uint8).tobytes()


def cut(stream, rng):
    return stream[: HEADER_BYTES + 4 * int(rng.integers((len(stream) - HEADER_BYTES) // 4))]


def grown(stream, rng):
    return stream + rng.bytes(int(rng.integers(1, 9)))


def noise(stream, rng):
    sides = struct.pack("<II", *rng.integers(1, 60, 2).tolist())
    return stream[:10] + sides + stream[18:HEADER_BYTES] + rng.bytes(4 * int(rng.integers(60)))


@pytest.mark.parametrize("vandal", [replaced, cut, grown, noise])
def test_damaged_streams_decode_under_a_right_checksum_or_are_an_error(small, vandal):
    stream, rng, outcomes = small.compress(smooth_noise(40, 23), 0.02), np.random.default_rng(0), set()
    for _ in range(100):
        damaged = vandal(stream, rng)
        if damaged != stream:
            with pytest.raises(BitstreamError):
                small.decode(damaged)
        try:
            assert small.decompress(repaired(damaged), 10_000).shape == (*struct.unpack_from("<II", damaged, 10), 3)
            outcomes.add("decoded")
        except BitstreamError as error:
            assert "\n" not in str(error)
            outcomes.add(str(error))
    assert len(outcomes) > 1


def test_another_models_stream_and_a_lam_beyond_the_grid(small):
    other = next(codec for codec in map(small_codec, SIZES) if codec is not small)
    with pytest.raises(BitstreamError, match="another model"):
        other.decode(small.compress(smooth_noise(20, 20)))
    with pytest.raises(BitstreamError, match="4097"):
        small.decode(bitstream.pack(Header(small.fingerprint, LAM_LAST + 1, 8, 8), b""))


def peak_of_refusal(codec, stream, match):
    """The most bytes of memory taken while a stream is refused with a message that matches."""
    tracemalloc.start()
    try:
        with pytest.raises(BitstreamError, match=match):
            codec.decompress(stream)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("height, width", [(2**32 - 1, 2**32 - 1), (10_000, 10_000), (1, 80_000_000), (80_000_000, 1)])
def test_no_memory_is_taken_for_a_picture_over_the_limit(small, height, width):
    stream = bitstream.pack(Header(small.fingerprint, 0, height, width), b"")
    assert peak_of_refusal(small, stream, "max_pixels") < 1_000_000


def test_no_memory_is_taken_for_a_picture_that_the_payload_cannot_hold():
    stream = (GOLDEN / "mariachi_high.nct").read_bytes()
    forged = repaired(stream[:10] + struct.pack("<II", 3072, 4096) + stream[18:])
    peak = peak_of_refusal(nctutorial.load_codec(), forged, "cannot hold a picture of this size")
    assert peak < 10_000_000  # the symbols alone would take 63 MB
