"""Are the notebooks' results the same every time? python -m tests.long.determinism [RUNS] [--seed 0] [NOTEBOOK ...]

Runs the notebook part of `make test` so many times in a row, on 1 and 2 threads and with PyTorch's plain and AVX2
kernels in turn, the chapters each time in another random order. Prints a table, on stderr what differed, and
exits with 1 if a run was not green. A run of all chapters takes about eight minutes on two cores.
"""

import argparse
import itertools
import os
import random
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WAYS = list(itertools.product(("1", "2"), ("default", "avx2")))  # threads, instruction set


def flags() -> list[str]:
    """How `make test` calls nbval, but patient."""
    found = re.search(r"^NBVAL := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert found, "the Makefile does not set NBVAL"
    return [*found[1].split(), "--nbval-cell-timeout=1200"]  # two threads on a busy core are slow, not different


def run(notebooks: list[Path], threads: str, capability: str) -> tuple[int, int, str]:
    """One run in a process of its own: (cells that passed, cells that did not, the report on those)."""
    command = [sys.executable, "-m", "pytest", "-q", "--color=no", "-p", "no:cacheprovider", *flags()]
    environment = os.environ | {"OMP_NUM_THREADS": threads, "ATEN_CPU_CAPABILITY": capability}
    done = subprocess.run(
        [*command, *map(str, notebooks)], cwd=ROOT, env=environment, capture_output=True, text=True, errors="replace"
    )
    summary = done.stdout.strip().rpartition("\n")[2]
    passed, failed, errors = (
        sum(map(int, re.findall(rf"(\d+) {kind}", summary))) for kind in ("passed", "failed", "error")
    )
    report = done.stdout.partition("= FAILURES =")[2].strip("=\n") or done.stdout + done.stderr
    return passed, failed + errors, "" if done.returncode == 0 and passed else report


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", type=int, nargs="?", default=20)
    parser.add_argument("notebooks", type=Path, nargs="*", help="the whole course if none is named")
    parser.add_argument("--seed", type=int, default=0, help="of the orders")
    args = parser.parse_args()
    notebooks = [path.resolve() for path in args.notebooks] or sorted((ROOT / "notebooks").glob("*.ipynb"))
    shuffle = random.Random(args.seed).shuffle
    print("| run | threads | capability | order                         | passed | failed | seconds |")
    print("|-----|---------|------------|-------------------------------|--------|--------|---------|", flush=True)
    cells = green = 0
    for number, (threads, capability) in zip(range(1, args.runs + 1), itertools.cycle(WAYS), strict=False):
        shuffle(notebooks)
        order = " ".join(path.stem[:2] for path in notebooks)
        start = time.monotonic()
        passed, failed, report = run(notebooks, threads, capability)
        seconds = time.monotonic() - start
        print(
            f"| {number:3} | {threads:7} | {capability:10} | {order:29} | {passed:6} | {failed:6} | {seconds:7.0f} |",
            flush=True,
        )
        cells, green = cells + passed, green + (not report)
        if report:
            print(f"\nRun {number}\n{report}", file=sys.stderr, flush=True)
    print(f"\n{args.runs} runs, {green} green, {cells} cells passed")
    return 0 if green == args.runs else 1


if __name__ == "__main__":
    sys.exit(main())
