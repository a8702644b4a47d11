"""Latent locations, the pixels below them, and how a large photo is cut into tiles.

A location of the latent stands for STRIDE x STRIDE pixels.
"""

from collections.abc import Iterator

STRIDE = 16  # pixels a latent location covers, each way
WHOLE = 1 << 12  # a photo of up to so many latent locations, a megapixel, goes through the transforms at once,
TILE = 32  # a larger one in tiles of so many locations each way
MARGIN = 4  # locations around a tile that have a say in it: seven 3x3 convolutions at 1/8 reach 3.5

Area = tuple[slice, slice]  # rows, columns


def latent_shape(height: int, width: int) -> tuple[int, int]:
    """Latent locations (h, w) of a photo of height x width pixels."""
    return -(-height // STRIDE), -(-width // STRIDE)


def in_pixels(area: Area) -> Area:
    """Rows and columns of the pixels below an area of latent locations."""
    rows, columns = (slice(STRIDE * side.start, STRIDE * side.stop) for side in area)
    return rows, columns


def tiles(h: int, w: int) -> Iterator[tuple[Area, Area, Area]]:
    """Cut h x w latent locations into tiles, so that a large photo needs no more memory than its pixels do.

    Yields the area of a tile, the same with what the transforms see around it, and the tile's place in that.
    """
    side = max(h, w) if h * w <= WHOLE else TILE
    for top in range(0, h, side):
        for left in range(0, w, side):
            tile, around, inside = zip(_span(top, h, side), _span(left, w, side), strict=True)
            yield tile, around, inside


def _span(first: int, end: int, side: int) -> tuple[slice, slice, slice]:
    """One dimension of a tile that begins at `first`: itself, the same with its margins, and its place in that."""
    last, before = min(first + side, end), max(first - MARGIN, 0)
    return slice(first, last), slice(before, min(last + MARGIN, end)), slice(first - before, last - before)
