"""A short run of tests/long/fuzz_decompress.py, and whether it would see what it looks for."""

import numpy as np
import pytest

from nctutorial import BitstreamError
from tests.long import fuzz_decompress as fuzz


def test_some_thousand_hostile_streams(capsys):
    assert fuzz.main(["--count", "3000", "--seed", "1", "--megabytes", "2000"]) == 0  # this process did other things
    out = capsys.readouterr().out
    total = next(line for line in out.splitlines() if line.startswith("all")).replace(",", "").split()
    decoded, refused, violations = map(int, total[1:])
    assert decoded > 20 and refused > 1000 and violations == 0 and decoded + refused == 3000
    assert all(kind in out for kind in fuzz.MUTATIONS) and "bundled" in out


class Panic(BaseException):
    """As constriction's PanicException: no Exception."""


HEADER = fuzz.HEADER.pack(b"NCT", 1, b"abcd", 0, 2, 5, 0)
BLACK = np.zeros((1, 1, 3), np.uint8)


@pytest.mark.parametrize(
    "result, stream, repair, outcome",
    [
        (BitstreamError("copy it again"), b"altered", False, "BitstreamError"),
        (BLACK, b"golden", False, "decoded"),
        (np.zeros((2, 5, 3), np.uint8), HEADER, True, "decoded"),
        (KeyError("x"), b"altered", False, "KeyError"),
        (Panic(), b"altered", False, "Panic"),
        (BitstreamError(""), b"altered", False, "no single line"),
        (BitstreamError("two\nlines"), b"altered", False, "no single line"),
        (BitstreamError("copy it again"), b"golden", False, "a golden stream was refused"),
        (BLACK + 1, b"golden", False, "a golden stream gave another picture"),
        (np.zeros((2, 5, 3), np.uint8), HEADER, False, "an altered stream was decoded"),
        (np.zeros((5, 2, 3), np.uint8), HEADER, True, "uint8 of shape (5, 2, 3)"),
    ],
)
def test_what_becomes_of_a_stream(result, stream, repair, outcome):
    def decompress(stream):
        if isinstance(result, BaseException):
            raise result
        return result

    assert fuzz.judge(decompress, stream, repair, {b"golden": BLACK}).startswith(outcome)


@pytest.mark.parametrize("limit, message", [("--seconds", "seconds"), ("--megabytes", "MB")])
def test_a_violation_is_exit_code_1(capsys, limit, message):
    assert fuzz.main(["--count", "3", limit, "0"]) == 1
    out, err = capsys.readouterr()
    assert message in err and out.splitlines()[-2].split()[-1] != "0"


def test_the_same_seed_makes_the_same_streams():
    streams = [bytes(range(100)), bytes(range(50, 150))]

    def some(seed):
        return [fuzz.make(streams, np.random.default_rng([seed, i])) for i in range(50)]

    assert some(3) == some(3) != some(4)
    assert len({kind for kind, _, _ in some(3)}) == len(fuzz.MUTATIONS)
