"""Tests of the room's front door: bundled codecs by their names, files of weights, and what decodes a file."""

import hashlib
import json
import time

import numpy as np
import pytest
import torch
from safetensors.torch import save
from small_codec import SIZES, small_codec, small_model, smooth_noise

import nctutorial
from nctutorial import BitstreamError, codec
from nctutorial.codec import CODECS, from_bytes, load
from nctutorial.data import WEIGHTS

REFUSED = "does not hold the weights of a codec of this edition"


@pytest.fixture(params=SIZES)
def small(request):
    return small_codec(request.param)


@pytest.mark.parametrize("name", codec.NAMES)
def test_a_bundled_codec_is_read_once_and_decodes_its_files(name):
    bundled = nctutorial.load_codec(name)
    assert nctutorial.load_codec(name) is bundled and bundled.model.kind == name
    assert codec.name_of(bundled.fingerprint) == name and codec.name_of(bytes(4)) is None
    assert load(WEIGHTS / f"{name}.safetensors").fingerprint == bundled.fingerprint
    coded = bundled.code(bundled.analyze(smooth_noise(40, 33)), 0.02)
    np.testing.assert_array_equal(nctutorial.decompress(coded.data), coded.image)
    with pytest.raises(BitstreamError, match="max_pixels"):
        nctutorial.decompress(coded.data, max_pixels=40 * 33 - 1)


def test_files_that_no_bundled_codec_decodes(small):
    with pytest.raises(BitstreamError, match="not bundled here"):
        nctutorial.decompress(small.compress(smooth_noise(20, 20)))
    with pytest.raises(BitstreamError, match="not a .nct file"):
        nctutorial.decompress(b"GIF89a")


# ---- files of weights


def test_weights_survive_a_file(small, tmp_path):
    path = tmp_path / "small.safetensors"
    small.save(path)
    loaded = nctutorial.load_codec(str(path))
    assert not list(tmp_path.glob("*.part"))
    assert loaded.sha256 == small.sha256 and loaded.model.sizes == small.model.sizes
    image = smooth_noise(50, 40)
    assert loaded.compress(image) == small.compress(image)
    np.testing.assert_array_equal(loaded.decompress(small.compress(image)), small.decompress(small.compress(image)))


def test_fingerprint_is_of_every_weight(small):
    digest, state = hashlib.sha256(), small.model.state_dict() | small.integers
    for name in sorted(state):
        digest.update(name.encode() + np.ascontiguousarray(state[name].numpy()).tobytes())
    assert small.sha256 == digest.hexdigest() and small.fingerprint == digest.digest()[:4]
    model = small_model(small.model.kind)
    model.synthesis[-2].bias.detach()[0] += 1e-3
    assert CODECS[model.kind][1].finish(model).fingerprint != small.fingerprint


def test_missing_and_foreign_weights(tmp_path):
    path = tmp_path / "a.safetensors"
    with pytest.raises(FileNotFoundError, match="no weights at .*a.safetensors: train a model or restore"):
        load(path)
    for content in (b"", b"not weights", save({"a": torch.zeros(2)})):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"a.safetensors {REFUSED}: restore it with git or train again"):
            load(path)


def test_altered_weights_are_noticed():
    small = small_codec()
    whole, rng = small.to_bytes(), np.random.default_rng(0)
    header = 8 + int.from_bytes(whole[:8], "little")
    for length in (7, 8, 100, len(whole) // 2, len(whole) - 1):
        with pytest.raises(ValueError, match=REFUSED):
            from_bytes(whole[:length])
    for where in rng.integers(header, len(whole), 20):
        altered = bytearray(whole)
        altered[where] ^= 1 << int(rng.integers(8))
        with pytest.raises(ValueError, match="altered"):
            from_bytes(bytes(altered))
    with pytest.raises(ValueError, match="altered"):
        from_bytes(declaring(whole, sha256=64 * "0"))


def declaring(content, **facts):
    """The content of a file of weights with other facts in its metadata; None takes one away."""
    size = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + size])
    facts = json.loads(header["__metadata__"]["codec"]) | facts
    header["__metadata__"]["codec"] = json.dumps({name: fact for name, fact in facts.items() if fact is not None})
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + size :]


@pytest.mark.parametrize(
    "facts",
    [
        *({"kind": kind} for kind in (None, "", "unknown")),
        *({"kind": kind, "sizes": sizes} for kind, sizes in zip(SIZES, [*SIZES.values()][::-1], strict=True)),
        *({"sizes": sizes} for sizes in (None, "", {}, [1], 7)),
        {"sha256": None},
    ],
    ids=str,
)
def test_weights_that_do_not_say_what_they_are(small, facts):
    with pytest.raises(ValueError, match=REFUSED):
        from_bytes(declaring(small.to_bytes(), **facts))


@pytest.mark.parametrize(
    "lie",
    [
        *({"channels": size} for size in (17, 4096, 10**9, -1, 2.5, "a", None, [1, 2], float("nan"))),
        *({"depth": depth} for depth in ([0, 0], [1], [1, 2], [10**9, 1], [4096, 4096], 7, {})),
        *({"slices": slices} for slices in ([0, 24], [24], [1] * 10_000)),
        {"channels": 0},
        {"another": 3},
    ],
    ids=str,
)
def test_sizes_that_are_not_those_of_the_tensors(small, lie):
    """They are refused before time or memory is taken for them."""
    start = time.process_time()
    with pytest.raises(ValueError, match=REFUSED):
        from_bytes(declaring(small.to_bytes(), sizes=small.model.sizes | lie))
    assert time.process_time() - start < 10


def test_steps_that_are_not_those_of_the_model(small):
    steps = small.integers["steps"]
    for wrong in (steps[:-1], steps[:, :-1], 0 * steps):
        with pytest.raises(ValueError, match="steps of the quantizer do not fit"):
            type(small)(small_model(small.model.kind), small.integers | {"steps": wrong})
