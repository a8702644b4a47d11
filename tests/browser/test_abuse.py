"""A short run of tests/long/abuse.py."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_explorer_survives_ten_seconds_of_abuse(chromium):
    command = [sys.executable, "-m", "tests.long.abuse", "10", "--seed", "1", "--reruns", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sum(map(int, done.stdout.splitlines()[2].replace("|", " ").split()[:4])) > 0, "nothing happened"
