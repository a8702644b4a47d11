"""A short run of tests/long, and whether the fuzzer would see what it looks for."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nctutorial import BitstreamError
from tests.long import fuzz_decompress as fuzz

ROOT = Path(__file__).resolve().parents[2]


def test_some_thousand_hostile_streams():
    command = [sys.executable, "-m", "tests.long.fuzz_decompress", "--count", "3000", "--seed", "1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    total = next(line for line in done.stdout.splitlines() if line.startswith("all")).replace(",", "").split()
    decoded, refused, violations = map(int, total[1:])
    assert decoded > 20 and refused > 1000 and violations == 0 and decoded + refused == 3000
    assert all(kind in done.stdout for kind in fuzz.MUTATIONS) and "bundled" in done.stdout


class Panic(BaseException):
    """As constriction's PanicException: no Exception."""


def outcome_of(result, stream=b"altered", repair=False):
    golden = {b"golden": np.zeros((1, 1, 3), np.uint8)}

    def decompress(stream):
        if isinstance(result, BaseException):
            raise result
        return result

    return fuzz.judge(decompress, stream, repair, golden)


def test_what_may_be():
    assert outcome_of(BitstreamError("copy it again")) == "BitstreamError"
    assert outcome_of(np.zeros((1, 1, 3), np.uint8), b"golden") == "decoded"
    header = fuzz.HEADER.pack(b"NCT", 1, b"abcd", 0, 2, 5, 0)
    assert outcome_of(np.zeros((2, 5, 3), np.uint8), header, repair=True) == "decoded"


def test_what_must_not_be_is_seen():
    header = fuzz.HEADER.pack(b"NCT", 1, b"abcd", 0, 2, 5, 0)
    assert outcome_of(KeyError("x")).startswith("KeyError")
    assert outcome_of(Panic()).startswith("Panic")
    assert outcome_of(BitstreamError("")).startswith("no single line")
    assert outcome_of(BitstreamError("two\nlines")).startswith("no single line")
    assert outcome_of(BitstreamError("copy it again"), b"golden").startswith("a golden stream was refused")
    assert outcome_of(np.ones((1, 1, 3), np.uint8), b"golden") == "a golden stream gave another picture"
    assert outcome_of(np.zeros((2, 5, 3), np.uint8), header) == "an altered stream was decoded"
    assert outcome_of(np.zeros((5, 2, 3), np.uint8), header, repair=True).startswith("uint8 of shape (5, 2, 3)")


@pytest.mark.parametrize("limit, message", [("SECONDS", "seconds"), ("MEGABYTES", "MB")])
def test_a_violation_is_exit_code_1(monkeypatch, capsys, limit, message):
    monkeypatch.setattr(fuzz, limit, 0)
    assert fuzz.main(["--count", "3"]) == 1
    out, err = capsys.readouterr()
    assert message in err and out.splitlines()[-2].split()[-1] != "0"


def test_the_same_seed_makes_the_same_streams():
    streams = [bytes(range(100)), bytes(range(50, 150))]

    def some(seed):
        return [fuzz.make(streams, np.random.default_rng([seed, i])) for i in range(50)]

    assert some(3) == some(3) != some(4)
    assert len({kind for kind, _, _ in some(3)}) == len(fuzz.MUTATIONS)
