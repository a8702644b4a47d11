import functools
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
import torch
from small_codec import SIZES, small_codec, smooth_noise

from nctutorial import data
from nctutorial.codec import CODECS, load, units
from nctutorial.codec.units import LAM_MAX, LAM_MIN
from nctutorial.training import loop


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
    monkeypatch.setattr(loop, "validate", lambda model: ([(lam, 1.0, 30.0) for lam in (0.001, 0.06)], 0.125))
    options = {"batch": 2, "crop": 64}
    for kind in SIZES:
        small_codec(kind).save(tmp_path / f"{kind}_start.safetensors")

    def train(name, model="factorized", **more):
        more.setdefault("start", tmp_path / f"{model}_start.safetensors")
        return loop.train(folder, tmp_path / f"{name}.safetensors", model, **(options | more))

    return train


def test_lams_of_a_batch_are_spread_over_the_range_and_a_little_beyond():
    torch.manual_seed(0)
    place = units.place_of(torch.stack([loop.random_lams(8) for _ in range(2000)])).double()
    place = (place + loop.BEYOND) / (1 + 2 * loop.BEYOND)
    assert torch.equal((place * 8).floor().clamp(0, 7), torch.arange(8.0).double().expand(2000, 8))
    assert scipy.stats.kstest(place.flatten().numpy(), "uniform").pvalue > 0.01


def test_rate_and_distortion_of_each_crop():
    model, lam = small_codec().model, torch.tensor([0.002, 0.03])
    x = torch.cat([data.to_tensor(smooth_noise(32, 48, seed)) for seed in range(2)])
    bpp, mse = loop.rate_distortion(model, x, lam, False)
    x_hat, bits = model(x, lam)
    torch.testing.assert_close(bpp, bits / (32 * 48))
    for b in range(2):
        assert mse[b].item() == pytest.approx(np.mean((x_hat[b] - x[b]).numpy().astype(float) ** 2), rel=1e-4)


@pytest.mark.parametrize("kind", SIZES)
def test_thirty_steps_lower_the_loss(tmp_path, train, kind):
    lam = torch.from_numpy(np.geomspace(LAM_MIN, LAM_MAX, 16)).float()
    x = torch.cat([data.to_tensor(data.photo("red_panda")[100:228, 200 + i : 328 + i]) for i in range(16)])

    def mean_loss(codec):
        torch.manual_seed(0)
        bpp, mse = loop.rate_distortion(codec.model, x, lam, False)
        return ((bpp + lam * 255**2 * mse) * (lam / LAM_MAX).rsqrt()).mean().item()

    before = train("before", kind, steps=0)
    after = train("after", kind, steps=40, batch=4, lr=0.02, every=20)
    assert mean_loss(after) < 0.99 * mean_loss(before)
    assert load(tmp_path / "after.safetensors").fingerprint == after.fingerprint
    log = [row.split(",") for row in (tmp_path / "after.csv").read_text().splitlines()]
    assert [row[0] for row in log] == ["20", "40"] and {len(row) for row in log} == {4 + 3 * 2}
    assert {row[3] for row in log} == {"0.1250"} and not list(tmp_path.glob("*.part"))


def test_a_start_from_nothing(train):
    assert train("a", steps=2, start=None).fingerprint


@pytest.mark.parametrize("kind", SIZES)
def test_the_encoder_rests_in_the_last_stage(train, monkeypatch, kind):
    """From 85 % on: of a hundred steps the last fifteen."""
    states, update = [], loop.Training.update

    def watched(training):
        numbers = update(training)
        states.append({name: value.clone() for name, value in training.model.state_dict().items()})
        return numbers

    monkeypatch.setattr(loop.Training, "update", watched)
    train("a", kind, steps=20)
    own = {"factorized": "prior.weights.0", "hyperprior": "context.heads.1.4.bias"}[kind]
    for name in ("analysis.1.weight", "linear_analysis.weight", "log_gain"):
        assert not torch.equal(states[15][name], states[14][name]) and torch.equal(states[19][name], states[16][name])
    for name in ("synthesis.0.weight", "linear_synthesis.weight", "log_inverse_gain", own):
        assert not torch.equal(states[19][name], states[16][name])


def test_the_codec_has_the_averages_of_the_weights(train, monkeypatch):
    seen, update = [], loop.Training.update

    def watched(training):
        numbers = update(training)
        seen.append(training.model.linear_synthesis.weight.detach().clone())
        return numbers

    monkeypatch.setattr(loop.Training, "update", watched)
    codec, average = train("a", steps=10, lr=0.05), None
    for weight in seen:
        average = weight if average is None else loop.EMA * average + (1 - loop.EMA) * weight
    torch.testing.assert_close(codec.model.linear_synthesis.weight, average, atol=1e-6, rtol=1e-5)


def test_steps_that_are_not_finite_are_left_out(train, monkeypatch):
    """One batch in three is broken: the training goes on as if it had not been."""
    real, calls = loop.rate_distortion, iter(range(100))

    def broken(*arguments):
        bpp, mse = real(*arguments)
        return (bpp * math.nan if next(calls) % 3 == 1 else bpp), mse

    monkeypatch.setattr(loop, "rate_distortion", broken)
    codec = train("a", steps=9)
    assert all(tensor.isfinite().all() for tensor in codec.model.state_dict().values())


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
    [(6, 2, "update", 1), (6, 2, "update", 5), (103, 100, "update", 101), (6, 2, "save", 1)],
)
def test_killed_and_resumed_training_ends_with_the_same_bits(tmp_path, train, monkeypatch, steps, every, name, calls):
    options = {"steps": steps, "every": every}
    whole = train("whole", **options)
    out = tmp_path / "resumed.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(loop.Training, name, killed_after(calls, getattr(loop.Training, name)))
        with pytest.raises(KeyboardInterrupt):
            train("resumed", **options)
    assert not out.exists() and out.with_suffix(".checkpoint").exists() == ((name, calls) != ("update", 1))
    resumed = train("resumed", **options)
    assert resumed.sha256 == whole.sha256 == load(out).sha256
    logs = (path.with_suffix(".csv").read_text().splitlines() for path in (out, tmp_path / "whole.csv"))
    rows, others = ([(row := line.split(","))[:1] + row[2:] for line in log] for log in logs)  # the minutes differ
    assert rows == others


def test_a_budget_ends_the_training_in_time(tmp_path, train, monkeypatch):
    """By a clock that is half a second further at each look: a minute is over after 120 of them."""
    clock = iter(range(10_000))
    monkeypatch.setattr(loop.time, "monotonic", lambda: next(clock) / 2)
    train("a", budget=1, every=1000)
    (row,) = [line.split(",") for line in (tmp_path / "a.csv").read_text().splitlines()]
    assert 115 <= int(row[0]) <= 125 and float(row[1]) == pytest.approx(1, abs=0.02)


def test_two_processes_share_the_work(folder, tmp_path):
    """torchrun, as the README tells it: both processes end with the same weights."""
    out = tmp_path / "a.safetensors"
    train = [
        "-m",
        "nctutorial.cli",
        "train",
        str(folder),
        "--out",
        str(out),
        "--crop",
        "64",
        "--batch",
        "2",
        "--steps",
        "2",
    ]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", *train]
    done = subprocess.run(command, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    image = smooth_noise(40, 60)
    assert load(out).decompress(load(out).compress(image)).shape == image.shape


def test_photos_that_are_smaller_than_the_crop(train):
    with pytest.raises(data.ImageError, match="no picture of 256 x 256 pixels"):
        train("a", steps=1, crop=256)
