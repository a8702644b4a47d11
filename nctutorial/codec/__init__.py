"""The trained codecs that come with the course, and files of weights."""

import functools

import numpy as np
from safetensors import SafetensorError, safe_open

from ..data import WEIGHTS
from . import bitstream
from .base import Codec
from .bitstream import BitstreamError
from .factorized import FactorizedCodec
from .hyperprior import HyperpriorCodec

NAMES = ("factorized", "hyperprior")


def codec_class(name: str) -> type[Codec]:
    """The class of a codec by its name, one of NAMES."""
    classes: dict[str, type[Codec]] = {"factorized": FactorizedCodec, "hyperprior": HyperpriorCodec}
    return classes[name]


@functools.lru_cache
def _bundled(name: str) -> Codec:
    return codec_class(name).load(WEIGHTS / f"{name}.safetensors")


def load_codec(name: str = "factorized") -> Codec:
    """A trained codec: a bundled one by its name, read once, or the .safetensors file that `nctutorial train` wrote.

    Raises FileNotFoundError, or ValueError if the file does not hold weights of a codec.
    """
    if name in NAMES:
        return _bundled(name)
    try:
        with safe_open(name, "pt") as file:
            kind = "hyperprior" if "unit" in file.keys() else "factorized"
    except (SafetensorError, OSError):
        kind = "factorized"  # whose loading says what is wrong
    return codec_class(kind).load(name)


@functools.lru_cache
def _fingerprint(name: str) -> bytes:
    """Of a bundled codec. Its file notes it: what one codec wrote is decoded without the weights of the others."""
    try:
        with safe_open(WEIGHTS / f"{name}.safetensors", "pt") as file:
            return bytes.fromhex(file.metadata()["sha256"])[:4]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError):
        return load_codec(name).fingerprint  # or it says what is wrong with the file


def decompress(data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> np.ndarray:
    """The photo in a .nct file: uint8 (H, W, 3).

    Raises BitstreamError if the bytes are foreign, truncated or altered, were written by a model that is not
    bundled, or declare more than `max_pixels` pixels.
    """
    header, _ = bitstream.unpack(data, max_pixels)
    for name in NAMES:
        if _fingerprint(name) == header.fingerprint:
            return load_codec(name).decompress(data, max_pixels)
    raise BitstreamError(
        "the file was written by a model that is not bundled here: update this installation, "
        "or decode it with load_codec(path).decompress(data)"
    )
