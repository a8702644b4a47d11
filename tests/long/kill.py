"""Kill -9 at random moments: python -m tests.long.kill --count 50 --seed 0

`compress`, `benchmark` and `train` (of a tiny codec) run in child processes, are killed, and are run again until they
come to their end. After each kill, each file under the name of an output must be a whole old or a whole new one. In
the end, `benchmark` must have kept the rows that it had, and `train` must have written the same log and the same
weights as without any kill. The children write as to a slow disk, in two pieces with a pause between, so that many
kills hit a write. Prints a table, and exits with 1 if anything was torn or different. Takes six minutes for 50
kills of each. Needs a system with fork.
"""

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import torch
from safetensors.torch import load

from nctutorial import cli, codec, data
from nctutorial.tools.survey import COLUMNS
from nctutorial.training import loop
from tests.small_codec import SIZES, small_codec, smooth_noise

PAUSE = 0.01  # seconds, in the middle of each write


def slow_write(path: Path, content: bytes) -> int:
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
        file.flush()
        time.sleep(PAUSE)
        return file.write(content[len(content) // 2 :])


def child(arguments: list[str]) -> None:
    sys.stdout, sys.stderr = open(os.devnull, "w"), open("stderr", "w")
    Path.write_bytes = slow_write
    sys.exit(cli.main(arguments))


def run(arguments: list[str], seconds: float | None = None) -> bool:
    """One command in a child, killed after so many seconds. Returns whether it came to its end."""
    process = get_context("fork").Process(target=child, args=(arguments,))
    process.start()
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        process.join()
        return False
    assert process.exitcode == 0, f"{arguments[0]} failed by itself: {Path('stderr').read_text()}"
    return True


def until(kills: int, arguments: list[str], clear, check) -> int:
    """Kill a command so many times, clear() after each time that it reached its end. check() is called after each run.

    Returns how often a whole run needed more than one start.
    """
    clear()
    start = time.time()
    run(arguments)
    whole = time.time() - start
    check()
    clear()
    resumed = killed = starts = 0
    while killed < kills or starts:
        ended = run(arguments, random.uniform(0, 1.2 * whole) if killed < kills else None)
        check()
        starts, killed = starts + 1, killed + (not ended)
        if ended:
            resumed, starts = resumed + (starts > 1), 0
            clear()
    return resumed


def kill_compress(kills: int) -> str:
    data.save_image("photo.png", smooth_noise(300, 400))
    image = data.load_image("photo.png")
    old, new = (small_codec().compress(image, lam) for lam in (0.001, 0.06))

    def check():
        assert Path("photo.nct").read_bytes() in (old, new), "compress left a torn stream"

    arguments = "compress photo.png photo.nct --lam 0.06 --model small.safetensors".split()
    resumed = until(kills, arguments, lambda: Path("photo.nct").write_bytes(old), check)
    return f"{resumed} times begun again; old streams and new ones, none torn"


def rows_of(text: str) -> list[str]:
    lines = text.splitlines(keepends=True)
    assert not lines or lines[0] == ",".join(COLUMNS) + "\n", "benchmark left a torn header"
    whole = all(line.endswith("\n") and line.count(",") == len(COLUMNS) - 1 for line in lines)
    assert whole, "benchmark left a torn row"
    return lines[1:]


def kill_benchmark(kills: int) -> str:
    Path("photos").mkdir()
    for i in range(6):
        data.save_image(f"photos/{i}.png", smooth_noise(40, 60, i))
    out, before, kept = Path("rows.csv"), [], 0

    def check():
        nonlocal before, kept
        rows = rows_of(out.read_text() if out.exists() else "")
        assert rows[: len(before)] == before, "benchmark measured again what it had"  # seconds are never the same twice
        assert len(rows) % 9 == 0, "benchmark left half of a photo"
        kept += len(before) // 9
        before = rows

    def clear():
        assert len(before) in (0, 54), "benchmark ended without some photos"
        out.unlink(missing_ok=True)
        before.clear()

    resumed = until(kills, "benchmark photos --out rows.csv --model small.safetensors".split(), clear, check)
    return f"{resumed} times gone on, {kept} photos kept"


def log_of(path: Path) -> list[list[str]]:
    """The rows of a training's log without their minutes, which are never the same twice."""
    return [(row := line.split(","))[:1] + row[2:] for line in path.read_text().splitlines()]


def kill_train(kills: int) -> str:
    Path("crops").mkdir()
    data.save_image("crops/a.png", smooth_noise(140, 150))
    out, log, checkpoint = (Path("new").with_suffix(suffix) for suffix in (".safetensors", ".csv", ".checkpoint"))
    arguments = "train crops --out new.safetensors --steps 6 --batch 1 --crop 64 --every 2".split()
    run(arguments)
    weights, rows = codec.load(out).sha256, log_of(log)

    def check():
        assert not out.exists() or codec.load(out).sha256 == weights, "train wrote other weights"
        assert not log.exists() or rows[: len(log_of(log))] == log_of(log), "train wrote another log"
        if checkpoint.exists():
            load(checkpoint.read_bytes())  # safetensors checks its lengths

    def clear():
        assert not out.exists() or log_of(log) == rows, "train ended with another log"
        for path in (out, log, checkpoint):
            path.unlink(missing_ok=True)

    resumed = until(kills, arguments, clear, check)
    return f"{resumed} times gone on, to the same weights and log"


def prepare() -> None:
    """What the children inherit: one thread; a small model to train, neither started from the PCA nor validated."""
    torch.set_num_threads(1)
    model, finished = codec.CODECS["factorized"]
    codec.CODECS["factorized"] = (lambda **sizes: model(**sizes or SIZES["factorized"]), finished)
    loop.start_from_pca = lambda *arguments: None
    loop.validate = lambda model: ([], 0.0)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    random.seed(args.seed)
    prepare()
    failures = 0
    for job in (kill_compress, kill_benchmark, kill_train):
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            start = time.time()
            small_codec().save("small.safetensors")
            try:
                outcome = "ok    " + job(args.count)
            except AssertionError as error:
                outcome, failures = f"FAILED {error}", failures + 1
            strays = len(list(Path().rglob("*.part")))
        seconds = time.time() - start
        print(f"{job.__name__:15} {args.count} kills, {seconds:4.0f} s, {strays} strays: {outcome}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
