"""A short run of tests/long/fuzz_pictures.py, and whether it would see what it looks for."""

import subprocess
import sys

import pytest

from nctutorial import data
from tests.long import fuzz_pictures as fuzz


def test_some_thousand_hostile_pictures(capsys):
    assert fuzz.main(["--count", "3000", "--seed", "1", "--megabytes", "2000"]) == 0  # this process did other things
    out = capsys.readouterr().out
    total = next(line for line in out.splitlines() if line.startswith("all")).replace(",", "").split()
    opened, refused, violations = map(int, total[1:])
    assert opened > 500 and refused > 1000 and violations == 0 and all(kind in out for kind in fuzz.pictures.FORMATS)
    assert opened + refused == 3000 + sum(map(len, fuzz.corpus().values()))


@pytest.mark.parametrize(
    "result, whole, outcome",
    [
        ((fuzz.PICTURE, ""), True, "opened"),
        (data.ImageError("save it as PNG first"), False, "ImageError"),
        (KeyError("x"), False, "KeyError"),
        (data.ImageError("two\nlines"), False, "no single line"),
        ((fuzz.PICTURE, "two\nlines"), False, "no single line"),
        ((fuzz.PICTURE.astype(float), ""), False, "float64 of shape"),
        ((fuzz.PICTURE[..., 0], ""), False, "uint8 of shape (24, 32)"),
        ((255 - fuzz.PICTURE, ""), True, "an unaltered file is not what it was"),
        (data.ImageError("save it as PNG first"), True, "an unaltered file is not what it was: save it"),
        (lambda path: path.write_bytes(b""), False, "did open"),
        (lambda path: path.unlink(missing_ok=True), False, "did os.remove"),
        (lambda path: subprocess.run([sys.executable, "-c", ""], check=True), False, "did subprocess.Popen"),
    ],
)
def test_what_becomes_of_a_file(result, whole, outcome, tmp_path):
    def open_image(file):
        if isinstance(result, BaseException):
            raise result
        if isinstance(result, tuple):
            return result
        result(tmp_path / "a")
        return fuzz.PICTURE, ""

    assert fuzz.judge(open_image, b"file", whole).startswith(outcome)


def test_a_violation_is_exit_code_1(capsys):
    for limit in ("--seconds", "--megabytes"):
        assert fuzz.main(["--count", "3", limit, "0"]) == 1
        assert "seconds, " in capsys.readouterr().out
