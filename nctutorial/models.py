"""The trained codecs that come with the course, and files of weights."""

import functools

import numpy as np

from . import bitstream
from .bitstream import BitstreamError
from .codecs import Codec
from .data import WEIGHTS
from .factorized import FactorizedCodec

WEIGHT_FILES = {"factorized": "factorized.safetensors"}


@functools.lru_cache
def _bundled(name: str) -> Codec:
    return FactorizedCodec.load(WEIGHTS / WEIGHT_FILES[name])


def load_codec(name: str = "factorized") -> Codec:
    """A trained codec: a bundled one by its name, read once, or the .safetensors file that `nctutorial train` wrote."""
    return _bundled(name) if name in WEIGHT_FILES else FactorizedCodec.load(name)


def decompress(data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> np.ndarray:
    """The photo in a .nct file: uint8 (H, W, 3).

    Raises BitstreamError if the bytes are foreign, truncated or altered, were written by a model that is not
    bundled, or declare more than `max_pixels` pixels.
    """
    header, _ = bitstream.unpack(data, max_pixels)
    for name in WEIGHT_FILES:
        codec = load_codec(name)
        if codec.fingerprint == header.fingerprint:
            return codec.decompress(data, max_pixels)
    raise BitstreamError(
        "the file was written by a model that is not bundled here: update this installation, "
        "or decode it with load_codec(path).decompress(data)"
    )
