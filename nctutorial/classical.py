"""The hand-designed codecs that the course compares with: JPEG, JPEG 2000, WebP, AVIF and HEVC intra.

Quality is each codec's own number: JPEG 1 to 100, WebP and AVIF 0 to 100, JPEG 2000 the wanted bits per
pixel, HEVC the quantisation parameter QP (51 to 0: lower is better). The settings are those of
data/reference/kodak_classical.csv. HEVC is x265 4:4:4, a stand-in for BPG: -0.3 % BD-rate from it on Kodak.
"""

import io
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from fractions import Fraction
from types import ModuleType

import numpy as np
from PIL import Image

from .data import ImageError, check_image, load_image
from .metrics import bpp, psnr

CODECS = ("jpeg", "jpeg2000", "webp", "avif", "hevc")
# Format and options; jpeg2000's are its irreversible 9/7 wavelet and colour transform.
PILLOW: dict[str, tuple[str, dict]] = {
    "jpeg": ("JPEG", {"subsampling": "4:2:0", "optimize": True}),
    "jpeg2000": ("JPEG2000", {"irreversible": True, "mct": 1}),
    "webp": ("WEBP", {"method": 6}),
    "avif": ("AVIF", {"speed": 6, "subsampling": "4:4:4", "max_threads": 1, "advanced": {"tune": "psnr"}}),
}

# Every setting that `at_bytes` may use, from the smallest file to the largest.
QUALITIES: dict[str, Sequence[float]] = {
    "jpeg": range(1, 101),
    "jpeg2000": np.geomspace(0.02, 12, 200).tolist(),
    "webp": range(101),
    "avif": range(101),
    "hevc": range(51, -1, -1),
}
# The points of a rate-distortion curve, about 0.1 to 3 bits per pixel on a photo.
CURVE: dict[str, Sequence[float]] = {
    "jpeg": (3, 5, 8, 10, 15, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95),
    "jpeg2000": (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5),
    "webp": (0, 1, 3, 5, 10, 20, 30, 40, 50, 60, 70, 75, 80, 85, 90, 95),
    "avif": (2, 5, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 88),
    "hevc": (49, 45, 41, 37, 33, 29, 25, 21),
}


def encode(codec: str, image: np.ndarray, quality: float) -> bytes:
    """An image, uint8 (H, W, 3), as the bytes of a complete file.

    Raises ValueError if `codec` is not in CODECS, ImageError if its format cannot hold the image, RuntimeError if it
    is HEVC and the package av is not installed.
    """
    _check(codec)
    image = check_image(image)
    if codec == "hevc":
        return _encode_hevc(image, quality)
    kind, options = PILLOW[codec]
    rate = {"quality_layers": [24 / quality]} if codec == "jpeg2000" else {"quality": quality}
    file = io.BytesIO()
    try:
        Image.fromarray(image).save(file, kind, **rate, **options)
    except (OSError, ValueError) as error:
        height, width = image.shape[:2]
        raise ImageError(f"{codec} cannot code this {width} x {height} image: {error}") from None
    return file.getvalue()


def decode(codec: str, data: bytes) -> np.ndarray:
    """The image in a file made by `encode`: uint8 (H, W, 3). Raises as `encode` does."""
    _check(codec)
    return _decode_hevc(data) if codec == "hevc" else load_image(data)


def rd_curve(codec: str, image: np.ndarray, qualities: Iterable[float] | None = None) -> list[tuple[float, float]]:
    """A rate-distortion curve: (measured bpp, PSNR in dB) at each of `qualities`, default CURVE[codec]."""
    _check(codec)
    points = []
    for quality in CURVE[codec] if qualities is None else qualities:
        data = encode(codec, image, quality)
        points.append((bpp(len(data), image), psnr(image, decode(codec, data))))
    return points


def at_bytes(codec: str, image: np.ndarray, n_bytes: int) -> bytes:
    """The best file of at most `n_bytes`, by bisection over QUALITIES[codec]. The smallest file if none is so small."""
    _check(codec)
    scale = QUALITIES[codec]
    larger = bisect_right(scale, n_bytes, lo=1, key=lambda quality: len(encode(codec, image, quality)))
    return encode(codec, image, scale[larger - 1])


def _check(codec: str) -> None:
    if codec not in CODECS:
        raise ValueError(f"there is no codec {codec!r}; there are: {', '.join(CODECS)}")


# ---- HEVC, by PyAV and x265. YCbCr as in JPEG (JFIF), full range, with chroma at full resolution.

LUMA = np.array([0.299, 0.587, 0.114])
RGB_TO_YCBCR = np.array([LUMA, ([0, 0, 1] - LUMA) / 1.772, ([1, 0, 0] - LUMA) / 1.402])
YCBCR_TO_RGB = np.linalg.inv(RGB_TO_YCBCR)
CENTRE = np.array([0, 128, 128])


def _av() -> ModuleType:
    try:
        import av
    except ImportError:
        raise RuntimeError("HEVC needs the package av: pip install av") from None
    return av


def _encode_hevc(image: np.ndarray, qp: float) -> bytes:
    av = _av()
    height, width = image.shape[:2]
    if min(height, width) < 16:
        raise ImageError(f"hevc cannot code this {width} x {height} image: x265 needs 16 pixels a side")
    ycbcr = _to_uint8(image @ RGB_TO_YCBCR.T + CENTRE)
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(ycbcr.transpose(2, 0, 1)), format="yuv444p")
    encoder = av.CodecContext.create("libx265", "w")
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv444p"
    encoder.time_base = Fraction(1, 25)
    settings = f"qp={qp}:keyint=1:info=0:repeat-headers=1:pools=none:frame-threads=1:range=full:log-level=none"
    encoder.options = {"preset": "veryslow", "tune": "ssim", "x265-params": settings}
    return b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)])


def _decode_hevc(data: bytes) -> np.ndarray:
    av = _av()
    decoder = av.CodecContext.create("hevc", "r")
    try:
        packets = [*decoder.parse(data), *decoder.parse(None)]
        frames = [frame for packet in [*packets, None] for frame in decoder.decode(packet)]
    except av.FFmpegError as error:
        raise ImageError(f"this HEVC stream cannot be read: {error.strerror}") from None
    if not frames:
        raise ImageError("this HEVC stream holds no picture")
    ycbcr = frames[0].to_ndarray().transpose(1, 2, 0)
    return _to_uint8((ycbcr - CENTRE) @ YCBCR_TO_RGB.T)


def _to_uint8(samples: np.ndarray) -> np.ndarray:
    return np.floor(samples + 0.5).clip(0, 255).astype(np.uint8)
