import errno
import functools
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
from small_codec import SIZES, small_codec, smooth_noise

import nctutorial
from nctutorial import cli, data, metrics
from nctutorial.codec import CODECS
from nctutorial.codec.factorized import FactorizedCodec, FactorizedModel
from nctutorial.training import loop
from nctutorial.training.loop import Recipe

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch, red_panda):
    """The current folder: a photo, a stream, something broken, weights of a small model."""
    monkeypatch.chdir(tmp_path)
    data.save_image("photo.png", red_panda[200:241, 300:352])
    Path("photo.nct").write_bytes(nctutorial.load_codec().compress(data.load_image("photo.png")))
    Path("broken.png").write_bytes(Path("photo.png").read_bytes()[:200])
    Path("empty").mkdir()
    small_codec().save("small.safetensors")
    return tmp_path


@pytest.fixture
def training(folder, monkeypatch):
    """Beside the files of `folder` a folder of one photo; training is of a small model and validates nothing."""
    small = functools.partial(FactorizedModel, **SIZES["factorized"])
    monkeypatch.setitem(CODECS, "factorized", (small, FactorizedCodec))
    monkeypatch.setattr(loop, "validate", lambda model: ([], 0.0))
    Path("photos").mkdir()
    data.save_image("photos/a.png", smooth_noise(128, 150))


def files():
    """All files below the current folder, and what is in them."""
    return {str(path): path.is_file() and path.read_bytes() for path in Path().rglob("*")}


# ---- what works


@pytest.mark.parametrize("height, width", [(41, 52), (1, 1)])
def test_there_and_back(folder, capsys, height, width):
    image = smooth_noise(height, width)
    data.save_image("new.png", image)
    assert cli.main(["compress", "new.png", "new.nct", "--lam", "0.02"]) == 0
    stream = Path("new.nct").read_bytes()
    assert stream == nctutorial.load_codec().compress(image, 0.02)
    out = capsys.readouterr().out
    assert out == f"new.nct: {len(stream):,} bytes, {metrics.bpp(len(stream), image):.4f} bpp at lambda 0.02\n"
    assert cli.main(["decompress", "new.nct", "back.png"]) == 0
    np.testing.assert_array_equal(data.load_image("back.png"), nctutorial.decompress(stream))


def test_lam_defaults_to_the_apis(folder):
    assert cli.main(["compress", "photo.png", "new.nct"]) == 0
    assert Path("new.nct").read_bytes() == Path("photo.nct").read_bytes()


def test_what_is_left_out_of_a_picture_is_said(folder, capsys):
    Image.new("RGBA", (30, 20), "#ff000080").save("glass.png")
    assert cli.main(["compress", "glass.png", "glass.nct"]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["Transparency was put on white."]


def test_another_model(folder, capsys):
    assert cli.main(["compress", "photo.png", "new.nct", "--model", "small.safetensors"]) == 0
    stream = Path("new.nct").read_bytes()
    assert stream == small_codec().compress(data.load_image("photo.png"))
    assert cli.main(["decompress", "new.nct", "back.webp", "--model", "small.safetensors"]) == 0
    np.testing.assert_array_equal(data.load_image("back.webp"), small_codec().decompress(stream))
    assert cli.main(["decompress", "new.nct", "not.png"]) == 2
    assert "not bundled" in capsys.readouterr().err


def test_the_pixel_limit(folder):
    pixels = 41 * 52
    assert cli.main(["decompress", "photo.nct", "a.png", "--max-pixels", str(pixels)]) == 0
    assert cli.main(["decompress", "photo.nct", "b.png", "--max-pixels", str(pixels - 1)]) == 2
    assert Path("a.png").exists() and not Path("b.png").exists()


def test_benchmark_of_a_folder(folder, capsys, monkeypatch):
    Path("broken.png").unlink()
    command = ["benchmark", ".", "--out", "rows.csv", "--model", "small.safetensors"]
    assert cli.main(command) == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 2 + 9 and "BD-rate" not in out[-1]
    assert len(Path("rows.csv").read_text().splitlines()) == 1 + 9
    monkeypatch.setattr(cli.benchmark, "bd_rates", lambda rows: {"hevc444_x265": 40.04})  # as if it were Kodak
    assert cli.main(command) == 0
    assert "+40.0 % against hevc444_x265" in capsys.readouterr().out.splitlines()[-1]


def test_benchmark_of_speed_needs_no_folder(folder, capsys, monkeypatch):
    monkeypatch.setattr(cli.benchmark, "speed", lambda codec, image: f"{image.shape[1]} x {image.shape[0]}")
    assert cli.main(["benchmark", "--speed"]) == 0
    assert capsys.readouterr().out == "factorized: 768 x 512\n"


def test_train_offers_what_training_takes(monkeypatch, folder):
    train = create_autospec(loop.train)
    monkeypatch.setattr(cli, "train", train)
    assert cli.main(["train", "photos", "--out", "a.safetensors"]) == 0
    out = Path("a.safetensors")
    train.assert_called_once_with(folder="photos", out=out, model="factorized", start=None, **vars(Recipe()))
    given = "--model hyperprior --start b --steps 5 --budget 0.5 --batch 3 --crop 64 --lr 0.5 --seed 7"
    given += " --rounding-cost 9 --every 4 --bf16"
    assert cli.main(["train", "photos", "--out", "a.safetensors", *given.split()]) == 0
    recipe = Recipe(steps=5, budget=0.5, batch=3, crop=64, lr=0.5, seed=7, rounding_cost=9.0)
    options = vars(recipe) | {"every": 4, "bf16": True, "model": "hyperprior", "start": "b"}
    assert train.call_args.kwargs == {"folder": "photos", "out": out, **options}


def test_train_and_use_what_it_wrote(training):
    options = ["--steps", "2", "--batch", "1", "--crop", "64"]
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
    "benchmark by processes and Dask": ("benchmark . --jobs 2 --dask tcp://a:1", "not allowed with"),
    "training on nothing": ("train empty --out a.safetensors", "holds no picture of 256 x 256"),
    "training to no file": ("train empty", "required: --out"),
    "training to a wrong suffix": ("train empty --out a.csv", "ends in .safetensors"),
    "training with a negative batch": ("train empty --out a.safetensors --batch 0", "not a number of 1 or more"),
    "training with lr nan": ("train empty --out a.safetensors --lr nan", "not a number of 0.0 or more"),
    "weights to begin with that are none": (
        "train . --crop 64 --out a.safetensors --start photo.png",
        "photo.png does not hold the weights .* restore it with git or train again",
    ),
    "no weights to begin with": (
        "train . --crop 64 --out a.safetensors --start no.safetensors",
        "no weights at no.safetensors",
    ),
    "truncated weights": ("compress photo.png a.nct --model half.safetensors", "half.safetensors does not hold"),
    "altered weights": (
        "decompress photo.nct a.png --model altered.safetensors",
        "altered.safetensors .* were altered",
    ),
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
    "benchmark": "benchmark photos --out {}/a.csv --model small.safetensors",
    "train": "train photos --out {}/a.safetensors --steps 1 --batch 1 --crop 64",
}


@pytest.mark.parametrize("command", WRITING)
def test_permission_is_asked_before_the_work(training, capsys, monkeypatch, command):
    monkeypatch.setattr(cli.os, "access", lambda path, mode: False)
    for work in ("load_codec", "decompress", "train"):
        monkeypatch.setattr(cli, work, create_autospec(getattr(cli, work), side_effect=AssertionError))
    assert run(WRITING[command].format("empty").split()) == 2
    assert "no permission to write empty" in capsys.readouterr().err


@pytest.mark.parametrize("command", WRITING)
def test_a_write_that_fails_leaves_what_was_there(training, capsys, command):
    resource = pytest.importorskip("resource")  # the system itself refuses, as with a full disk
    for suffix in (".nct", ".png", ".csv", ".safetensors"):
        Path("empty", "a" + suffix).write_bytes(b"old")
    before, limits = files(), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8, limits[1]))
    try:
        assert run(WRITING[command].format("empty").split()) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    message = capsys.readouterr().err.splitlines()[-1]  # after the progress bar
    assert re.fullmatch(rf"nctutorial: empty/a\.\w+: {cli.os.strerror(errno.EFBIG)}", message)
    assert files() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk_behind_the_standard_output(training, monkeypatch, capsys):
    full = open("/dev/full", "w")
    monkeypatch.setattr(sys, "stdout", full)
    assert cli.main(["benchmark", "photos", "--model", "small.safetensors"]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == "nctutorial: No space left on device"
    with pytest.raises(OSError):  # what is left of the table
        full.close()


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
    monkeypatch.setattr(cli, "train", create_autospec(loop.train, side_effect=KeyboardInterrupt))
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
        assert "0.001 (small) to 0.06 (good), default 0.01" in " ".join(out.split())
