"""What a training sees and where it starts: photos, crops of them, the PCA of patches or other weights."""

import copy
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm

from ..codec import load_codec
from ..codec.model import Model
from ..codec.tiles import STRIDE
from ..codec.transforms import DC_CHANNELS, GREY
from ..data import ImageError, load_image

CROP = 128  # pixels each way


def read_photos(folder: Path | str, least: int) -> list[np.ndarray]:
    """All pictures below a folder with sides of `least` pixels or more. Raises ImageError if there are none."""
    photos = []
    paths = sorted(p for p in Path(folder).rglob("*") if p.is_file())
    for path in tqdm(paths, desc="reading photos", disable=None):
        try:
            image = load_image(path)
        except ImageError:
            continue  # a manifest or a licence among the photos
        if min(image.shape[:2]) >= least:
            photos.append(image)
    if not photos:
        raise ImageError(f"{folder} holds no picture of {least} x {least} pixels or more: name a folder of photos")
    return photos


def random_crops(photos: list[np.ndarray], rng: np.random.Generator, count: int, size: int = CROP) -> Tensor:
    """Random crops, half of them mirrored, photos drawn by their area. Returns (count, 3, size, size) in [0, 1]."""
    area = np.array([image.shape[0] * image.shape[1] for image in photos], float)
    crops = np.empty((count, size, size, 3), np.uint8)
    for crop, i in zip(crops, rng.choice(len(photos), count, p=area / area.sum()), strict=True):
        top, left = (rng.integers(side - size + 1) for side in photos[i].shape[:2])
        crop[:] = photos[i][top : top + size, left : left + size][:, :: rng.choice([-1, 1])]
    return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255


@torch.no_grad()
def start_from_pca(model: Model, photos: list[np.ndarray], rng: np.random.Generator) -> None:
    """Start the linear path as the PCA of 16x16 patches and the prior at the spread of its coefficients.

    The DC_CHANNELS patterns that are most nearly one flat colour come first.
    """
    patches = F.pixel_unshuffle(random_crops(photos, rng, 400) - 0.5, STRIDE)
    patches = patches.permute(0, 2, 3, 1).flatten(0, 2).double()
    variance, basis = torch.linalg.eigh(patches.T @ patches / len(patches))
    flatness = basis.unflatten(0, (3, STRIDE**2)).sum(1).square().sum(0)
    rank = variance.clone()
    rank[flatness.topk(DC_CHANNELS).indices] += variance[-1]
    order = rank.argsort(descending=True)[: len(model.y_scale)]
    variance, basis = variance[order].float(), basis[:, order].float()
    model.linear_analysis.weight.copy_(basis.T[:, :, None, None])
    model.linear_synthesis.weight.copy_(basis[:, :, None, None])
    for layer in (model.linear_analysis, model.linear_synthesis):
        torch.nn.init.zeros_(layer.get_parameter("bias"))
    for last in (model.analysis[-1], model.synthesis[-1].get_submodule("conv")):
        torch.nn.init.zeros_(last.get_parameter("weight"))
    spread = variance.clamp_min(1e-12).sqrt() * GREY
    model.y_scale.copy_(spread.clamp_min(0.3))
    model.start_prior(spread.clamp_min(0.05))


@torch.no_grad()
def start_from(model: Model, path: Path | str, photos: list[np.ndarray], rng: np.random.Generator) -> Model:
    """The model in a file; or, if that is of the other kind, `model` with its transforms.

    Raises ValueError if these have other sizes.
    """
    other, own = load_codec(str(path)).model, model.state_dict()
    if other.kind == model.kind:
        return copy.deepcopy(other).requires_grad_(True)
    weights = {name: value for name, value in other.state_dict().items() if name in own and name != "deadzone"}
    try:
        model.load_state_dict(weights, strict=False)
    except RuntimeError:
        raise ValueError(f"the transforms in {path} have other sizes than those of a {model.kind} model") from None
    y = model.analyze_tensor(random_crops(photos, rng, 64))
    model.start_prior(y.std((0, 2, 3)).clamp_min(0.1))
    return model
