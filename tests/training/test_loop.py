import functools
import math

import numpy as np
import pytest
import scipy.stats
import torch
from small_codec import SIZES, small_codec, small_model, smooth_noise

from nctutorial import data
from nctutorial.codec import CODECS, load, units
from nctutorial.codec.rounding import Rounding
from nctutorial.codec.units import LAM_MAX, LAM_MIN
from nctutorial.training import loop
from nctutorial.training.crops import random_crops, read_photos

NOISE = Rounding("noise")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("red_panda", "daisies"):
        data.save_image(folder / f"{name}.png", data.photo(name)[100:260, 200:400])
    return folder


@pytest.fixture
def train(folder, tmp_path, monkeypatch):
    """train(name, ...): small models from the small codec's weights, without the validation on whole photos."""
    for kind, (model, codec) in CODECS.items():
        monkeypatch.setitem(CODECS, kind, (functools.partial(model, **SIZES[kind]), codec))
    monkeypatch.setattr(loop, "validate", lambda model: [(lam, 1.0, 30.0) for lam in loop.VALIDATION_LAMS])
    small_codec().save(tmp_path / "start.safetensors")
    options = {"start": tmp_path / "start.safetensors", "decoder_steps": 0, "batch": 1}
    return lambda name, **more: loop.train(folder, tmp_path / f"{name}.safetensors", **(options | more))


def test_lams_of_a_batch_are_spread_over_the_range():
    torch.manual_seed(0)
    place = units.place_of(torch.stack([loop.random_lams(8) for _ in range(2000)]))
    assert torch.equal((place * 8).floor().clamp(0, 7), torch.arange(8.0).expand(2000, 8))
    assert scipy.stats.kstest(place.flatten().double().numpy(), "uniform").pvalue > 0.01


# ---- loss and validation


def test_loss_is_rate_plus_lam_times_distortion():
    model, lam = small_codec().model, torch.tensor([0.002, 0.03])
    x = torch.cat([data.to_tensor(smooth_noise(32, 48, seed)) for seed in range(2)])
    torch.manual_seed(0)
    losses = loop.relaxed_loss(model, x, lam, NOISE)
    torch.manual_seed(0)
    x_hat, bits = model(x, lam, NOISE)
    for b in range(2):
        mse = np.mean((255 * (x_hat[b] - x[b]).numpy().astype(float)) ** 2)
        assert losses[b].item() == pytest.approx(bits[b].item() / (32 * 48) + lam[b].item() * mse, rel=1e-4)


@pytest.mark.parametrize("kind", SIZES)
def test_validation_is_of_rounded_latents(kind, monkeypatch):
    image, codec = smooth_noise(70, 90), small_codec(kind)
    monkeypatch.setattr(loop, "photo_names", lambda split: ["a"])
    monkeypatch.setattr(loop, "photo", lambda name: image)
    rows = loop.validate(small_model(kind))
    assert [row[0] for row in rows] == list(loop.VALIDATION_LAMS)
    assert (np.diff([row[1:] for row in rows], axis=0) > 0).all()  # more bits, better pictures
    coded = codec.code(codec.analyze(image), LAM_MAX)
    assert rows[-1][1] == pytest.approx(coded.bits.sum() / (70 * 90), rel=0.05)
    mse = np.mean((coded.image.astype(float) - image) ** 2)
    assert rows[-1][2] == pytest.approx(10 * math.log10(255**2 / mse), abs=0.2)


# ---- training


@pytest.mark.parametrize(
    "kind, options",
    [("factorized", {"start": None}), ("factorized", {"rounding": "random"}), ("hyperprior", {})],
)
def test_thirty_steps_lower_the_loss(folder, tmp_path, train, kind, options):
    lam = torch.from_numpy(np.geomspace(LAM_MIN, LAM_MAX, 16)).float()

    def mean_loss(codec):
        torch.manual_seed(0)
        x = random_crops(read_photos(folder, 128), np.random.default_rng(9), 16)
        return (loop.relaxed_loss(codec.model, x, lam, NOISE) * (lam / LAM_MAX).rsqrt()).mean().item()

    before = train("before", model=kind, steps=0, **options)
    options |= {"steps": 30, "decoder_steps": 5, "batch": 4, "lr": 0.05, "every": 10}
    after = train("after", model=kind, **options)
    assert mean_loss(after) < {"factorized": 0.99, "hyperprior": 0.998}[kind] * mean_loss(before)
    assert load(tmp_path / "after.safetensors").fingerprint == after.fingerprint
    log = [row.split(",") for row in (tmp_path / "after.csv").read_text().splitlines()]
    assert [row[0] for row in log] == ["10", "20", "30"] and {len(row) for row in log} == {2 + 3 * 5}
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("kind", SIZES)
@pytest.mark.parametrize("decoder_steps", [2, 1])
def test_the_encoder_rests_in_the_decoder_steps(train, kind, decoder_steps):
    before, after = (
        train(name, model=kind, steps=steps, decoder_steps=decoder_steps, batch=2).state
        for name, steps in (("a", 0), ("b", 2))
    )
    moved = {name for name in before if before[name].shape != after[name].shape or (before[name] != after[name]).any()}
    own = {"factorized": "prior.weights.0", "hyperprior": "context.heads.1.4.bias"}[kind]
    assert {"synthesis.0.weight", "linear_synthesis.weight", "log_inverse_gain", own} <= moved
    encoder = {"analysis.1.weight", "linear_analysis.weight", "log_gain"}
    assert encoder & moved == (set() if decoder_steps == 2 else encoder)


def killed_after(calls, function):
    """The function, interrupted at the call behind so many."""
    left = iter(range(calls))

    def interrupted(*arguments):
        if next(left, None) is None:
            raise KeyboardInterrupt
        return function(*arguments)

    return interrupted


# The third: just after the deadzones moved for the second time. The last: when the log is ahead of its checkpoint.
@pytest.mark.parametrize(
    "steps, every, name, calls",
    [
        (6, 2, "random_crops", 1),
        (6, 2, "random_crops", 5),
        (103, 100, "random_crops", 101),
        (6, 2, "save_checkpoint", 1),
    ],
)
def test_killed_and_resumed_training_ends_with_the_same_bits(tmp_path, train, monkeypatch, steps, every, name, calls):
    options = {"steps": steps, "decoder_steps": 2, "every": every}
    whole = train("whole", **options)
    out = tmp_path / "resumed.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(loop, name, killed_after(calls, getattr(loop, name)))
        with pytest.raises(KeyboardInterrupt):
            train("resumed", **options)
    assert not out.exists() and out.with_suffix(".checkpoint").exists() == ((name, calls) != ("random_crops", 1))
    resumed = train("resumed", **options)
    assert resumed.sha256 == whole.sha256 == load(out).sha256
    assert out.with_suffix(".csv").read_text() == (tmp_path / "whole.csv").read_text()  # the mean loss goes on, too


def test_photos_that_are_smaller_than_the_crop(train):
    with pytest.raises(data.ImageError, match="no picture of 256 x 256 pixels"):
        train("a", steps=1, crop=256)
