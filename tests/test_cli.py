import errno
import inspect
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from unittest.mock import create_autospec

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from small_codec import SmallCodec, small_codec, smooth_noise

import nctutorial
from nctutorial import cli, data, metrics
from nctutorial import codec as models
from nctutorial.codec.units import LAM_MIN
from nctutorial.training import loop as training

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch, red_panda):
    """The current folder: a photo, a stream, something broken, weights of a small model."""
    monkeypatch.chdir(tmp_path)
    data.save_image("photo.png", red_panda[200:241, 300:352])
    Path("photo.nct").write_bytes(nctutorial.load_codec().compress(data.load_image("photo.png")))
    Path("broken.png").write_bytes(Path("photo.png").read_bytes()[:200])
    Path("empty").mkdir()
    save_file({k: v.contiguous() for k, v in small_codec().state_dict().items()}, "small.safetensors")
    return tmp_path


def files():
    return sorted(str(path) for path in Path().rglob("*"))


# ---- what works


def test_there_and_back(folder, capsys):
    assert cli.main(["compress", "photo.png", "new.nct", "--lam", "0.02"]) == 0
    image, stream = data.load_image("photo.png"), Path("new.nct").read_bytes()
    assert stream == nctutorial.load_codec().compress(image, 0.02)
    out = capsys.readouterr().out
    assert out == f"new.nct: {len(stream):,} bytes, {metrics.bpp(len(stream), image):.4f} bpp at lambda 0.02\n"
    assert cli.main(["decompress", "new.nct", "back.png"]) == 0
    np.testing.assert_array_equal(data.load_image("back.png"), nctutorial.decompress(stream))


@pytest.mark.parametrize("height, width", [(1, 1), (1, 70), (70, 1), (17, 33)])
def test_pictures_of_any_size(folder, height, width):
    data.save_image("odd.png", smooth_noise(height, width))
    assert cli.main(["compress", "odd.png", "odd.nct"]) == 0
    assert cli.main(["decompress", "odd.nct", "back.png"]) == 0
    with Image.open("back.png") as picture:
        assert picture.size == (width, height)


def test_lam_defaults_to_the_apis(folder):
    assert cli.main(["compress", "photo.png", "new.nct"]) == 0
    assert Path("new.nct").read_bytes() == Path("photo.nct").read_bytes()


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1", "I;16"])
def test_any_picture_opens(folder, capsys, mode):
    picture = Image.fromarray(smooth_noise(20, 30))
    suffix = "tif" if mode == "CMYK" else "png"
    if mode == "I;16":
        picture = Image.fromarray(smooth_noise(20, 30)[..., 0].astype(np.uint16) * 257)
    elif mode == "LA":
        picture = picture.convert("L").convert("LA")
    else:
        picture = picture.convert(mode)
    if mode == "RGBA":
        picture.putalpha(100)
    picture.save(f"any.{suffix}")
    assert cli.main(["compress", f"any.{suffix}", "any.nct"]) == 0
    lines = capsys.readouterr().out.splitlines()
    said = {"RGBA": ["Transparency was put on white."], "I;16": ["16 bits a sample became 8."]}.get(mode, [])
    assert lines[1:] == said
    assert nctutorial.decompress(Path("any.nct").read_bytes()).shape == (20, 30, 3)


def test_a_rotated_phone_photo(folder):
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn
    Image.fromarray(smooth_noise(20, 30)).save("phone.jpg", exif=exif)
    assert cli.main(["compress", "phone.jpg", "phone.nct"]) == 0
    assert nctutorial.decompress(Path("phone.nct").read_bytes()).shape == (30, 20, 3)


def test_another_model(folder, monkeypatch, capsys):
    monkeypatch.setattr(models, "FactorizedCodec", SmallCodec)
    assert cli.main(["compress", "photo.png", "new.nct", "--model", "small.safetensors"]) == 0
    assert Path("new.nct").read_bytes() == small_codec().compress(data.load_image("photo.png"))
    assert cli.main(["decompress", "new.nct", "back.webp", "--model", "small.safetensors"]) == 0
    expected = small_codec().decompress(Path("new.nct").read_bytes())
    np.testing.assert_array_equal(data.load_image("back.webp"), expected)
    assert cli.main(["decompress", "new.nct", "not.png"]) == 2
    assert "not bundled" in capsys.readouterr().err


def test_the_pixel_limit(folder):
    pixels = 41 * 52
    assert cli.main(["decompress", "photo.nct", "a.png", "--max-pixels", str(pixels)]) == 0
    assert cli.main(["decompress", "photo.nct", "b.png", "--max-pixels", str(pixels - 1)]) == 2
    assert Path("a.png").exists() and not Path("b.png").exists()


def test_benchmark_of_a_folder(folder, capsys):
    Path("broken.png").unlink()
    assert cli.main(["benchmark", ".", "--out", "rows.csv"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 + 9 and "BD-rate" not in out[-1]
    assert len(Path("rows.csv").read_text().splitlines()) == 1 + 9


def test_benchmark_of_speed_needs_no_folder(folder, capsys, monkeypatch):
    monkeypatch.setattr(cli.benchmark, "speed_table", lambda codec, image: f"{image.shape[1]} x {image.shape[0]}")
    assert cli.main(["benchmark", "--speed"]) == 0
    assert capsys.readouterr().out == "768 x 512\n"


def test_benchmark_of_kodak_prints_bd_rates(folder, capsys, monkeypatch):
    Path("broken.png").unlink()
    monkeypatch.setattr(cli.benchmark, "bd_rates", lambda rows: {"hevc444_x265": 40.04})
    assert cli.main(["benchmark", "."]) == 0
    assert "+40.0 % against hevc444_x265" in capsys.readouterr().out.splitlines()[-1]


def test_train_offers_what_training_takes(monkeypatch, folder):
    train = create_autospec(training.train)
    monkeypatch.setattr(cli, "train", train)
    assert cli.main(["train", "photos", "--out", "a.safetensors"]) == 0
    parameters = inspect.signature(training.train).parameters
    defaults = {name: p.default for name, p in parameters.items() if p.default is not p.empty}
    train.assert_called_once_with("photos", Path("a.safetensors"), **defaults)
    given = "--codec hyperprior --steps 5 --entropy-steps 1 --decoder-steps 2 --batch 3 --crop 32"
    given += " --lr 0.5 --seed 7 --rounding-cost 9 --every 4 --start b --relaxation random"
    assert cli.main(["train", "photos", "--out", "a.safetensors", *given.split()]) == 0
    expected = dict(kind="hyperprior", steps=5, entropy_steps=1, decoder_steps=2, batch=3, crop=32, lr=0.5, seed=7)
    expected |= dict(rounding_cost=9.0, every=4, start="b", relaxation="random")
    assert train.call_args.kwargs == expected


def test_train_and_use_what_it_wrote(monkeypatch, folder):
    monkeypatch.setattr(models, "FactorizedCodec", SmallCodec)
    monkeypatch.setattr(training, "validate", lambda codec: [])
    Path("photos").mkdir()
    data.save_image("photos/a.png", smooth_noise(128, 150))
    options = ["--steps", "2", "--batch", "1"]
    assert cli.main(["train", "photos", "--out", "new.safetensors", *options]) == 0
    assert cli.main(["compress", "photo.png", "new.nct", "--model", "new.safetensors"]) == 0
    assert cli.main(["decompress", "new.nct", "new.png", "--model", "new.safetensors"]) == 0


# ---- what does not: one line, exit code 2, nothing written


ERRORS = {
    "missing file": ("compress nothing.png a.nct", "nothing.png does not exist"),
    "a folder as picture": ("compress empty a.nct", "empty cannot be read"),
    "broken picture": ("compress broken.png a.nct", "broken.png cannot be read"),
    "no picture": ("compress small.safetensors a.nct", "not a picture that can be read"),
    "zero bytes": ("compress zero.png a.nct", "zero.png is not a picture that can be read"),
    "a text named as a picture": ("compress text.png a.nct", "text.png is not a picture that can be read"),
    "a bomb": ("compress bomb.png a.nct", "bomb.png has more than 89,478,485 pixels"),
    "lam too large": ("compress photo.png a.nct --lam 5", "between 0.001 and 0.06, not 5"),
    "lam not a number": ("compress photo.png a.nct --lam nan", "between 0.001 and 0.06"),
    "lam not even that": ("compress photo.png a.nct --lam low", "--lam: .*'low'"),
    "suffix of a stream": ("compress photo.png a.png", "ends in .nct"),
    "no folder for the output": ("compress photo.png no/a.nct", "no folder no "),
    "output is a folder": ("decompress photo.nct empty", "empty is a folder"),
    "missing model": ("compress photo.png a.nct --model no.safetensors", "no weights at no.safetensors"),
    "not a model": ("compress photo.png a.nct --model photo.png", "does not hold the weights"),
    "another shape of model": ("compress photo.png a.nct --model small.safetensors", "does not hold the weights"),
    "missing stream": ("decompress no.nct a.png", "no.nct: No such file"),
    "foreign stream": ("decompress photo.png a.png", "not a .nct file"),
    "truncated stream": ("decompress cut.nct a.png", "copy it again"),
    "unknown suffix": ("decompress photo.nct a.xyz", "no picture format has this suffix"),
    "no suffix": ("decompress photo.nct a", "no picture format has this suffix"),
    "pixel limit": ("decompress photo.nct a.png --max-pixels 100", "over the limit of 100"),
    "silly pixel limit": ("decompress photo.nct a.png --max-pixels 0", "not a number of 1 or more"),
    "no such folder": ("benchmark nowhere", "nowhere is not a folder"),
    "folder without pictures": ("benchmark empty", "empty holds no pictures"),
    "folder with a broken picture": ("benchmark .", "broken.png cannot be read"),
    "benchmark of nothing": ("benchmark", "needs a folder"),
    "benchmark to no csv": ("benchmark . --out rows.txt", "ends in .csv"),
    "training on nothing": ("train empty --out a.safetensors", "holds no picture of 128 x 128"),
    "training to no file": ("train empty", "required: --out"),
    "training to a wrong suffix": ("train empty --out a.csv", "ends in .safetensors"),
    "training with a negative batch": ("train empty --out a.safetensors --batch 0", "not a number of 1 or more"),
    "training with lr nan": ("train empty --out a.safetensors --lr nan", "not a number of 0.0 or more"),
    "weights to begin with that are none": (
        "train . --out a.safetensors --start photo.png",
        "photo.png does not hold the weights .* restore it with git or train again",
    ),
    "no weights to begin with": ("train . --out a.safetensors --start no.safetensors", "no weights at no.safetensors"),
    "truncated weights": ("compress photo.png a.nct --model half.safetensors", "half.safetensors does not hold"),
    "altered weights": ("decompress photo.nct a.png --model altered.safetensors", "altered.safetensors were altered"),
    "a folder as stream": ("decompress empty a.png", "empty: Is a directory"),
    "compress nothing": ("compress", "required: IN, OUT.nct"),
    "compress to nowhere": ("compress photo.png", "required: OUT.nct"),
    "decompress nothing": ("decompress", "required: IN.nct, OUT.png"),
    "train on nothing": ("train", "required: FOLDER, --out"),
    "no command": ("", "required: command"),
    "unknown command": ("explode", "invalid choice: 'explode'"),
    "unknown option": ("compress photo.png a.nct --quality 3", "unrecognized arguments: --quality 3"),
}


def run(arguments):
    """The exit code, whether main returns it or argparse exits with it."""
    try:
        return cli.main(arguments)
    except SystemExit as error:
        return error.code


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_one_line_and_exit_code_2(folder, capsys, name):
    line, message = ERRORS[name]
    Path("cut.nct").write_bytes(Path("photo.nct").read_bytes()[:-3])
    Path("zero.png").write_bytes(b"")
    Path("text.png").write_text("Dear diary")
    if "bomb" in name:
        Image.new("1", (20_000, 20_000)).save("bomb.png")  # 50 kB of file
    if "weights" in name:
        data.save_image("large.png", smooth_noise(128, 128))  # what `train .` finds
        weights = bytearray((data.WEIGHTS / "factorized.safetensors").read_bytes())
        Path("half.safetensors").write_bytes(weights[: len(weights) // 2])
        weights[-1] ^= 1
        Path("altered.safetensors").write_bytes(weights)
    before = files()
    assert run(line.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("nctutorial: ") and err.endswith("\n") and err.count("\n") == 1
    assert re.search(message, err), err
    assert files() == before


WRITING = {
    "compress": "compress photo.png {}/a.nct",
    "decompress": "decompress photo.nct {}/a.png",
    "benchmark": "benchmark photos --out {}/a.csv",
    "train": "train photos --out {}/a.safetensors --steps 1 --batch 1",
}


@pytest.fixture
def small(folder, monkeypatch):
    """Beside the files of `folder` a folder of one photo; a small model and no validation."""
    monkeypatch.setattr(models, "FactorizedCodec", SmallCodec)
    monkeypatch.setattr(models, "load_codec", lambda name=None: small_codec())
    Path("photo.nct").write_bytes(small_codec().compress(smooth_noise(70, 90)))
    monkeypatch.setattr(nctutorial, "decompress", small_codec().decompress)
    monkeypatch.setattr(training, "validate", lambda codec: [])
    monkeypatch.setattr(training, "start_from_pca", lambda *arguments: None)
    Path("photos").mkdir()
    data.save_image("photos/a.png", smooth_noise(128, 150))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
@pytest.mark.parametrize("command", WRITING)
def test_a_folder_without_permission(small, capsys, command):
    Path("empty").chmod(0o500)
    assert run(WRITING[command].format("empty").split()) == 2
    assert "no permission to write empty" in capsys.readouterr().err


@pytest.mark.parametrize("command", WRITING)
def test_permission_is_asked_before_the_work(small, capsys, monkeypatch, command):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(cli, "train", create_autospec(training.train, side_effect=AssertionError))
    assert run(WRITING[command].format("empty").split()) == 2
    assert "no permission to write empty" in capsys.readouterr().err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
@pytest.mark.parametrize("command", WRITING)
def test_a_write_that_fails_half_way_leaves_nothing(small, capsys, monkeypatch, command, number):
    def write_half(path, content):
        with open(path, "wb") as file:
            file.write(content[: len(content) // 2])
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", write_half)
    before = files()
    assert run(WRITING[command].format("empty").split()) == 2
    assert files() == before
    message = capsys.readouterr().err.splitlines()[-1]  # after the progress bar
    assert re.fullmatch(rf"nctutorial: empty/a\.\w+: {os.strerror(number)}", message)


@pytest.mark.parametrize("command", WRITING)
def test_a_limit_on_the_size_of_files(small, capsys, command):
    resource = pytest.importorskip("resource")  # the system itself refuses, as with a full disk
    before, limits = files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        assert run(WRITING[command].format("empty").split()) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith("nctutorial: empty/a.") and message.endswith(os.strerror(errno.EFBIG))
    assert files() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_loses_nothing(folder, capsys):
    Path("full.nct").symlink_to("/dev/full")
    assert cli.main(["compress", "photo.png", "full.nct"]) == 2
    assert capsys.readouterr().err == "nctutorial: full.nct: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_behind_the_standard_output(small, monkeypatch, capsys):
    full = open("/dev/full", "w")
    monkeypatch.setattr(sys, "stdout", full)
    assert cli.main(["benchmark", "photos"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "nctutorial: No space left on device"
    with pytest.raises(OSError):  # what is left of the table
        full.close()


def test_a_failed_write_leaves_the_old_file(folder, capsys, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    before = Path("photo.nct").read_bytes()
    assert cli.main(["compress", "photo.png", "photo.nct", "--lam", "0.05"]) == 2
    assert Path("photo.nct").read_bytes() == before
    assert [name for name in files() if "part" in name] == []
    assert "No space left" in capsys.readouterr().err


@pytest.mark.parametrize("take", [lambda: np.empty(2**55), lambda: torch.empty(2**60)])
def test_not_enough_memory_is_an_error_too(folder, capsys, monkeypatch, take):
    monkeypatch.setattr(data, "open_image", lambda path: take())
    assert cli.main(["compress", "photo.png", "a.nct"]) == 2
    assert capsys.readouterr().err == "nctutorial: there is not enough memory for this\n"


def test_a_mistake_in_the_code_is_not_hidden(folder, monkeypatch):
    monkeypatch.setattr(data, "open_image", create_autospec(data.open_image, side_effect=RuntimeError("a mistake")))
    with pytest.raises(RuntimeError, match="a mistake"):
        cli.main(["compress", "photo.png", "a.nct"])


def test_an_interrupt_is_no_traceback(folder, capsys, monkeypatch):
    monkeypatch.setattr(cli, "train", create_autospec(training.train, side_effect=KeyboardInterrupt))
    assert cli.main(["train", "photos", "--out", "a.safetensors"]) == 130
    assert capsys.readouterr().err == "nctutorial: interrupted\n"


# ---- as a process


def test_the_command_is_installed_and_exits_with_its_code(folder):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"nctutorial": "nctutorial.cli:main"}  # which exits with what main returns
    command = [sys.executable, "-m", "nctutorial.cli", "decompress", "photo.png", "a.png"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == "" and done.stderr.startswith("nctutorial: this is not a .nct file")


@pytest.mark.parametrize("command", [[], ["compress"], ["decompress"], ["benchmark"], ["train"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: nctutorial " + " ".join(command))
    if command == ["compress"]:
        assert str(LAM_MIN) in out and "default 0.01" in out
