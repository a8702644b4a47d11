"""Training on L = R + λD: from a folder of photos to a .safetensors file, resumable at any moment."""

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from tqdm import tqdm

from ..codec import CODECS
from ..codec.base import Codec
from ..codec.model import Model
from ..codec.units import LAM_MAX, LAM_MIN
from ..data import write_atomic
from .checkpoints import load_checkpoint, save_checkpoint
from .optimizers import add_up, optimizers, processes
from .photos import Photos
from .recipe import Recipe
from .start import start_from, start_from_pca
from .validation import validate

EMA = 0.999  # the part of the averages that a step keeps
BEYOND = 0.05  # λ is drawn from so much more than its range, at both ends


def train(
    folder: Path | str, out: Path | str, model: str = "factorized", start: Path | str | None = None, **options: Any
) -> Codec:
    """Train a codec on the photos below `folder` and write it to `out` (.safetensors).

    A checkpoint is kept beside `out`, and the same call goes on from it. `out` with the suffix .csv is the log: step,
    minutes, loss, dead units, then λ, bpp and PSNR five times. The codec has the running averages of the weights.
    Under torchrun several processes share each step. model: "factorized" or "hyperprior". start: weights to begin
    with, instead of the PCA of patches; either kind may take its transforms from the other. options: see Recipe.
    Raises ImageError if the folder holds no photo of at least `crop` x `crop` pixels, and ValueError.
    """
    recipe, out = Recipe(**options), Path(out)
    if "RANK" in os.environ and not dist.is_initialized():
        dist.init_process_group("gloo")
    first = processes()[0] == 0  # it writes and prints
    device = "cuda" if torch.cuda.is_available() else "cpu"
    photos, learner = _begin(folder, CODECS[model][0], start, recipe, device)
    average = AveragedModel(learner, multi_avg_fn=get_ema_multi_avg_fn(EMA))
    averaged = cast(Model, average.module)
    optims = optimizers(learner, recipe.lr)
    checkpoint, log = out.with_suffix(".checkpoint"), out.with_suffix(".csv")
    now = {"step": 0.0, "seconds": 0.0, "loss": math.nan}
    if checkpoint.exists():
        now = load_checkpoint(checkpoint, [learner, average], optims)
    step, dead, began = int(now["step"]), math.nan, time.monotonic() - now["seconds"]
    rows = log.read_text().splitlines() if checkpoint.exists() and log.exists() else []
    rows = [row for row in rows if int(row.split(",")[0]) <= step]
    bar = tqdm(initial=step, total=None if recipe.budget else recipe.steps, disable=not first)
    while (progress := recipe.progress(step, now["seconds"])) < 1:
        if step % 100 == 0:
            learner.update_deadzone(recipe.rounding_cost, rounds=3)
        loss, bpp, mse, seconds = _update(learner, optims, photos, recipe, step, progress, time.monotonic() - began)
        average.update_parameters(learner)
        step += 1
        loss = loss if math.isnan(now["loss"]) else 0.98 * now["loss"] + 0.02 * loss
        now = {"step": step, "seconds": seconds, "loss": loss}
        state = f"{progress:.1%}, loss {loss:.3f}, {bpp:.2f} bpp, {-10 * math.log10(mse):.1f} dB, {dead:.1%} dead"
        bar.set_postfix_str(state, refresh=False)
        bar.update()
        if step % recipe.every == 0 or recipe.progress(step, seconds) == 1:
            photos.look()
            if first:
                points, dead = validate(averaged)
                row = [seconds / 60, loss, dead, *(value for point in points for value in point)]
                rows.append(",".join([str(step), *(f"{value:.4f}" for value in row)]))
                write_atomic(log, "".join(row + "\n" for row in rows).encode())
                save_checkpoint(checkpoint, now, [learner, average], optims)
    codec = CODECS[model][1].finish(averaged, recipe.rounding_cost)
    if first:
        codec.save(out)
    return codec


def _begin(
    folder: Path | str, kind: Callable[[], Model], start: Path | str | None, recipe: Recipe, device: str
) -> tuple[Photos, Model]:
    """The photos, and the model where it starts."""
    rng = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    photos, model = Photos(folder, recipe.crop, device, rng), kind()
    crops = photos.crops(rng, 400, recipe.crop // 2).cpu()
    if start is None:
        start_from_pca(model, crops)
    else:
        model = start_from(model, start, crops)
    model = model.to(device).train()
    model.bf16 = recipe.bf16 or device == "cuda"
    return photos, model


def _update(
    model: Model, optims: list[Optimizer], photos: Photos, recipe: Recipe, step: int, progress: float, seconds: float
) -> list[float]:
    """One training step. Returns loss, bpp, squared error and the seconds until it, averaged over the processes."""
    do, (number, count) = recipe.at(progress), processes()
    for trained in (model.analysis, model.linear_analysis, model.log_gain):
        trained.requires_grad_(do.joint)
    rng = np.random.default_rng([recipe.seed, step, number])
    torch.manual_seed(int(rng.integers(2**31)))
    x = photos.crops(rng, do.batch // count, do.crop).contiguous(memory_format=torch.channels_last)
    lam = random_lams(do.batch)[number::count][: len(x)].to(x.device)
    bpp, mse = rate_distortion(model, x, lam, do.joint)
    loss = ((bpp + lam * 255**2 * mse) * (lam / LAM_MAX).rsqrt()).mean() / count
    model.zero_grad(set_to_none=True)
    loss.backward()
    numbers = torch.stack([loss.detach(), bpp.detach().mean() / count, mse.detach().mean() / count])
    numbers = torch.cat([numbers.cpu(), torch.tensor([seconds / count])])
    add_up([numbers, *(p.grad for p in model.parameters() if p.grad is not None)])
    if torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0).isfinite():  # else the step is left out
        for optimizer in optims:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * do.rate
            optimizer.step()
    return numbers.tolist()


def random_lams(count: int) -> Tensor:
    """λ for each crop of a batch, log-uniform, one in each of `count` equal parts of the range: (count,)."""
    place = (torch.arange(count) + torch.rand(count)) / count
    return LAM_MIN * (LAM_MAX / LAM_MIN) ** (place * (1 + 2 * BEYOND) - BEYOND)


def rate_distortion(model: Model, x: Tensor, lam: Tensor, noisy: bool) -> tuple[Tensor, Tensor]:
    """R in bpp and mean squared error of each crop. x: (B, 3, H, W); lam: (B,). Returns (B,), (B,)."""
    x_hat, bits = model(x, lam, noisy)
    return bits / (x.shape[2] * x.shape[3]), (x_hat - x).square().mean((1, 2, 3))
