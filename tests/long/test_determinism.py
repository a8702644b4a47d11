"""Whether tests/long/determinism.py sees a result that differs."""

import subprocess
import sys
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]


def test_a_result_that_differs_is_seen(tmp_path):
    for name, stored in ("00_same", "2\n"), ("01_other", "3\n"):
        output = nbformat.v4.new_output("stream", name="stdout", text=stored)
        source = "# NBVAL_CHECK_OUTPUT\nprint(1 + 1)"
        cell = nbformat.v4.new_code_cell(source, execution_count=1, outputs=[output])
        nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / f"{name}.ipynb")
    command = [sys.executable, "-m", "tests.long.determinism", "1", *tmp_path.glob("*.ipynb")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    row = next(line for line in done.stdout.splitlines() if line.startswith("|   1 |"))
    assert done.returncode == 1 and [cell.strip() for cell in row.split("|")][5:7] == ["1", "1"]
    assert "1 runs, 0 green, 1 cells passed" in done.stdout
    assert "print(1 + 1)" in done.stderr and r"'3\n' == '2\n'" in done.stderr
