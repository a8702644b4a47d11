"""Learned image compression, step by step: the helper package of the course."""

from .bitstream import BitstreamError
from .models import decompress, load_codec

__all__ = ["BitstreamError", "decompress", "load_codec"]
__version__ = "0.1.0"
