"""A folder of photos: what there is to measure, who measures it, and the rows in a CSV, kept from run to run.

One process measures, or several, or the workers of a Dask cluster. All that a task needs travels to its worker: the
pixels, and the codec as the bytes of its .safetensors file. A worker needs this package and no disk in common with
anybody. Everyone measures with one thread: two add floats in another order, which could round a latent otherwise.
"""

import contextlib
import csv
import functools
import hashlib
import io
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from pathlib import Path
from pickle import PicklingError
from typing import Any

import numpy as np
import torch
from joblib import Parallel, delayed
from PIL import Image
from tqdm import tqdm

from ..codec import from_bytes
from ..codec.base import Codec
from ..codec.units import LAM_MIN, lam_at, lam_index
from ..data import ImageError, load_image, write_atomic
from . import benchmark
from .benchmark import LAMS, MEASURED

COLUMNS = ("codec", "image", *MEASURED, "origin")

Weights = dict[str, np.ndarray]  # by the names of the codecs; the bytes of each one's .safetensors file
Tasks = Callable[[Mapping[str, Any]], Iterator[tuple]]  # the weights, or what stands for them -> arguments of `work`


class ClusterError(ValueError):
    """Workers that cannot be had or were lost; the message says what to do."""


def pictures(folder: Path | str) -> list[Path]:
    """The picture files in a folder, by their suffixes, sorted. Raises ImageError if there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise ImageError(f"{folder} is not a folder: name one that holds photos")
    known = Image.registered_extensions()
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in known and path.is_file())
    if not paths:
        raise ImageError(f"{folder} holds no pictures: name a folder of photos")
    return paths


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
    jobs: the number of processes; dask: the address of a Dask scheduler, whose workers measure. The numbers do not
    depend on either, only the seconds do. Raises ImageError, ClusterError, OSError.
    """
    lams = [lam_at(lam_index(lam)) for lam in lams]
    pairs = [(origin(codec, path), name, path) for path in pictures(folder) for name, codec in codecs.items()]
    rows = {} if out is None else read_rows(out)
    missing = {key: (name, path) for key, name, path in pairs if any((key, lam) not in rows for lam in lams)}
    unreadable: list[ImageError] = []

    def tasks(weights: Mapping[str, Any]) -> Iterator[tuple]:
        for key, (name, path) in missing.items():
            try:
                yield key, weights[name], Image.fromarray(load_image(path)), lams
            except ImageError as error:
                unreadable.append(error)
                return  # what is under way is worth having before the error

    def table() -> list[dict]:
        labels = [(key, lam, {"codec": name, "image": path.name}) for key, name, path in pairs for lam in lams]
        return [rows[key, lam] | label for key, lam, label in labels if (key, lam) in rows]

    weights = {name: np.frombuffer(codec.to_bytes(), np.uint8) for name, codec in codecs.items()}
    workers = _in_processes(tasks, weights, jobs) if dask is None else _on_dask(tasks, weights, dask)
    with contextlib.closing(workers) as measured:
        for done in tqdm(measured, total=len(missing), desc="measuring", unit="photo", disable=None):
            rows |= {(row["origin"], row["lam"]): row for row in done}
            if out is not None:
                write_rows(out, table())
    if out is not None:
        write_rows(out, table())
    if unreadable:
        raise unreadable[0]
    return table()


# ---- who measures


def work(key: str, weights: np.ndarray, picture: Image.Image, lams: Sequence[float]) -> list[dict]:
    """The rows of one photo under one codec, at the worker. key: their origin."""
    torch.set_num_threads(1)  # of the thread that runs this task
    codec = _received(weights.tobytes())
    return [row | {"origin": key} for row in benchmark.measure(codec, np.array(picture), lams)]


@functools.lru_cache
def _received(file: bytes) -> Codec:
    """The codec in a .safetensors file; a worker builds it once. Raises ValueError if the file was altered."""
    codec = from_bytes(file)
    codec.compress(np.zeros((256, 256, 3), np.uint8), LAM_MIN)  # the first run is slow: it is not measured
    return codec


def _in_processes(tasks: Tasks, weights: Weights, jobs: int) -> Generator[list[dict], None, None]:
    """The rows of each task, in any order; with one job, made in this process.

    joblib holds arrays in shared memory to the end: right for the weights, so that only photos travel as no arrays.
    """
    parallel = Parallel(jobs, return_as="generator_unordered", batch_size=1)
    threads = torch.get_num_threads()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="joblib")  # it warns if the caller stops before the end
            yield from parallel(delayed(work)(*task) for task in tasks(weights))
    except (BrokenProcessPool, PicklingError):  # the second if there is no room for the weights
        raise ClusterError(
            "a process was ended from outside, perhaps for want of memory: run this again with fewer --jobs; "
            "what is in the CSV is kept"
        ) from None
    finally:
        torch.set_num_threads(threads)


def _on_dask(tasks: Tasks, weights: Weights, address: str, patience: float = 5) -> Generator[list[dict], None, None]:
    """The rows of each task, in any order. patience: seconds for the scheduler to answer, and for a worker to be there.

    Not by joblib's Dask backend: it waits for ever for a task that killed its workers, and measures in this process
    if the cluster has one thread.
    """
    try:
        from distributed import Client, KilledWorker, as_completed

        client = Client(address, timeout=patience, set_as_default=False)
    except ImportError:
        raise ClusterError("a Dask cluster needs the package distributed: install the extra [dask]") from None
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address}: give the address that it prints ({error})"
        raise ClusterError(message) from None
    with client, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # photos are large
        try:
            client.wait_for_workers(1, timeout=patience)
        except TimeoutError:
            raise ClusterError(f"the Dask scheduler at {address} has no workers: start some with dask worker") from None
        sent = {name: client.scatter(file, broadcast=True, hash=False) for name, file in weights.items()}
        futures = (client.submit(work, *task, pure=False) for task in tasks(sent))
        # Two tasks for each thread are under way: the next is there at once, and few pictures are in memory.
        under_way = as_completed(islice(futures, 2 * sum(client.nthreads().values())), loop=client.loop)
        try:
            for future in under_way:
                yield future.result()
                under_way.update(islice(futures, 1))
        except (KilledWorker, CancelledError) as error:
            raise ClusterError(
                f"the Dask cluster lost its workers or its scheduler ({type(error).__name__}): look into their logs "
                "and run this again; what is in the CSV is kept"
            ) from None


# ---- the CSV


def origin(codec: Codec, path: Path) -> str:
    """What a row depends on besides λ: the first 16 hex digits of the SHA-256 of the model and the picture's file."""
    return hashlib.sha256(codec.fingerprint + path.read_bytes()).hexdigest()[:16]


def read_rows(out: Path | str) -> dict[tuple[str, float], dict]:
    """The rows in a CSV, by their origin and λ; none if there is no such file. A damaged row is left out."""
    rows: dict[tuple[str, float], dict] = {}
    if not Path(out).is_file():  # not there, or a device, which may have no end
        return rows
    with open(out, encoding="utf-8", newline="", errors="replace") as file, contextlib.suppress(csv.Error):
        for text in csv.DictReader(file):
            with contextlib.suppress(KeyError, TypeError, ValueError):
                row: dict[str, Any] = {name: float(text[name]) for name in MEASURED}
                row |= {"lam": lam_at(lam_index(row["lam"])), "bytes": int(text["bytes"]), "origin": text["origin"]}
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
