"""`nctutorial benchmark` on a folder: what there is to measure, and the rows in a CSV, kept from run to run."""

import contextlib
import csv
import hashlib
import io
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from ..codec.base import Codec
from ..codec.units import lam_at, lam_index
from ..data import ImageError, write_atomic
from . import cluster
from .benchmark import LAMS, MEASURED
from .cluster import Task

COLUMNS = ("codec", "image", *MEASURED, "origin")


def pictures(folder: Path | str) -> list[Path]:
    """The picture files in a folder, by their suffixes, sorted. Raises ImageError if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder: name one that holds photos")
    known = Image.registered_extensions()
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in known and path.is_file())
    if not found:
        raise ImageError(f"{folder} holds no pictures: name a folder of photos")
    return found


def origin(codec: Codec, path: Path) -> str:
    """What a row depends on besides λ: the first 16 hex digits of the SHA-256 of the model and the picture's file."""
    return hashlib.sha256(codec.fingerprint + path.read_bytes()).hexdigest()[:16]


def measure_folder(
    codecs: Mapping[str, Codec],
    folder: Path | str,
    lams: Sequence[float] = LAMS,
    out: Path | str | None = None,
    jobs: int = 1,
    dask: str | None = None,
) -> list[dict]:
    """The rows of every picture in a folder under every codec, by picture, codec, λ.

    codecs: by the names that the rows give them. out: a CSV, complete after each finished picture; the rows that an
    earlier, interrupted run left there are not measured again, if they are of the same pictures, models and λ.
    jobs: how many processes measure; dask: the address of a Dask scheduler whose workers measure. The numbers do not
    depend on either, only the seconds do. Raises ImageError, ClusterError, OSError.
    """
    finished = {} if out is None else read_rows(out)
    rows: dict[tuple[Path, str], list[dict]] = {}  # in the order of the table
    keys, missing = {}, []
    for path in pictures(folder):
        for name, codec in codecs.items():
            key = keys[path, name] = origin(codec, path)
            known = [finished.get((key, lam_at(lam_index(lam)))) for lam in lams]
            whole = None not in known
            rows[path, name] = [row | {"codec": name, "image": path.name} for row in known if row] if whole else []
            if not whole:
                missing.append((path, name))
    with cluster.workers(codecs, jobs, dask) as (measured, count):
        tasks = split(missing, lams, count)
        left: dict[Path, int] = defaultdict(int)  # tasks of each picture
        for task in tasks:
            left[task.path] += 1
        for task, found in tqdm(measured(tasks), total=len(tasks), desc="measuring", unit="task", disable=None):
            labels = {"codec": task.codec, "image": task.path.name, "origin": keys[task.path, task.codec]}
            rows[task.path, task.codec] += [row | labels for row in found]
            left[task.path] -= 1
            if not left[task.path] and out is not None:
                write_rows(out, _ordered(rows, lams, left))
    if out is not None:
        write_rows(out, _ordered(rows, lams, left))
    return _ordered(rows, lams, left)


def split(pairs: Sequence[tuple[Path, str]], lams: Sequence[float], workers: int) -> list[Task]:
    """Tasks for so many workers. pairs: (picture, codec).

    A task is a picture under a codec at all λ, so that the analysis transform, which no λ changes, runs once. Only
    where that gives fewer than two tasks a worker are the λ dealt out, as many to each task as possible.
    """
    hands = min(len(lams), math.ceil(2 * workers / len(pairs))) if pairs and workers > 1 else 1
    return [Task(codec, path, tuple(lams[i::hands])) for path, codec in pairs for i in range(hands)]


def _ordered(rows: dict[tuple[Path, str], list[dict]], lams: Sequence[float], left: Mapping[Path, int]) -> list[dict]:
    """The rows of the finished pictures, whatever the order in which they came."""
    order = {lam_at(lam_index(lam)): i for i, lam in enumerate(lams)}
    done = [group for (path, _), group in rows.items() if not left.get(path)]
    return [row for group in done for row in sorted(group, key=lambda row: order[row["lam"]])]


def read_rows(out: Path | str) -> dict[tuple[str, float], dict]:
    """The rows in a CSV, by their origin and λ; none if there is no such file. A damaged row is left out."""
    rows: dict[tuple[str, float], dict] = {}
    if not Path(out).is_file():
        return rows
    with open(out, newline="", errors="replace") as file, contextlib.suppress(csv.Error):
        for text in csv.DictReader(file):
            try:
                row: dict[str, Any] = {name: float(text[name]) for name in MEASURED}
                row |= {"lam": lam_at(lam_index(row["lam"])), "bytes": int(text["bytes"]), "origin": text["origin"]}
            except (KeyError, TypeError, ValueError):
                continue
            rows[row["origin"], row["lam"]] = row
    return rows


def write_rows(out: Path | str, rows: list[dict]) -> None:
    """Write rows as CSV, atomically."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({k: f"{v:.6g}" if isinstance(v, float) else v for k, v in row.items()})
    write_atomic(out, text.getvalue().encode())
