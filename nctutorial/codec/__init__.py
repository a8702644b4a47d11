"""The codec: from a photo to bytes and back. Here are the bundled codecs, and files of weights."""

import functools
import io
import json
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from safetensors.torch import load as load_tensors

from ..data import WEIGHTS
from . import bitstream
from .base import Codec
from .bitstream import BitstreamError
from .factorized import FactorizedCodec, FactorizedModel
from .hyperprior import HyperpriorCodec, HyperpriorModel
from .model import Model

CODECS: dict[str, tuple[type[Model], type[Codec]]] = {
    "factorized": (FactorizedModel, FactorizedCodec),
    "hyperprior": (HyperpriorModel, HyperpriorCodec),
}
NAMES = tuple(CODECS)
LARGEST_SIZE, MOST_BLOCKS = 512, 32  # channels of a layer, and residual blocks, in a file of weights


@functools.lru_cache
def _bundled(name: str) -> Codec:
    return load(WEIGHTS / f"{name}.safetensors")


def load_codec(model: str = "factorized") -> Codec:
    """A trained codec: a bundled one by its name, read once, or the .safetensors file that `nctutorial train` wrote.

    Raises FileNotFoundError, or ValueError if the file does not hold a codec.
    """
    return _bundled(model) if model in NAMES else load(model)


def load(path: Path | str) -> Codec:
    """The codec in a .safetensors file. Raises FileNotFoundError, or ValueError if it holds none."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"there are no weights at {path}: train a model or restore the file with git")
    try:
        return from_bytes(Path(path).read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} {error}: restore it with git or train again") from error


def from_bytes(data: bytes) -> Codec:
    """The codec in the content of a .safetensors file. Raises ValueError if it holds none."""
    try:
        facts = _facts(io.BytesIO(data))
        model_type, codec_type = CODECS[facts["kind"]]
        model = model_type(**_checked(facts["sizes"]))
        state = load_tensors(data)
        model.load_state_dict({name: state.pop(name) for name in model.state_dict()})
        codec = codec_type(model, state)
        noted = facts["sha256"]
    except Exception as error:  # on a damaged file the readers raise nearly anything
        raise ValueError("does not hold the weights of a codec of this edition") from error
    if noted != codec.sha256:
        raise ValueError("holds weights that were altered")
    return codec


def _facts(file: BinaryIO) -> dict[str, Any]:
    """What a .safetensors file notes of its codec: kind, sizes, SHA-256. The tensors behind are not read."""
    size = int.from_bytes(file.read(8), "little")
    return json.loads(json.loads(file.read(min(size, 1 << 24)))["__metadata__"]["codec"])


@functools.lru_cache
def _fingerprint(name: str) -> bytes:
    """Of a bundled codec, from what its file notes: the weights of the other codec are not read for it."""
    try:
        with open(WEIGHTS / f"{name}.safetensors", "rb") as file:
            return bytes.fromhex(_facts(file)["sha256"])[:4]
    except (OSError, KeyError, TypeError, ValueError):
        return load_codec(name).fingerprint  # or it says what is wrong with the file


def name_of(fingerprint: bytes) -> str | None:
    """The name of the bundled codec that has this fingerprint; None if there is none."""
    return next((name for name in NAMES if _fingerprint(name) == fingerprint), None)


def _checked(sizes: dict[str, Any]) -> dict[str, Any]:
    """The sizes that a file declares, if a model of them takes no more than half a gigabyte. Raises ValueError."""
    sizes = {name: tuple(size) if isinstance(size, list) else size for name, size in sizes.items()}
    parts = [size if isinstance(size, tuple) else (size,) for size in sizes.values()]
    numbers = sum(parts, ())
    if not all(type(number) is int and number > 0 for number in numbers) or len(numbers) > 32:
        raise ValueError(f"{sizes} are no sizes of a model")
    if max(map(sum, parts)) > LARGEST_SIZE or sum(sizes["depth"]) > MOST_BLOCKS:
        raise ValueError(f"the sizes {sizes} are too large")
    return sizes


def decompress(data: bytes, max_pixels: int = bitstream.MAX_PIXELS) -> np.ndarray:
    """The photo in a .nct file: uint8 (H, W, 3).

    Raises BitstreamError if the bytes are foreign, truncated or altered, were written by a model that is not
    bundled, or declare more than `max_pixels` pixels.
    """
    header, _ = bitstream.unpack(data, max_pixels)
    name = name_of(header.fingerprint)
    if name is None:
        raise BitstreamError(
            "the file was written by a model that is not bundled here: update this installation, "
            "or decode it with load_codec(path).decompress(data)"
        )
    return load_codec(name).decompress(data, max_pixels)
