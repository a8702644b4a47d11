"""Training on L = R + λD: from a folder of photos to a .safetensors file, resumable at any moment."""

import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from .. import codec as models
from ..codec.base import Codec
from ..codec.rounding import Relaxation
from ..codec.tiles import STRIDE
from ..codec.transforms import DC_CHANNELS, GREY, Transforms
from ..codec.units import LAM_MAX, LAM_MIN
from ..data import ImageError, load_image, photo, photo_names, to_tensor, write_atomic
from .checkpoints import load_checkpoint, read_log, save_checkpoint
from .optimizers import optimizers

CROP = 128
RELAXATIONS = ("noise", "random")
VALIDATION_LAMS = (0.001, 0.0028, 0.0078, 0.0215, 0.06)


def read_photos(folder: Path | str, least: int = CROP) -> list[np.ndarray]:
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


def random_lams(count: int) -> Tensor:
    """λ for each crop of a batch, log-uniform, one in each of `count` equal parts of the range: (count,)."""
    return LAM_MIN * (LAM_MAX / LAM_MIN) ** ((torch.arange(count) + torch.rand(count)) / count)


def start_from_pca(codec: Codec, photos: list[np.ndarray], rng: np.random.Generator) -> None:
    """Start the linear path as the PCA of 16x16 patches and the prior at the spread of its coefficients.

    The DC_CHANNELS patterns that are most nearly one flat colour come first.
    """
    patches = torch.nn.functional.pixel_unshuffle(random_crops(photos, rng, 400) - 0.5, STRIDE)
    patches = patches.permute(0, 2, 3, 1).reshape(-1, patches.shape[1]).double()
    variance, basis = torch.linalg.eigh(patches.T @ patches / len(patches))
    flatness = basis.unflatten(0, (3, STRIDE**2)).sum(1).square().sum(0)
    rank = variance.clone()
    rank[flatness.topk(DC_CHANNELS).indices] += variance[-1]
    order = rank.argsort(descending=True)[: len(codec.y_scale)]
    variance, basis = variance[order].float(), basis[:, order].float()
    with torch.no_grad():
        codec.linear_analysis.weight.copy_(basis.T[:, :, None, None])
        codec.linear_synthesis.weight.copy_(basis[:, :, None, None])
        for layer in (codec.linear_analysis, codec.linear_synthesis):
            torch.nn.init.zeros_(layer.get_parameter("bias"))
        spread = variance.clamp_min(1e-12).sqrt() * GREY
        codec.y_scale.copy_(spread.clamp_min(0.3))
        codec.start_prior(spread.clamp_min(0.05))
        for last in (codec.analysis[-1], codec.synthesis[-1].get_submodule("conv")):
            torch.nn.init.zeros_(last.get_parameter("weight"))


def fastest_dtype_is_bf16(device: str) -> bool:
    """Whether a convolution runs faster in bfloat16 than in float32 here: yes on GPUs and CPUs with matrix units."""

    def seconds(dtype: torch.dtype) -> float:
        x = torch.randn(8, 128, 16, 16, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last)
        layer = torch.nn.Conv2d(128, 128, 3, padding=1, device=device, dtype=dtype)
        times = []
        for _ in range(6):
            start = time.perf_counter()
            layer(x).sum().item()
            times.append(time.perf_counter() - start)
        return min(times)

    return seconds(torch.bfloat16) < seconds(torch.float32)


@torch.no_grad()
def start_from(codec: Codec, path: Path | str, photos: list[np.ndarray], rng: np.random.Generator) -> None:
    """Start with the weights in a file; of the other kind's weights the transforms alone."""
    found = models.load_codec(str(path))
    if type(found) is type(codec):
        codec.restore(found.state_dict())
        return
    shared = Transforms(len(codec.y_scale)).state_dict().keys()
    codec.load_state_dict({name: value for name, value in found.state_dict().items() if name in shared}, strict=False)
    y = codec.analyze_tensor(random_crops(photos, rng, 64))
    codec.start_prior(y.std((0, 2, 3)).clamp_min(0.1))


def relaxed_loss(codec: Codec, x: Tensor, lam: Tensor, relaxation: Relaxation) -> Tensor:
    """R + λD of each crop. x: (B, 3, H, W); lam: (B,); relaxation: see Codec.forward. Returns (B,)."""
    x_hat, bits = codec(x, lam, relaxation)
    return bits / (x.shape[2] * x.shape[3]) + lam * 255**2 * (x_hat - x).square().mean((1, 2, 3))


@torch.no_grad()
def validate(codec: Codec) -> list[tuple[float, float, float]]:
    """(λ, estimated bpp, PSNR) on the held-out photos, averaged over the photos."""
    rows = []
    codec.eval()
    for lam in VALIDATION_LAMS:
        bpp, psnr = [], []
        for name in photo_names("heldout"):
            x = to_tensor(photo(name)).to(codec.y_scale.device)
            x = x[..., : x.shape[2] // STRIDE * STRIDE, : x.shape[3] // STRIDE * STRIDE]
            lams = torch.tensor([lam], device=x.device)
            y_hat, bits = codec.relaxed(codec.analyze_tensor(x), lams)
            x_hat = codec.synthesize_tensor(y_hat)
            error = (x_hat.clamp(0, 1) - x).square().mean().item()
            bpp.append(bits.item() / (x.shape[2] * x.shape[3]))
            psnr.append(-10 * math.log10(error))
        rows.append((lam, float(np.mean(bpp)), float(np.mean(psnr))))
    codec.train()
    return rows


def train(
    folder: Path | str,
    out: Path | str,
    kind: str = "factorized",
    steps: int = 40_000,
    entropy_steps: int = 0,
    decoder_steps: int = 5_000,
    batch: int = 8,
    crop: int = CROP,
    lr: float = 2e-3,
    seed: int = 0,
    start: Path | str | None = None,
    rounding_cost: float = 8.66,
    relaxation: str = "noise",
    every: int = 500,
) -> Codec:
    """Train a codec on the photos below `folder` and write it to `out` (.safetensors).

    A checkpoint is kept beside `out` every `every` steps; the same call goes on from it and ends with the same
    weights. `out` with the suffix .csv logs the relaxed loss and the validation. The loss is weighted by
    λ^-1/2, roughly 1 / R, since BD-rate counts relative rates. In the first `entropy_steps` of the `steps` only what
    estimates the rate learns. In the last `decoder_steps` the encoder rests, and all behind it learns with the
    quantizer that files use; till then `relaxation` stands in for it: "noise", or "random" (see `rounding.relax`). In
    each phase the learning rate is constant for a third and then falls linearly to 0, and the temperature of "random"
    falls with it from 0.35 to 0.1. kind: "factorized" or
    "hyperprior". start: weights to begin with, instead of the PCA of patches; either kind may take its transforms
    from the other.
    Raises ImageError if the folder holds no photo of at least `crop` x `crop` and 128 x 128 pixels, and ValueError if
    `crop` is not a multiple of 16 or there is no such relaxation.
    """
    if crop % STRIDE:
        raise ValueError(f"crop must be a multiple of {STRIDE}, not {crop}")
    if relaxation not in RELAXATIONS:
        raise ValueError(f"relaxation must be {' or '.join(RELAXATIONS)}, not {relaxation}")
    out = Path(out)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    photos = read_photos(folder, max(crop, CROP))
    torch.manual_seed(seed)
    codec = models.codec_class(kind)()
    if start is None:
        start_from_pca(codec, photos, np.random.default_rng(seed))
    else:
        start_from(codec, start, photos, np.random.default_rng(seed))
    codec = codec.to(device).train()
    codec.bf16 = fastest_dtype_is_bf16(device)
    found = optimizers(codec, lr)
    ends = entropy_steps, steps - decoder_steps, steps
    phases = [*zip((0, *ends), ends, ("entropy", "joint", "decoder"), strict=False)]
    checkpoint, log = out.with_suffix(".checkpoint"), out.with_suffix(".csv")
    first, mean_loss = load_checkpoint(checkpoint, codec, found) if checkpoint.exists() else (0, math.nan)
    rows = [row for row in read_log(log) if int(row[0]) <= first]
    for step in (bar := tqdm(range(first, steps), initial=first, total=steps)):
        begin, end, phase = next(part for part in phases if step < part[1])
        for part in (codec.analysis, codec.linear_analysis, codec.log_gain):
            part.requires_grad_(phase == "joint")
        for part in (codec.synthesis, codec.linear_synthesis, codec.log_inverse_gain):
            part.requires_grad_(phase != "entropy")
        if step % 100 == 0:
            codec.update_deadzone(rounding_cost, rounds=3)
        fall = min(1, 1.5 * (end - step) / (end - begin))
        stand_in: Relaxation = "noise" if relaxation == "noise" else max(0.35 * fall, 0.1)
        rng = np.random.default_rng([seed, step])
        torch.manual_seed(int(rng.integers(2**31)))
        x = random_crops(photos, rng, batch, crop).to(device).contiguous(memory_format=torch.channels_last)
        lam = random_lams(batch).to(device)
        if phase == "entropy":  # D is what it is
            loss = codec.relaxed(codec.analyze_tensor(x), lam, stand_in)[1] / (x.shape[2] * x.shape[3])
        else:
            loss = relaxed_loss(codec, x, lam, None if phase == "decoder" else stand_in)
        loss = (loss * (lam / LAM_MAX).rsqrt()).mean()
        codec.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(codec.parameters(), 5.0)
        for optimizer in found:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * min(fall, (step - begin + 1) / 100)
            optimizer.step()
        mean_loss = loss.item() if math.isnan(mean_loss) else 0.98 * mean_loss + 0.02 * loss.item()
        bar.set_postfix_str(f"loss {mean_loss:.3f}", refresh=False)
        if (step + 1) % every == 0 or step + 1 == steps:
            row = [f"{value:.4f}" for triple in validate(codec) for value in triple]
            rows.append([str(step + 1), f"{mean_loss:.4f}", *row])
            write_atomic(log, "".join(",".join(row) + "\n" for row in rows).encode())
            save_checkpoint(checkpoint, step + 1, mean_loss, codec, found)
    codec = codec.cpu().eval()
    codec.bf16 = False
    codec.finish(rounding_cost)
    codec.save(out)
    return codec
