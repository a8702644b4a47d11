"""Training codecs: R + λD on crops of photos, to a file of weights."""

from .loop import train

__all__ = ["train"]
