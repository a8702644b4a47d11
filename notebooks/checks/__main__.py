"""Which exercises are done: `python -m checks`, in the folder of the chapters. In a cell: `%run -m checks`."""

import argparse
import contextlib
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

from checks import Verdict
from checks.progress import Judge, exercises_of

NOTEBOOKS = Path(__file__).resolve().parents[1]


def numbers(chapter: str) -> list[str]:
    """The exercises that a chapter has, by its checks."""
    path = NOTEBOOKS / "checks" / f"ch{chapter}.py"
    return re.findall(r'^@exercise\("(\S+)"\)', path.read_text("utf-8"), re.MULTILINE) if path.is_file() else []


def verdicts(path: Path, judge: Judge) -> Iterator[Verdict]:
    """What the checks say of the answers in a chapter as it is saved."""
    found = {exercise.number: exercise for exercise in exercises_of(path)}
    for number in numbers(path.name[:2]):
        text = judge(found[number]) if number in found else "not yet: its check is not in the notebook any more"
        yield Verdict(number, textwrap.shorten(text, 300, placeholder=" ..."))


def main(arguments: list[str] | None = None, folder: Path = NOTEBOOKS) -> None:
    parser = argparse.ArgumentParser(
        prog="python -m checks", description="Which exercises are done in the saved chapters."
    )
    parser.add_argument("chapters", nargs="*", help="such as 07; all if none is named")
    parser.add_argument("--seconds", type=float, default=20, help="time limit of an exercise, %(default)s seconds")
    options = parser.parse_args(arguments)
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if unknown := sorted({*options.chapters} - {path.name[:2] for path in paths}):
        parser.error(f"there is no chapter {unknown[0]}; there are {', '.join(path.name[:2] for path in paths)}")
    said = []
    with Judge(options.seconds) as judge:
        for path in paths:
            if not options.chapters or path.name[:2] in options.chapters:
                print(path.name)
                try:
                    for verdict in verdicts(path, judge):
                        print(f"  {verdict}", flush=True)
                        said.append(verdict.text)
                except ValueError as error:
                    print(f"  {error}")
    if any("NameError" in text for text in said):
        print("Of a chapter only the imports and an exercise's own cells are run: an answer must bring what it needs.")
    correct, unseen = said.count("correct"), said.count("not attempted yet")
    wrong = len(said) - correct - unseen
    print(f"{len(said)} exercises: {correct} correct, {wrong} not yet, {unseen} not attempted yet")


if __name__ == "__main__":
    with contextlib.suppress(AttributeError):  # a notebook's output has no encoding
        sys.stdout.reconfigure(errors="replace")  # a λ for a terminal that has none
    try:
        main()
    except KeyboardInterrupt:
        raise SystemExit(130) from None
