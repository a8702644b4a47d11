"""What a training sees: crops of photos and of made pictures."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..data import ImageError, load_image
from .made import made_picture

MADE, MADE_SHARE = 256, 0.1  # made pictures, and their part of the crops


class Photos:
    """Pictures of any size in one buffer of bytes, on a CPU or a GPU; crops are one gather from it."""

    def __init__(self, folder: Path | str, crop: int, device: str, rng: np.random.Generator):
        """folder: with photos of at least `crop` pixels each way. Raises ImageError if there are none."""
        self.folder, self.crop, self.device = Path(folder), crop, device
        self.read: set[Path] = set()
        self.pixels = torch.empty(0, 3, dtype=torch.uint8, device=device)
        self.sizes, self.made = np.empty((0, 2), np.int64), np.empty(0, bool)  # heights and widths; which are made
        self.look()
        if not len(self.sizes):
            raise ImageError(f"{folder} holds no picture of {crop} x {crop} pixels or more: name a folder of photos")
        photos = (self.crops(rng, MADE, crop).permute(0, 2, 3, 1) * 255).byte().cpu().numpy()
        self._append([made_picture(rng, photo) for photo in photos], made=True)

    def look(self) -> None:
        """Append the photos that are new in the folder: some may arrive while the training runs."""
        paths = sorted(path for path in self.folder.rglob("*") if path.is_file() and path not in self.read)
        self.read |= set(paths)
        with ThreadPoolExecutor() as pool:
            images = pool.map(_picture, paths)
        self._append([image for image in images if min(image.shape[:2]) >= self.crop], made=False)

    def _append(self, images: list[np.ndarray], made: bool) -> None:
        if images:
            pixels = torch.from_numpy(np.concatenate([image.reshape(-1, 3) for image in images]))
            self.pixels = torch.cat([self.pixels, pixels.to(self.device)])
            self.sizes = np.concatenate([self.sizes, [image.shape[:2] for image in images]])
            self.made = np.append(self.made, [made] * len(images))

    def crops(self, rng: np.random.Generator, count: int, size: int) -> Tensor:
        """Random crops, half of them mirrored, photos drawn by their area. Returns (count, 3, size, size) in [0, 1]."""
        area = self.sizes.prod(1)
        weight = np.where(self.made, MADE_SHARE / MADE, (1 - MADE_SHARE) * area / area[~self.made].sum())
        i = rng.choice(len(area), count, p=weight / weight.sum())
        height, width = self.sizes[i].T
        first = np.cumsum(area)[i] - area[i] + rng.integers(height - size + 1) * width + rng.integers(width - size + 1)
        line = np.arange(size)
        columns = np.where(rng.random((count, 1)) < 0.5, line, line[::-1])
        pixel = (first[:, None] + line * width[:, None])[:, :, None] + columns[:, None, :]
        return self.pixels[torch.from_numpy(pixel).to(self.device)].permute(0, 3, 1, 2).float() / 255


def _picture(path: Path) -> np.ndarray:
    try:
        return load_image(path)
    except ImageError:
        return np.empty((0, 0, 3), np.uint8)  # a manifest or a licence among the photos
