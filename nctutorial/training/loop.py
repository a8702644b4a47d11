"""Training on L = R + λD: from a folder of photos to a .safetensors file, resumable at any moment."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim import Optimizer
from tqdm import tqdm

from .. import metrics
from ..codec import CODECS
from ..codec.base import Codec
from ..codec.model import Model
from ..codec.rounding import Rounding
from ..codec.tiles import STRIDE
from ..codec.units import LAM_MAX, LAM_MIN
from ..data import pad_to_multiple, photo, photo_names, to_tensor, to_uint8
from .checkpoints import load_checkpoint, read_log, save_checkpoint, write_log
from .crops import CROP, random_crops, read_photos, start_from, start_from_pca
from .optimizers import optimizers
from .recipe import Recipe

VALIDATION_LAMS = (0.001, 0.0028, 0.0078, 0.0215, 0.06)


def random_lams(count: int) -> Tensor:
    """λ for each crop of a batch, log-uniform, one in each of `count` equal parts of the range: (count,)."""
    return LAM_MIN * (LAM_MAX / LAM_MIN) ** ((torch.arange(count) + torch.rand(count)) / count)


def relaxed_loss(model: Model, x: Tensor, lam: Tensor, rounding: Rounding) -> Tensor:
    """R + λD of each crop. x: (B, 3, H, W); lam: (B,). Returns (B,)."""
    x_hat, bits = model(x, lam, rounding)
    return bits / (x.shape[2] * x.shape[3]) + lam * 255**2 * (x_hat - x).square().mean((1, 2, 3))


@torch.no_grad()
def validate(model: Model) -> list[tuple[float, float, float]]:
    """(λ, estimated bpp, PSNR) on the held-out photos, averaged over the photos."""
    rows = []
    model.eval()
    for lam in VALIDATION_LAMS:
        points = []
        for name in photo_names("heldout"):
            image = photo(name)
            height, width = image.shape[:2]
            x = pad_to_multiple(to_tensor(image).to(model.y_scale.device), STRIDE)
            x_hat, bits = model(x, torch.tensor([lam], device=x.device))
            points.append((bits.item() / (height * width), metrics.psnr(image, to_uint8(x_hat[..., :height, :width]))))
        bpp, psnr = np.mean(points, axis=0)
        rows.append((lam, float(bpp), float(psnr)))
    model.train()
    return rows


def train(
    folder: Path | str, out: Path | str, model: str = "factorized", start: Path | str | None = None, **options: Any
) -> Codec:
    """Train a codec on the photos below `folder` and write it to `out` (.safetensors).

    A checkpoint is kept beside `out`; the same call goes on from it and ends with the same weights. `out` with the
    suffix .csv logs the relaxed loss and the validation. The loss is weighted by λ^-1/2, roughly 1 / R, since BD-rate
    counts relative rates. model: "factorized" or "hyperprior". start: weights to begin with, instead of the PCA of
    patches; either kind may take its transforms from the other. options: see Recipe. Raises ImageError if the folder
    holds no photo of at least `crop` x `crop` and 128 x 128 pixels, and ValueError for what Recipe refuses.
    """
    recipe, out = Recipe(**options), Path(out)
    photos = read_photos(folder, max(recipe.crop, CROP))
    learner = _start(CODECS[model][0], start, photos, recipe)
    optims = optimizers(learner, recipe.lr)
    checkpoint, log = out.with_suffix(".checkpoint"), out.with_suffix(".csv")
    first, mean_loss = load_checkpoint(checkpoint, learner, optims) if checkpoint.exists() else (0, math.nan)
    rows = [row for row in read_log(log) if int(row[0]) <= first]
    for step in (bar := tqdm(range(first, recipe.steps), initial=first, total=recipe.steps)):
        if step % 100 == 0:
            learner.update_deadzone(recipe.rounding_cost, rounds=3)
        loss = _update(learner, optims, photos, recipe, step)
        mean_loss = loss if math.isnan(mean_loss) else 0.98 * mean_loss + 0.02 * loss
        bar.set_postfix_str(f"loss {mean_loss:.3f}", refresh=False)
        if (step + 1) % recipe.every == 0 or step + 1 == recipe.steps:
            numbers = [mean_loss, *(value for triple in validate(learner) for value in triple)]
            rows.append([str(step + 1), *(f"{number:.4f}" for number in numbers)])
            write_log(log, rows)
            save_checkpoint(checkpoint, step + 1, mean_loss, learner, optims)
    codec = CODECS[model][1].finish(learner, recipe.rounding_cost)
    codec.save(out)
    return codec


def _start(kind: Callable[[], Model], weights: Path | str | None, photos: list[np.ndarray], recipe: Recipe) -> Model:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(recipe.seed)
    model, rng = kind(), np.random.default_rng(recipe.seed)
    if weights is None:
        start_from_pca(model, photos, rng)
    else:
        model = start_from(model, weights, photos, rng)
    model = model.to(device).train()
    model.bf16 = recipe.bf16 or device == "cuda"
    return model


def _update(model: Model, optims: list[Optimizer], photos: list[np.ndarray], recipe: Recipe, step: int) -> float:
    """One training step. Returns its loss."""
    encoder_learns, rate, rounding = recipe.at(step)
    for trained in (model.analysis, model.linear_analysis, model.log_gain):
        trained.requires_grad_(encoder_learns)
    rng = np.random.default_rng([recipe.seed, step])
    torch.manual_seed(int(rng.integers(2**31)))
    x = random_crops(photos, rng, recipe.batch, recipe.crop).to(model.y_scale.device)
    lam = random_lams(recipe.batch).to(x.device)
    losses = relaxed_loss(model, x.contiguous(memory_format=torch.channels_last), lam, rounding)
    loss = (losses * (lam / LAM_MAX).rsqrt()).mean()
    model.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    for optimizer in optims:
        for group in optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        optimizer.step()
    return loss.item()
