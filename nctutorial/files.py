"""The files that a command reads and writes: one or many, folders of them, - for the standard input and output.

What is wrong with an output is found before the work begins, not after it. What a user can get wrong is one line on
stderr. Of many files, one that fails does not stop the rest.
"""

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import IO

from tqdm import tqdm


def opened(name: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    """An input, open for reading. Raises OSError."""
    return contextlib.nullcontext(sys.stdin.buffer) if name == "-" else open(name, "rb")


def streams(folder: str) -> list[Path]:
    """The .nct files in a folder, sorted. Raises ValueError if there are none."""
    paths = sorted(Path(folder).glob("*.nct"))
    if not paths:
        raise ValueError(f"{folder} holds no .nct files")
    return paths


def checked_output(name: str, *suffixes: str) -> Path:
    """The path of an output that can be written. suffixes: what it may end in. Raises ValueError."""
    path = Path(name)
    if suffixes and path.suffix.lower() not in suffixes:
        raise ValueError(f"the name of the output ends in {suffixes[0]}, unlike {name}")
    if path.is_dir():
        raise ValueError(f"{name} is a folder: name a file")
    _check_place(path)
    return path


def _check_place(path: Path) -> None:
    if not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent} to write {path.name} to")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise ValueError(f"no permission to write {path}")


def pairs(
    inputs: Sequence[str], output: str, inside: Callable[[str], Sequence[Path]], suffix: str, *suffixes: str
) -> list[tuple[str, str]]:
    """Each input and its output. Several inputs, or those inside a folder, go into a folder under their own names.

    suffix: what these names then end in; suffixes: what the name of a single output may end in. Raises ValueError.
    """
    if len(inputs) == 1 and not any(map(os.path.isdir, (inputs[0], output))) and not output.endswith("/"):
        if output != "-":
            checked_output(output, *suffixes)
        return [(inputs[0], output)]
    if "-" in (*inputs, output):
        raise ValueError("- is one file: name one input and one output with it")
    if os.path.isfile(output):
        raise ValueError(f"{output} is a file: several outputs need a folder")
    _check_place(Path(output))
    sources: dict[str, str] = {}  # by the outputs
    for name in inputs:
        for path in inside(name) if os.path.isdir(name) else [Path(name)]:
            target = str(Path(output, path.with_suffix(suffix).name))
            if target in sources:
                raise ValueError(f"{sources[target]} and {path} would both become {target}")
            sources[target] = str(path)
    return [(source, target) for target, source in sources.items()]


def each(work: Callable[..., None], files: Sequence[tuple[str, ...]]) -> int:
    """Do the work on each input, or input and output. Returns the exit code."""
    bar = tqdm(files, unit="file", disable=None if len(files) > 1 else True)  # None: without a terminal
    return max(guarded(partial(work, *names), names[0]) for names in bar)


def guarded(work: Callable[[], int | None], name: str = "") -> int:
    """Do the work, of which `name` is the input. Returns the exit code: what it returns, or 2 after an error."""
    try:
        return work() or 0
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "memory" not in str(error):  # torch's word for it
            raise
        parts = [name, "there is not enough memory for this"]
    except OSError as error:
        parts = [str(error.filename or name), error.strerror or str(error)]
    except ValueError as error:  # ImageError, BitstreamError and a model that does not fit
        parts = [name, str(error)]
    tqdm.write("nctutorial: " + " ".join(": ".join(filter(None, parts)).split()), sys.stderr)
    return 2
