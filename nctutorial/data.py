"""Pictures in and out: the bundled photos, the Kodak test set, and whatever photo the reader brings.

An *image* is a uint8 array of shape (H, W, 3), RGB. Tensors for the models are float32 of shape (1, 3, H, W) in [0, 1].
"""

import contextlib
import hashlib
import http.client
import io
import os
import urllib.request
from pathlib import Path
from typing import IO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from . import pictures

DATA = Path(__file__).resolve().parent.parent / "data"
PHOTOS = DATA / "photos"
WEIGHTS = DATA / "weights"
KODAK_URL = "https://r0k.us/graphics/kodak/kodak/"

Source = str | os.PathLike | bytes | bytearray | memoryview | IO[bytes]  # of a picture


class ImageError(ValueError):
    """The picture cannot be read, written or used; the message is one line that says what to do."""


class KodakError(RuntimeError):
    """The Kodak images are missing or altered; the message says how to get them."""


# ---- the bundled photos


def photo_names(split: str = "heldout") -> list[str]:
    """Names of the bundled photos, sorted: 6 "heldout" (never trained on) or 24 "train". Raises ValueError."""
    if split not in ("heldout", "train"):
        raise ValueError(f'split is "heldout" or "train", not {split!r}')
    return sorted(path.stem for path in (PHOTOS / split).glob("*.webp"))


def photo(name: str) -> np.ndarray:
    """A bundled photo by its name: uint8 (H, W, 3). Credits: data/photos/CREDITS.csv. Raises ImageError."""
    paths = {path.stem: path for path in sorted(PHOTOS.glob("*/*.webp"))}
    if name not in paths:
        raise ImageError(f"there is no bundled photo {name!r}; there are: {', '.join(paths)}")
    return load_image(paths[name])


# ---- any picture


def load_image(source: Source) -> np.ndarray:
    """A picture as uint8 (H, W, 3), in sRGB.

    source: a path, the bytes of a file, or an open binary file. Colour profiles are applied, transparency is put on
    white, EXIF rotation is applied, an animation gives its first frame, more than 8 bits a sample become 8. Raises
    ImageError.
    """
    return open_image(source)[0]


def open_image(source: Source) -> tuple[np.ndarray, str]:
    """As `load_image`, and one sentence that says what was changed or left out; "" if nothing was."""
    name = os.fspath(source) if isinstance(source, str | os.PathLike) else "the file"
    try:
        if isinstance(source, str | os.PathLike):
            opened: contextlib.AbstractContextManager[IO[bytes]] = open(source, "rb")
        elif isinstance(source, bytes | bytearray | memoryview):
            opened = io.BytesIO(source)
        else:
            opened = contextlib.nullcontext(source)
        with opened as stream:
            image, said = pictures.read(stream)
    except FileNotFoundError:
        raise ImageError(f"{name} does not exist") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        cure = "to open it all the same, set PIL.Image.MAX_IMAGE_PIXELS to a larger number"
        raise ImageError(f"{name} has more than {Image.MAX_IMAGE_PIXELS:,} pixels; {cure}") from None
    except Image.UnidentifiedImageError:
        formats = "PNG, JPEG, WebP, AVIF, HEIC, TIFF, GIF, BMP, PPM and JPEG 2000 can"
        raise ImageError(f"{name} is not a picture that can be read: {formats}") from None
    except Exception as error:  # on a damaged file Pillow's readers raise nearly anything
        reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
        raise ImageError(f"{name} cannot be read: {reason}") from None
    sentence = "; ".join(said) + "." if said else ""
    return image, sentence[:1].upper() + sentence[1:]


def check_image(image: ArrayLike) -> np.ndarray:
    """The same image as an array, if it is uint8 (H, W, 3) with H, W >= 1. Raises ImageError."""
    image = np.asarray(image)
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise ImageError(f"an image is uint8 of shape (H, W, 3), not {image.dtype} of shape {image.shape}")
    return image


def save_image(path: Path | str, image: np.ndarray) -> None:
    """Write uint8 (H, W, 3) to `path`, in the format of its suffix. Raises ImageError, OSError."""
    image = check_image(image)
    kind = Image.registered_extensions().get(Path(path).suffix.lower())
    if kind not in Image.SAVE:
        raise ImageError(f"{path}: no picture format has this suffix; try .png")
    srgb = PngInfo()
    srgb.add(b"sRGB", b"\0")  # perceptual
    options: dict[str, dict] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 95, "subsampling": "4:4:4"}}
    options["PNG"] = {"pnginfo": srgb}
    buffer = io.BytesIO()
    try:
        Image.fromarray(image).save(buffer, kind, **options.get(kind, {}))
    except (OSError, ValueError) as error:
        raise ImageError(f"{path} cannot be written as {kind}: {error}") from None
    write_atomic(path, buffer.getvalue())


def write_atomic(path: Path | str, data: bytes) -> None:
    """Write `data` to `path` so that a reader finds the old file or the whole new one. Raises OSError."""
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device such as /dev/null must not be replaced by a file
        else:
            temporary.write_bytes(data)
            os.replace(temporary, path)
    except OSError as error:
        error.filename = str(path)  # not the temporary name
        raise
    finally:
        temporary.unlink(missing_ok=True)


# ---- Kodak


def kodak_paths(download: bool = False) -> list[Path]:
    """Paths of the 24 Kodak images (768x512 or 512x768 PNG), each checked against its SHA-256.

    Their folder is NCTUTORIAL_KODAK in the environment, or ~/.cache/nctutorial/kodak. download: fetch the missing
    ones (15 MB in all) from their public home. Raises KodakError.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "nctutorial" / "kodak"
    folder = Path(os.environ.get("NCTUTORIAL_KODAK") or cache).expanduser()
    sums = dict(line.split()[::-1] for line in (DATA / "reference" / "kodak.sha256").read_text().splitlines())
    missing = [name for name in sums if not (folder / name).is_file()]
    if missing and not download:
        raise KodakError(
            f"{len(missing)} of the 24 Kodak images are not in {folder}: set NCTUTORIAL_KODAK to the folder "
            "that has them (kodim01.png to kodim24.png), or fetch them (15 MB) by kodak_paths(download=True)"
        )
    for name in missing:
        _download(name, folder, sums[name])
    for name, digest in sums.items():
        if hashlib.sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise KodakError(f"{folder / name} is not the Kodak image (SHA-256): delete it and fetch it again")
    return [folder / name for name in sums]


def _download(name: str, folder: Path, digest: str) -> None:
    try:
        with urllib.request.urlopen(KODAK_URL + name, timeout=30) as reply:
            data = reply.read()
    except (OSError, http.client.HTTPException) as error:
        raise KodakError(
            f"cannot fetch {KODAK_URL + name} ({error}); when online try again, or copy kodim01.png to "
            f"kodim24.png from elsewhere into {folder}"
        ) from None
    if hashlib.sha256(data).hexdigest() != digest:
        raise KodakError(f"{KODAK_URL + name} did not send the Kodak image: its SHA-256 differs; try again later")
    folder.mkdir(parents=True, exist_ok=True)
    write_atomic(folder / name, data)


# ---- arrays and tensors


def to_tensor(image: np.ndarray) -> torch.Tensor:
    """uint8 (H, W, 3) -> float32 (1, 3, H, W) in [0, 1]."""
    samples = torch.from_numpy(np.array(check_image(image), order="C"))  # a copy: any strides, not shared
    return samples.permute(2, 0, 1)[None].float() / 255


def to_uint8(x: torch.Tensor) -> np.ndarray:
    """Float (1, 3, H, W), nominally in [0, 1] -> uint8 (H, W, 3): rounded and clamped."""
    samples = torch.mul(x[0].detach().float(), 255).round_().clamp_(0, 255)  # in place: fresh memory costs time
    return samples.to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()


def pad_to_multiple(x: torch.Tensor, multiple: int) -> torch.Tensor:
    """(B, 3, H, W) -> (B, 3, H', W'), the next multiples, by repeating the last row and column.

    Repeating costs few bits, black would cost an edge. The decoder crops back to H x W.
    """
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % multiple, 0, -height % multiple), mode="replicate")
