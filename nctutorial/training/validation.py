"""How good a model is that is being trained: rate and distortion of the held-out photos, and units that do nothing."""

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from .. import metrics
from ..codec.model import Model
from ..codec.tiles import STRIDE
from ..data import pad_to_multiple, photo, photo_names, to_tensor, to_uint8

LAMS = (0.001, 0.0028, 0.0078, 0.0215, 0.06)
DEAD = 1e-3  # a unit is dead whose spread is less than so much of the mean of its layer


@torch.no_grad()
def validate(model: Model) -> tuple[list[tuple[float, float, float]], float]:
    """(λ, estimated bpp, PSNR), averaged over the held-out photos; and the part of all units that are dead there."""
    moments: dict[str, list[Tensor]] = {}

    def watch(name: str, layer: nn.Module, inputs: object, out: Tensor) -> None:
        out = out.float().transpose(0, 1).flatten(1)
        moments.setdefault(name, []).append(torch.stack([out.mean(1), out.square().mean(1)]))

    units = [(name, layer) for name, layer in model.named_modules() if isinstance(layer, nn.LeakyReLU)]
    handles = [layer.register_forward_hook(partial(watch, name)) for name, layer in units]
    rows = []
    model.eval()
    for lam in LAMS:
        points = []
        for name in photo_names("heldout"):
            image = photo(name)
            height, width = image.shape[:2]
            x = pad_to_multiple(to_tensor(image).to(model.y_scale.device), STRIDE)
            x_hat, bits = model(x, torch.tensor([lam], device=x.device))
            points.append((bits.item() / (height * width), metrics.psnr(image, to_uint8(x_hat[..., :height, :width]))))
        bpp, psnr = np.mean(points, axis=0)
        rows.append((lam, float(bpp), float(psnr)))
    for handle in handles:
        handle.remove()
    means = [torch.stack(each).mean(0) for each in moments.values()]
    spreads = [(square - mean.square()).clamp_min(0).sqrt() for mean, square in means]
    dead = torch.cat([spread < DEAD * spread.mean() for spread in spreads]).float().mean().item()
    return rows, dead
