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
    recipe, out, (kind, codec_type) = Recipe(**options), Path(out), CODECS[model]
    if "RANK" in os.environ and not dist.is_initialized():
        dist.init_process_group("gloo")
    first = processes()[0] == 0  # it writes and prints
    training, dead = Training(folder, kind, start, recipe), math.nan
    checkpoint, log = out.with_suffix(".checkpoint"), out.with_suffix(".csv")
    rows = log.read_text("utf-8").splitlines() if training.resume(checkpoint) and log.exists() else []
    rows = [row for row in rows if int(row.split(",")[0]) <= training.step]
    bar = tqdm(initial=training.step, total=None if recipe.budget else recipe.steps, disable=not first)
    while training.progress < 1:
        bpp, mse = training.update()
        state = f"{training.progress:.1%}, loss {training.loss:.3f}, {bpp:.2f} bpp, {-10 * math.log10(mse):.1f} dB"
        bar.set_postfix_str(f"{state}, {dead:.1%} dead", refresh=False)
        bar.update()
        if training.step % recipe.every == 0 or training.progress == 1:
            training.photos.look()
            if first:
                points, dead = validate(training.averaged)
                row = [training.seconds / 60, training.loss, dead, *(value for point in points for value in point)]
                rows.append(",".join([str(training.step), *(f"{value:.4f}" for value in row)]))
                write_atomic(log, "".join(row + "\n" for row in rows).encode())
                training.save(checkpoint)
    codec = codec_type.finish(training.averaged, recipe.rounding_cost)
    if first:
        codec.save(out)
    return codec


class Training:
    """A model on its way, and all that a step needs."""

    def __init__(self, folder: Path | str, kind: Callable[[], Model], start: Path | str | None, recipe: Recipe):
        self.recipe, self.device = recipe, "cuda" if torch.cuda.is_available() else "cpu"
        rng = np.random.default_rng(recipe.seed)
        torch.manual_seed(recipe.seed)
        self.photos, model = Photos(folder, recipe.crop, self.device, rng), kind()
        crops = self.photos.crops(rng, 400, recipe.crop // 2).cpu()
        if start is None:
            start_from_pca(model, crops)
        else:
            model = start_from(model, start, crops)
        self.model = model.to(self.device).train()
        self.model.bf16 = recipe.bf16 or self.device == "cuda"
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(EMA))
        self.averaged = cast(Model, self.average.module)
        self.optimizers = optimizers(self.model, recipe.lr)
        self.forward = torch.compile(rate_distortion, dynamic=False) if self.device == "cuda" else rate_distortion
        self.step, self.seconds, self.loss, self.began = 0, 0.0, math.nan, time.monotonic()

    @property
    def progress(self) -> float:
        return self.recipe.progress(self.step, self.seconds)

    def save(self, path: Path) -> None:
        numbers = {"step": self.step, "seconds": self.seconds, "loss": self.loss}
        save_checkpoint(path, numbers, [self.model, self.average], self.optimizers)

    def resume(self, path: Path) -> bool:
        """Go on from a checkpoint, if there is one."""
        if path.exists():
            numbers = load_checkpoint(path, [self.model, self.average], self.optimizers)
            self.step, self.seconds, self.loss = int(numbers["step"]), numbers["seconds"], numbers["loss"]
            self.began = time.monotonic() - self.seconds
        return path.exists()

    def update(self) -> tuple[float, float]:
        """One step. Returns bpp and squared error of its crops, averaged over all processes."""
        if self.step % 100 == 0:
            self.model.update_deadzone(self.recipe.rounding_cost, rounds=3)
        do, (number, count) = self.recipe.at(self.progress, self.device == "cuda"), processes()
        for trained in (self.model.analysis, self.model.linear_analysis, self.model.log_gain):
            trained.requires_grad_(do.joint)
        rng = np.random.default_rng([self.recipe.seed, self.step, number])
        torch.manual_seed(int(rng.integers(2**31)))
        x = self.photos.crops(rng, do.batch // count, do.crop).contiguous(memory_format=torch.channels_last)
        lam = random_lams(do.batch)[number::count][: len(x)].to(x.device)
        bpp, mse = self.forward(self.model, x, lam, do.joint)
        loss = ((bpp + lam * 255**2 * mse) * (lam / LAM_MAX).rsqrt()).mean()
        self.model.zero_grad(set_to_none=True)
        (loss / count).backward()
        seconds = torch.tensor(time.monotonic() - self.began, device=x.device)
        numbers = torch.stack([loss.detach(), bpp.detach().mean(), mse.detach().mean(), seconds]) / count
        add_up([numbers, *(p.grad for p in self.model.parameters() if p.grad is not None)])
        if torch.nn.utils.clip_grad_norm_(self.model.parameters(), 5.0).isfinite():  # else the step is left out
            for optimizer in self.optimizers:
                for group in optimizer.param_groups:
                    group["lr"] = group["peak"] * do.rate
                optimizer.step()
        self.average.update_parameters(self.model)
        loss_now, bpp_now, mse_now, self.seconds = numbers.tolist()
        self.loss = loss_now if math.isnan(self.loss) else 0.98 * self.loss + 0.02 * loss_now
        self.step += 1
        return bpp_now, mse_now


def random_lams(count: int) -> Tensor:
    """λ for each crop of a batch, log-uniform, one in each of `count` equal parts of the range: (count,)."""
    place = (torch.arange(count) + torch.rand(count)) / count
    return LAM_MIN * (LAM_MAX / LAM_MIN) ** (place * (1 + 2 * BEYOND) - BEYOND)


def rate_distortion(model: Model, x: Tensor, lam: Tensor, noisy: bool) -> tuple[Tensor, Tensor]:
    """R in bpp and mean squared error of each crop. x: (B, 3, H, W); lam: (B,). Returns (B,), (B,)."""
    x_hat, bits = model(x, lam, noisy)
    return bits / (x.shape[2] * x.shape[3]), (x_hat - x).square().mean((1, 2, 3))
