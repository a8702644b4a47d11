import csv
import math

import numpy as np
import pytest
import scipy.stats
import torch
from safetensors.torch import load_file
from small_codec import SmallCodec, SmallHyperprior, small_codec, smooth_noise

from nctutorial import codec as models
from nctutorial import data
from nctutorial.codec import transforms, units
from nctutorial.codec.units import LAM_MAX, LAM_MIN
from nctutorial.training import loop as training
from nctutorial.training.optimizers import Muon

VALIDATION = [(lam, 1.0, 30.0) for lam in training.VALIDATION_LAMS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name in ("red_panda", "daisies"):
        data.save_image(folder / f"{name}.png", data.photo(name)[100:260, 200:400])
    (folder / "CREDITS.txt").write_text("not a picture")
    data.save_image(folder / "stamp.png", smooth_noise(100, 200))  # smaller than a crop
    return folder


@pytest.fixture
def quick(monkeypatch):
    """Training of a small model, in float32, without the validation on whole photos."""
    monkeypatch.setattr(models, "FactorizedCodec", SmallCodec)
    monkeypatch.setattr(training, "fastest_dtype_is_bf16", lambda device: False)
    monkeypatch.setattr(training, "validate", lambda codec: VALIDATION)


@pytest.fixture
def without_pca(quick, monkeypatch):
    """Saves the second that the PCA takes."""
    monkeypatch.setattr(training, "start_from_pca", lambda *arguments: None)


# ---- Muon


@pytest.mark.parametrize("shape", [(20, 20), (12, 40), (40, 12), (1, 30)])
def test_orthogonal_is_close_to_the_polar_factor(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, s, v = np.linalg.svd(matrix.numpy().astype(float), full_matrices=False)
    found = Muon.orthogonal(matrix).numpy()
    assert found.shape == shape
    # Newton-Schulz with these coefficients keeps the singular vectors; the values land around 1, not on it.
    core = u.T @ found @ v.T
    large = s > 0.05 * s.max()
    assert (np.diag(core)[large] > 0.65).all() and (np.diag(core)[large] < 1.25).all()
    np.testing.assert_allclose(core - np.diag(np.diag(core)), 0, atol=1e-3)


def test_orthogonal_is_the_same_polynomial_as_in_its_paper():
    torch.manual_seed(0)
    matrix = torch.randn(9, 25)
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    torch.testing.assert_close(Muon.orthogonal(matrix).double(), x, atol=1e-3, rtol=1e-3)


def test_muon_moves_by_nesterov_momentum_made_orthogonal():
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(8, 3, 2, 2))
    expected, momentum = p.detach().clone(), torch.zeros(8, 12)
    optimizer = Muon([p], lr=0.1)
    for _ in range(3):
        p.grad = torch.randn_like(p)
        grad = p.grad.flatten(1)
        momentum = 0.95 * momentum + 0.05 * grad
        update = 0.05 * grad + 0.95 * momentum
        expected -= 0.1 * 0.2 * math.sqrt(12) * Muon.orthogonal(update).view(p.shape)
        optimizer.step()
        torch.testing.assert_close(p.detach(), expected)


# ---- data


def test_read_photos_takes_the_usable_ones(folder):
    photos = training.read_photos(folder)
    assert [image.shape for image in photos] == [(160, 200, 3)] * 2
    np.testing.assert_array_equal(photos[0], data.load_image(folder / "daisies.png"))


def test_read_photos_without_photos(tmp_path):
    with pytest.raises(data.ImageError, match="128 x 128"):
        training.read_photos(tmp_path)


def test_random_crops_are_crops_and_mirrored_crops():
    yy, xx = np.mgrid[:140, :150].astype(np.uint8)
    photos = [np.stack([yy, xx, np.full_like(xx, marker)], axis=2) for marker in (0, 1)]
    photos[1] = np.concatenate([photos[1]] * 3)  # three times the area, three times the crops
    crops = (training.random_crops(photos, np.random.default_rng(0), 300) * 255).round().numpy().astype(int)
    assert crops.shape == (300, 3, 128, 128)
    left_to_right = np.diff(crops[:, 1], axis=2)
    assert set(np.unique(left_to_right)) == {-1, 1}
    mirrored = (left_to_right == -1).all((1, 2))
    np.testing.assert_array_equal((left_to_right == 1).all((1, 2)), ~mirrored)
    assert 0.4 < mirrored.mean() < 0.6
    assert 0.68 < crops[:, 2, 0, 0].mean() < 0.82
    assert set(crops[:, 1].min((1, 2))) == set(range(23))  # every horizontal position, the last included
    again = training.random_crops(photos, np.random.default_rng(0), 300)
    np.testing.assert_array_equal((again * 255).round().numpy().astype(int), crops)


def test_the_start_is_the_pca_of_patches():
    photos = [smooth_noise(160, 192, seed) for seed in range(3)]
    codec = SmallCodec()
    training.start_from_pca(codec, photos, np.random.default_rng(5))
    crops = training.random_crops(photos, np.random.default_rng(5), 400).numpy() - 0.5
    patches = crops.reshape(400, 3, 8, 16, 8, 16).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 768)
    _, s, v = np.linalg.svd(np.linalg.qr(patches.astype(np.float64), mode="r"))  # those of the patches themselves
    basis = codec.linear_analysis.weight.detach().numpy()[:, :, 0, 0]
    assert s[23] > 1.001 * s[24]  # else the subspace is not unique
    np.testing.assert_allclose(basis.T @ basis, v[:24].T @ v[:24], atol=1e-4)
    np.testing.assert_allclose(np.abs(np.sum(basis * v[:24], axis=1)), 1, atol=0.01)  # and in the same order
    np.testing.assert_array_equal(codec.linear_synthesis.weight.detach().numpy()[:, :, 0, 0], basis.T)
    spread = s[:24] / math.sqrt(len(patches)) * transforms.GREY
    np.testing.assert_allclose(codec.y_scale.numpy(), np.maximum(spread, 0.3), rtol=1e-3)


def test_the_pca_begins_with_the_mean_colours(monkeypatch):
    rng = np.random.default_rng(0)
    faint, loud = rng.integers(-9, 10, (12, 12, 3)), rng.integers(-90, 91, (12, 12, 1))
    flat, ramp = (each.repeat(16, axis=0).repeat(16, axis=1) for each in (faint, loud))
    photo = (128 + flat + ramp * np.tile(np.linspace(-1, 1, 16), 12)[:, None]).astype(np.uint8)
    codec = SmallCodec()
    monkeypatch.setattr(training, "random_crops", lambda *_: data.to_tensor(photo))
    training.start_from_pca(codec, [photo], rng)
    basis = codec.linear_analysis.weight.detach().unflatten(1, (3, 256))[..., 0, 0]
    mean_colour = basis.sum(2).square().sum(1) / 256  # of a pattern's energy, 1, how much is flat
    assert (mean_colour[:3] > 0.99).all() and (mean_colour[3:] < 0.01).all()
    assert codec.y_scale[3] > 5 * codec.y_scale[0]  # not because they have more energy


# ---- losses


def test_loss_is_rate_plus_lam_times_distortion():
    codec, lam = small_codec(), torch.tensor([0.002, 0.03])
    x = torch.cat([data.to_tensor(smooth_noise(32, 48, seed)) for seed in range(2)])
    with torch.no_grad():
        torch.manual_seed(0)
        found = training.relaxed_loss(codec, x, lam, "noise")
        torch.manual_seed(0)
        x_hat, bits = codec(x, lam, "noise")
    for b in range(2):
        mse = np.mean((255 * (x_hat[b] - x[b]).numpy().astype(float)) ** 2)
        assert found[b].item() == pytest.approx(bits[b].item() / (32 * 48) + lam[b].item() * mse, rel=1e-4)


def test_every_parameter_has_one_optimizer():
    codec = SmallCodec()
    muon, adam = training.optimizers(codec, 0.01)
    groups = [group["params"] for group in muon.param_groups + adam.param_groups]
    ids = [id(p) for group in groups for p in group]
    assert sorted(ids) == sorted(id(p) for p in codec.parameters())
    assert all(p.dim() == 4 for p in groups[0])


def test_validation_is_of_rounded_latents(monkeypatch):
    monkeypatch.setattr(training, "photo_names", lambda split: ["a"])
    image = smooth_noise(70, 90)
    monkeypatch.setattr(training, "photo", lambda name: image)
    rows = training.validate(small_codec())
    assert [row[0] for row in rows] == list(training.VALIDATION_LAMS)
    assert (np.diff([row[1:] for row in rows], axis=0) > 0).all()  # more bits, better pictures
    codec, lam = small_codec(), 0.06  # and near what the real codec makes of the same 64 x 80 pixels
    coded = codec.code(codec.analyze(np.ascontiguousarray(image[:64, :80])), lam)
    assert rows[-1][1] == pytest.approx(coded.bits.sum() / (64 * 80), rel=0.15)
    mse = np.mean((coded.image.astype(float) - image[:64, :80]) ** 2)
    assert rows[-1][2] == pytest.approx(10 * math.log10(255**2 / mse), abs=0.5)


# ---- the loop


def mean_loss(codec, photos):
    """Mean training loss over a fixed draw of crops, λ and noise."""
    torch.manual_seed(0)
    x = training.random_crops(photos, np.random.default_rng(9), 16)
    lam = torch.from_numpy(np.geomspace(LAM_MIN, units.LAM_MAX, 16)).float()
    with torch.no_grad():
        return (training.relaxed_loss(codec, x, lam, "noise") * (lam / units.LAM_MAX).rsqrt()).mean().item()


@pytest.mark.parametrize("relaxation", training.RELAXATIONS)
def test_thirty_steps_lower_the_loss(folder, tmp_path, quick, relaxation):
    before = training.train(folder, tmp_path / "before.safetensors", steps=0)
    arguments = {"steps": 30, "decoder_steps": 5, "batch": 4, "lr": 0.05, "every": 10, "relaxation": relaxation}
    after = training.train(folder, tmp_path / "after.safetensors", **arguments)
    photos = training.read_photos(folder)
    assert mean_loss(after, photos) < 0.99 * mean_loss(before, photos)
    for name, codec in (("before", before), ("after", after)):
        loaded = SmallCodec.load(tmp_path / f"{name}.safetensors")
        assert loaded.fingerprint == codec.fingerprint
        image = smooth_noise(30, 20)
        assert loaded.decompress(codec.compress(image)).shape == image.shape
    with open(tmp_path / "after.csv", newline="") as file:
        log = list(csv.reader(file))
    assert [row[0] for row in log] == ["10", "20", "30"]
    assert len(log[0]) == 2 + 3 * len(VALIDATION)
    assert not list(tmp_path.glob("*.part"))


def test_lams_of_a_batch_are_spread_over_the_range():
    torch.manual_seed(0)
    drawn = torch.stack([training.random_lams(8) for _ in range(2000)])
    place = torch.log(drawn / LAM_MIN) / math.log(LAM_MAX / LAM_MIN)
    assert torch.equal((place * 8).floor().clamp(0, 7), torch.arange(8.0).expand(2000, 8))
    assert scipy.stats.kstest(place.flatten().double().numpy(), "uniform").pvalue > 0.01


def test_the_learning_rate_falls_over_two_thirds_of_each_phase(folder, tmp_path, without_pca, monkeypatch):
    rates = []
    step = Muon.step
    monkeypatch.setattr(Muon, "step", lambda self: rates.append(self.param_groups[0]["lr"]) or step(self))
    training.train(folder, tmp_path / "a.safetensors", steps=150, decoder_steps=120, batch=1, lr=0.001, every=150)
    expected = [0.001 * min(1, (i + 1) / 100, 1.5 * (n - i) / n) for n in (30, 120) for i in range(n)]
    np.testing.assert_allclose(rates, expected, rtol=1e-6)


def test_random_rounding_cools_and_ends_in_rounding(folder, tmp_path, without_pca, monkeypatch):
    seen, loss = [], training.relaxed_loss
    monkeypatch.setattr(training, "relaxed_loss", lambda *given: seen.append(given[-1]) or loss(*given))
    training.train(folder, tmp_path / "a.safetensors", steps=12, decoder_steps=2, batch=1, relaxation="random")
    np.testing.assert_allclose(seen[:10], [max(0.35 * min(1, 1.5 * (1 - i / 10)), 0.1) for i in range(10)])
    assert seen[3] == 0.35 and seen[9] == 0.1 and seen[10:] == [None, None]


# The last: killed just after the deadzones moved for the second time, it goes on from just before.
@pytest.mark.parametrize("steps, every, killed_after", [(6, 2, 1), (6, 2, 3), (6, 2, 5), (103, 100, 101)])
def test_killed_and_resumed_training_ends_with_the_same_bits(
    folder, tmp_path, without_pca, monkeypatch, steps, every, killed_after
):
    arguments = {"steps": steps, "decoder_steps": 2, "batch": 1, "every": every}
    training.train(folder, tmp_path / "whole.safetensors", **arguments)
    random_crops, calls = training.random_crops, 0

    def killed(*given):
        nonlocal calls
        calls += 1
        if calls > killed_after:
            raise KeyboardInterrupt
        return random_crops(*given)

    out = tmp_path / "resumed.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(training, "random_crops", killed)
        with pytest.raises(KeyboardInterrupt):
            training.train(folder, out, **arguments)
    assert not out.exists()
    resumes = killed_after >= every
    assert out.with_suffix(".checkpoint").exists() == resumes
    # A timing chooses the number format: what it says today is not asked when a checkpoint is there.
    monkeypatch.setattr(training, "fastest_dtype_is_bf16", lambda device: resumes)
    training.train(folder, out, **arguments)
    expected, found = load_file(tmp_path / "whole.safetensors"), load_file(out)
    assert expected.keys() == found.keys()
    for name in expected:
        assert torch.equal(expected[name], found[name]), name
    assert out.with_suffix(".csv").read_text() == (tmp_path / "whole.csv").read_text()  # the mean loss goes on, too


def test_killed_between_the_log_and_the_checkpoint(folder, tmp_path, without_pca, monkeypatch):
    arguments = {"steps": 4, "decoder_steps": 1, "batch": 1, "every": 2}
    training.train(folder, tmp_path / "whole.safetensors", **arguments)
    save_checkpoint = training.save_checkpoint

    def killed(path, step, *rest):
        if step == 4:
            raise KeyboardInterrupt
        save_checkpoint(path, step, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            training.train(folder, tmp_path / "a.safetensors", **arguments)
    log = tmp_path / "a.csv"
    assert len(log.read_text().splitlines()) == 2  # one step more than the checkpoint knows of
    log.write_text(log.read_text()[:-9])
    training.train(folder, tmp_path / "a.safetensors", **arguments)
    assert log.read_text() == (tmp_path / "whole.csv").read_text()


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-1000], lambda b: b"x" * 99])
def test_a_damaged_checkpoint_is_one_sentence(folder, tmp_path, without_pca, damage):
    out, checkpoint = tmp_path / "a.safetensors", tmp_path / "a.checkpoint"
    training.train(folder, out, steps=1, decoder_steps=0, batch=1)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    with pytest.raises(ValueError, match="a.checkpoint is no checkpoint of this training: delete it"):
        training.train(folder, out, steps=2, decoder_steps=0, batch=1)


def test_weights_are_no_checkpoint(folder, tmp_path, without_pca):
    out = tmp_path / "a.safetensors"
    training.train(folder, out, steps=0)
    out.rename(tmp_path / "a.checkpoint")
    with pytest.raises(ValueError, match="delete it"):
        training.train(folder, out, steps=1)


def test_training_goes_on_from_given_weights(folder, tmp_path, without_pca):
    start = tmp_path / "start.safetensors"
    first = training.train(folder, start, steps=0, seed=3)
    same = training.train(folder, tmp_path / "same.safetensors", steps=0, seed=4, start=start)
    more = training.train(folder, tmp_path / "more.safetensors", steps=1, decoder_steps=0, batch=1, start=start)
    assert same.fingerprint == first.fingerprint
    assert SmallCodec.load(start).fingerprint == first.fingerprint != more.fingerprint


@pytest.mark.parametrize("decoder_steps", [2, 1])
def test_the_encoder_rests_in_the_decoder_steps(folder, tmp_path, without_pca, decoder_steps):
    before = training.train(folder, tmp_path / "a.safetensors", steps=0).state_dict()
    arguments = {"steps": 2, "decoder_steps": decoder_steps, "batch": 1}
    after = training.train(folder, tmp_path / "b.safetensors", **arguments).state_dict()
    for name in ("synthesis.0.weight", "linear_synthesis.weight", "prior.weights.0", "log_inverse_gain"):
        assert not torch.equal(before[name], after[name]), name
    for name in ("analysis.1.weight", "linear_analysis.weight", "log_gain"):
        assert torch.equal(before[name], after[name]) == (decoder_steps == 2), name


@pytest.mark.parametrize("phase", ["entropy_steps", "decoder_steps"])
def test_what_rests_in_each_phase_of_a_hyperprior_training(folder, tmp_path, without_pca, monkeypatch, phase):
    monkeypatch.setattr(models, "HyperpriorCodec", SmallHyperprior)
    small_codec().save(tmp_path / "start.safetensors")
    first = dict(kind="hyperprior", batch=2, crop=64, start=tmp_path / "start.safetensors")
    training.train(folder, tmp_path / "a.safetensors", **first, steps=0, decoder_steps=0)
    before = SmallHyperprior.load(tmp_path / "a.safetensors").state_dict()
    again = first | {"start": tmp_path / "a.safetensors", "steps": 2, "decoder_steps": 0, phase: 2}
    after = training.train(folder, tmp_path / "b.safetensors", **again).state_dict()
    moved = {name for name in before if before[name].shape != after[name].shape or (before[name] != after[name]).any()}
    assert {"context.hyper_analysis.0.weight", "context.heads.1.4.bias", "log_hyper_gain"} <= moved
    assert ("synthesis.0.weight" in moved) == ("log_inverse_gain" in moved) == (phase == "decoder_steps")
    assert not moved & {"analysis.1.weight", "linear_analysis.weight", "log_gain", "unit"}


def test_a_relaxation_that_nobody_knows(folder, tmp_path):
    with pytest.raises(ValueError, match="relaxation must be noise or random, not dither"):
        training.train(folder, tmp_path / "a.safetensors", relaxation="dither")


def test_a_crop_is_whole_locations(folder, tmp_path):
    with pytest.raises(ValueError, match="multiple of 16, not 100"):
        training.train(folder, tmp_path / "a.safetensors", crop=100)


def test_the_choice_of_number_format_is_a_yes_or_a_no():
    assert training.fastest_dtype_is_bf16("cpu") in (True, False)


def test_the_whole_loop_with_the_real_validation(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(models, "FactorizedCodec", SmallCodec)
    monkeypatch.setattr(training, "photo_names", lambda split: ["red_panda"])
    training.train(folder, tmp_path / "a.safetensors", steps=1, decoder_steps=0, batch=1)
    (row,) = csv.reader((tmp_path / "a.csv").read_text().splitlines())
    values = np.array(row[2:], float).reshape(-1, 3)
    assert (values[:, 2] > 15).all() and (values[:, 1] > 0).all()
