"""Where a training starts: the PCA of patches, or other weights."""

import copy
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from ..codec import load_codec
from ..codec.model import Model
from ..codec.tiles import STRIDE
from ..codec.transforms import GREY


def _pca(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Spreads, the largest first, and directions of patches around grey. patches: (B, C, h, w) -> (C,), (C, C)."""
    rows = patches.permute(0, 2, 3, 1).flatten(0, 2).double()
    variance, basis = torch.linalg.eigh(rows.T @ rows / len(rows))
    return variance.flip(0).clamp_min(1e-12).sqrt().float(), basis.T.flip(0).float()


@torch.no_grad()
def start_from_pca(model: Model, crops: Tensor) -> None:
    """Start the linear path as the PCA of 16x16 patches, the network behind that of 8x8 patches, each coefficient at
    variance 1, and the prior at the spread of y. crops: (B, 3, H, W)."""
    spread, basis = (each[: len(model.y_scale)] for each in _pca(F.pixel_unshuffle(crops - 0.5, STRIDE)))
    model.linear_analysis.weight.copy_(basis[:, :, None, None])
    model.linear_synthesis.weight.copy_(basis.T[:, :, None, None])
    for layer in (model.linear_analysis, model.linear_synthesis):
        torch.nn.init.zeros_(layer.get_parameter("bias"))
    model.analysis[-1].get_parameter("weight").mul_(spread[:, None, None, None])
    model.y_scale.copy_((spread * GREY).clamp_min(0.3))
    model.start_prior((spread * GREY).clamp_min(0.05))
    first = model.analysis[1].get_parameter("weight")
    spread, basis = _pca(F.pixel_unshuffle(crops - 0.5, 8))
    first.copy_((basis / spread[:, None])[: len(first), :, None, None])


@torch.no_grad()
def start_from(model: Model, path: Path | str, crops: Tensor) -> Model:
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
    model.start_prior(model.analyze_tensor(crops).std((0, 2, 3)).clamp_min(0.1))
    return model
