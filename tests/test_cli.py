import errno
import functools
import io
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
    said = f"{width} x {height} pixels, {len(stream):,} bytes, {metrics.bpp(len(stream), image):.4f} bpp at lambda 0.02"
    assert capsys.readouterr() == (f"new.nct: {said} by factorized\n", "")
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


def test_a_target_in_place_of_lam(folder):
    n_bytes = Path("photo.nct").stat().st_size
    assert cli.main(["compress", "photo.png", "new.nct", "--quality", f"{n_bytes}B"]) == 0
    assert Path("new.nct").stat().st_size == n_bytes
    assert cli.main(["compress", "photo.png", "new.nct", "--quality", "30dB"]) == 0
    image = nctutorial.decompress(Path("new.nct").read_bytes())
    assert metrics.psnr(data.load_image("photo.png"), image) == pytest.approx(30, abs=0.5)


def through_a_pipe(arguments, given, capfdbinary, monkeypatch):
    """The standard output and error of a command, and its exit code; given: its standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    code = cli.main(arguments)
    return *capfdbinary.readouterr(), code


def test_standard_input_and_output(folder, capfdbinary, monkeypatch):
    photo, stream = (Path("photo" + suffix).read_bytes() for suffix in (".png", ".nct"))
    out, err, code = through_a_pipe(["compress", "-", "-"], photo, capfdbinary, monkeypatch)
    assert (out, code) == (stream, 0) and err.startswith(b"-: 52 x 41 pixels")
    png, err, code = through_a_pipe(["decompress", "-", "-"], stream, capfdbinary, monkeypatch)
    assert (err, code) == (b"", 0) and Image.open(io.BytesIO(png)).format == "PNG"
    np.testing.assert_array_equal(data.load_image(png), nctutorial.decompress(stream))
    out, err, code = through_a_pipe(["info", "-"], stream, capfdbinary, monkeypatch)
    assert (err, code) == (b"", 0) and out.startswith(b"-: 52 x 41 pixels")
    out, err, code = through_a_pipe(["compress", "-", "a.nct"], photo[:200], capfdbinary, monkeypatch)
    assert (out, code) == (b"", 2) and err.startswith(b"nctutorial: -: ") and not Path("a.nct").exists()


def test_a_folder_there_and_back(folder, capsys):
    """What cannot be read is said, and the rest is done. What was there is replaced."""
    data.save_image("other.webp", smooth_noise(20, 30))
    Path("new").mkdir()
    Path("new/other.nct").write_bytes(b"old")
    assert cli.main(["compress", ".", "new"]) == 2
    out, err = capsys.readouterr()
    assert [line.split(":")[0] for line in out.splitlines()] == ["new/other.nct", "new/photo.nct"]
    assert err.startswith("nctutorial: broken.png: ") and err.count("\n") == 1
    assert Path("new/photo.nct").read_bytes() == Path("photo.nct").read_bytes()
    assert cli.main(["decompress", "new", "back"]) == 0
    assert capsys.readouterr() == ("", "")
    assert sorted(path.name for path in Path("back").iterdir()) == ["other.png", "photo.png"]
    image = nctutorial.decompress(Path("new/other.nct").read_bytes())
    np.testing.assert_array_equal(data.load_image("back/other.png"), image)


def test_info(folder, capsys):
    own = small_codec()
    Path("own.nct").write_bytes(own.compress(smooth_noise(20, 30), 0.05))
    assert cli.main(["info", "photo.nct", "own.nct"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    size = Path("photo.nct").stat().st_size
    bpp = 8 * size / (41 * 52)
    assert first == f"photo.nct: 52 x 41 pixels, {size:,} bytes, {bpp:.4f} bpp at lambda 0.01 by factorized"
    assert second.endswith(f"bpp at lambda 0.05 by a model that is not bundled ({own.sha256[:8]})")


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
    "missing file": ("compress nothing.png a.nct", "nothing.png: No such file"),
    "a folder as picture": ("compress empty a.nct", "empty holds no pictures"),
    "broken picture": ("compress broken.png a.nct", "broken.png: the file cannot be read"),
    "no picture": ("compress small.safetensors a.nct", "small.safetensors: the file is not a picture that can be read"),
    "zero bytes": ("compress zero.png a.nct", "zero.png: the file is not a picture that can be read"),
    "a text named as a picture": ("compress text.png a.nct", "text.png: the file is not a picture that can be read"),
    "a bomb": ("compress bomb.png a.nct", "bomb.png: the file has more than 89,478,485 pixels"),
    "lam too large": ("compress photo.png a.nct --lam 5", "between 0.001 and 0.06, not 5"),
    "lam not a number": ("compress photo.png a.nct --lam nan", "between 0.001 and 0.06"),
    "lam not even that": ("compress photo.png a.nct --lam low", "--lam: .*'low'"),
    "target without a unit": ("compress photo.png a.nct --quality 3", "a number and its unit"),
    "target out of reach": ("compress photo.png a.nct --quality 9B", "photo.png: 9B is out of reach: ask for .*B or"),
    "target and lam": ("compress photo.png a.nct --quality 36dB --lam 0.01", "not allowed with"),
    "two outputs of one name": ("compress photo.png ./photo.png empty", "would both become empty/photo.nct"),
    "several to one file": ("compress photo.png photo.png a.png photo.nct", "photo.nct is a file"),
    "several from a pipe": ("compress - photo.png empty", "- is one file"),
    "wrong model for a folder": ("compress . new --model no.safetensors", "no weights at no.safetensors"),
    "suffix of a stream": ("compress photo.png a.png", "ends in .nct"),
    "no folder for the output": ("compress photo.png no/a.nct", "no folder no "),
    "no folder for the folder": ("compress photo.png photo.png no/new/", "no folder no "),
    "output is a folder": ("train empty --out empty", "ends in .safetensors"),
    "missing model": ("compress photo.png a.nct --model no.safetensors", "no weights at no.safetensors"),
    "not a model": ("compress photo.png a.nct --model photo.png", "does not hold the weights"),
    "missing stream": ("decompress no.nct a.png", "no.nct: No such file"),
    "foreign stream": ("decompress photo.png a.png", "photo.png: this is not a .nct file"),
    "truncated stream": ("decompress cut.nct a.png", "cut.nct: .* copy it again"),
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
    "a folder as stream": ("decompress empty a.png", "empty holds no .nct files"),
    "compress nothing": ("compress", "required: IN, OUT"),
    "compress to nowhere": ("compress photo.png", "required: OUT"),
    "decompress nothing": ("decompress", "required: IN.nct, OUT"),
    "train on nothing": ("train", "required: FOLDER, --out"),
    "info on nothing": ("info", "required: IN.nct"),
    "info on a picture": ("info photo.png", "photo.png: this is not a .nct file"),
    "info on a folder": ("info empty", "empty: Is a directory"),
    "unknown command": ("explode", "invalid choice: 'explode'"),
    "unknown option": ("compress photo.png a.nct --size 3", "unrecognized arguments: --size 3"),
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
    monkeypatch.setattr(os, "access", lambda path, mode: False)
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
    assert re.fullmatch(rf"nctutorial: empty/a\.\w+: {os.strerror(errno.EFBIG)}", message)
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
    monkeypatch.setattr(data, "open_image", lambda file: take())
    assert cli.main(["compress", "photo.png", "a.nct"]) == 2
    assert capsys.readouterr().err == "nctutorial: photo.png: there is not enough memory for this\n"


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
    assert done.stdout == "" and done.stderr.startswith("nctutorial: photo.png: this is not a .nct file")


@pytest.mark.parametrize("command", [[], ["compress"], ["decompress"], ["info"], ["benchmark"], ["train"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: nctutorial " + " ".join(command))
    if command == ["compress"]:
        assert "0.001 (small) to 0.06 (good), default 0.01" in " ".join(out.split())


def test_without_a_command_it_helps(capsys):
    assert cli.main([]) == 0
    assert capsys.readouterr().out.startswith("usage: nctutorial [-h] [--version]")


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (stop.value.code, capsys.readouterr().out) == (0, f"nctutorial {project['version']}\n")


def test_completion(capsys, tmp_path):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--print-completion", "bash"])
    assert stop.value.code == 0
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    (tmp_path / "photo.png").touch()
    ask = f'. {script}; COMP_WORDS=(nctutorial "$@"); COMP_CWORD=$#; _shtab_nctutorial 2>&-; echo ${{COMPREPLY[@]}}'
    for words, answer in ("comp", "compress"), ("train --model h", "hyperprior"), ("info ph", "photo.png"):
        done = subprocess.run(["bash", "-c", ask, "-", *words.split()], capture_output=True, text=True, cwd=tmp_path)
        assert done.stdout == answer + "\n"


def test_nothing_is_deprecated_and_no_encoding_is_left_open(folder):
    """All that the commands import and do, with warnings as errors."""
    Path("photos").mkdir()
    data.save_image("photos/a.png", smooth_noise(32, 32))
    commands = "compress photos new", "decompress new back", "info new/a.nct", "benchmark photos --out a.csv"
    code = f"from nctutorial import cli; print([cli.main(command.split()) for command in {commands}])"
    strict = [sys.executable, "-W", "error", "-X", "warn_default_encoding", "-c", code]
    done = subprocess.run(strict, capture_output=True, text=True)
    assert done.stdout.endswith("[0, 0, 0, 0]\n") and done.stderr == ""
