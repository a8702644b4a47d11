"""Golden streams: rewritten only by tests/codec/make_golden.py, decoded alike for ever after."""

import json

import numpy as np
import pytest
import torch
from make_golden import CASES, GOLDEN, crop, sha256, symbols_sha256

import nctutorial
from nctutorial import data
from nctutorial.codec import NAMES


@pytest.fixture(scope="module")
def golden():
    return json.loads((GOLDEN / "golden.json").read_text())


def test_golden_streams_belong_to_the_bundled_weights(golden):
    assert set(golden) == {*CASES, *NAMES}
    for name in NAMES:
        fingerprint = nctutorial.load_codec(name).fingerprint.hex()
        assert fingerprint == golden[name], "new weights? then run python tests/codec/make_golden.py"


@pytest.mark.parametrize("name", CASES)
def test_golden_stream(golden, name):
    codec = nctutorial.load_codec(CASES[name][0])
    stream = (GOLDEN / f"{name}.nct").read_bytes()
    assert sha256(stream) == golden[name]["stream"]
    for threads in (2, 1):
        torch.set_num_threads(threads)
        symbols = codec.decode(stream)
        assert symbols_sha256(symbols) == golden[name]["symbols"]  # exact on every machine
    assert codec.encode(symbols) == stream  # and so is this
    expected = data.load_image(GOLDEN / f"{name}.png").astype(int)
    assert np.abs(codec.reconstruct(symbols) - expected).max() <= 1
    np.testing.assert_array_equal(nctutorial.decompress(stream), codec.reconstruct(symbols))
    # The encoder's transform is in floats: another processor may round a value on an edge the other way, and what
    # is coded after it follows.
    again = codec.quantize(codec.analyze(crop(name)), CASES[name][-1])
    assert type(again) is type(symbols) and again.values.shape == symbols.values.shape
    different = np.abs(again.values - symbols.values)
    assert different.max() <= 2 and different.mean() < 1e-2
