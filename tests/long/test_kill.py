"""A short run of tests/long/kill.py, and whether it would see what it looks for."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks after torch is loaded")


def python(*arguments):
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_a_few_kills():
    done = python("-m", "tests.long.kill", "--count", "2")
    assert done.returncode == 0, done.stderr + done.stdout
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["kill_compress", "kill_benchmark", "kill_train"]
    assert done.stdout.count(": ok ") == 3


BROKEN = """
import os, random, sys
from nctutorial import data
from tests.long import kill
random.seed(0)
kill.PAUSE = 0.3
kill.prepare()
os.chdir(sys.argv[1])
kill.small_codec().save("small.safetensors")
data.write_atomic = lambda path, content: kill.Path(path).write_bytes(content)
kill.kill_compress(10)
"""


def test_a_torn_output_is_seen(tmp_path):
    done = python("-c", BROKEN, str(tmp_path))
    assert done.returncode == 1 and "AssertionError: compress left a torn stream" in done.stderr
