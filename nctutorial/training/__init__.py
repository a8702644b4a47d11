"""Training codecs: R + λD on crops of photos, to a file of weights."""

from .loop import train
from .recipe import Recipe

__all__ = ["Recipe", "train"]
