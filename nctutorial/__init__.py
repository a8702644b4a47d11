"""Learned image compression, step by step: the helper package of the course."""

from .codec import decompress, load_codec
from .codec.bitstream import BitstreamError

__all__ = ["BitstreamError", "decompress", "load_codec"]
__version__ = "0.1.0"
