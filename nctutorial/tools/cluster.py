"""Who measures: this process, several processes of this machine, or the workers of a Dask cluster.

All that a task needs travels to whoever does it: the pixels of a picture, and the codec as the bytes of its
.safetensors file. So a worker needs this package and no disk in common with anybody. Everyone measures with one
thread: floats are added in another order by two, and could round a latent to another symbol.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from ..codec import load_codec
from ..codec.base import Codec
from ..codec.units import LAM_MIN
from ..data import ImageError, load_image
from . import benchmark

PATIENCE = 5  # seconds for a Dask scheduler to answer, and for a worker to be there


class ClusterError(ValueError):
    """Workers that cannot be had or were lost; the message says what to do."""


class Task(NamedTuple):
    codec: str  # its name
    path: Path  # of the picture
    lams: tuple[float, ...]


Measured = Callable[[Sequence[Task]], Iterator[tuple[Task, list[dict]]]]


@contextlib.contextmanager
def workers(codecs: Mapping[str, Codec], jobs: int = 1, dask: str | None = None) -> Iterator[tuple[Measured, int]]:
    """A function that yields each task with its rows, in any order, and the number of tasks that it does at a time.

    jobs: processes; 1 is this one. dask: the address of a scheduler. Raises ClusterError.
    """
    if dask is None and jobs == 1:
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield lambda tasks: _here(codecs, tasks), 1
        finally:
            torch.set_num_threads(threads)
        return
    files = {codec.sha256: codec.to_bytes() for codec in codecs.values()}
    with _dask(dask, files) if dask is not None else _processes(jobs, files) as (executor, count, sent):
        yield lambda tasks: _apart(codecs, tasks, executor, count, sent), count


def _here(codecs: Mapping[str, Codec], tasks: Sequence[Task]) -> Iterator[tuple[Task, list[dict]]]:
    warm = set()
    for task in tasks:
        if task.codec not in warm:
            warm_up(codecs[task.codec])
            warm.add(task.codec)
        yield task, benchmark.measure(codecs[task.codec], load_image(task.path), task.lams)


def _apart(
    codecs: Mapping[str, Codec], tasks: Sequence[Task], executor: Executor, count: int, sent: Mapping[str, Any]
) -> Iterator[tuple[Task, list[dict]]]:
    """Two tasks for each worker are under way at any time: the next is there at once, and few pictures in memory."""
    waiting, under_way, failed = list(reversed(tasks)), dict[Future, Task](), None
    try:
        while waiting or under_way:
            while waiting and len(under_way) < 2 * count:
                task = waiting.pop()
                sha256 = codecs[task.codec].sha256
                try:
                    job = executor.submit(work, sha256, sent[sha256], load_image(task.path), task.lams)
                    under_way[job] = task
                except ImageError as error:
                    failed, waiting = error, []  # what is under way is worth having first
            if under_way:
                for job in wait(under_way, return_when=FIRST_COMPLETED).done:
                    yield under_way.pop(job), job.result()
    except BrokenProcessPool:
        raise ClusterError(
            "a process was ended from outside, perhaps for want of memory: run this again with fewer --jobs; "
            "what is in the CSV is kept"
        ) from None
    if failed:
        raise failed


# ---- the two kinds of workers: an executor, how many tasks at a time, and what to send for each codec


@contextlib.contextmanager
def _processes(jobs: int, files: dict[str, bytes]) -> Iterator[tuple[Executor, int, dict[str, Any]]]:
    # spawn, not fork: torch's threads do not survive a fork. The weights go to each process once, when it starts.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), _receive, (files,))
    try:
        yield pool, jobs, dict.fromkeys(files)
    finally:
        pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _dask(address: str, files: dict[str, bytes]) -> Iterator[tuple[Executor, int, dict[str, Any]]]:
    try:
        from distributed import Client
    except ImportError:
        raise ClusterError("a Dask cluster needs the package distributed: install the extra [dask]") from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ClusterError(
            f"no Dask scheduler answers at {address}: give the address that it prints ({reason})"
        ) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise ClusterError(f"the Dask scheduler at {address} has no workers: start some with dask worker") from None
        sent = {sha256: client.scatter(file, broadcast=True, hash=False) for sha256, file in files.items()}
        yield client.get_executor(), sum(client.nthreads().values()), sent


# ---- what a worker does

_codecs: dict[str, Codec] = {}  # built in this process, by their SHA-256


def work(sha256: str, file: bytes | None, image: np.ndarray, lams: Sequence[float]) -> list[dict]:
    """The rows of one task. file: the codec's .safetensors, or None if this process has it."""
    torch.set_num_threads(1)  # of the thread that runs this task
    if sha256 not in _codecs:
        assert file is not None
        codec = from_bytes(file)
        assert codec.sha256 == sha256, "the weights arrived as others than were sent"
        warm_up(codec)
        _codecs[sha256] = codec
    return benchmark.measure(_codecs[sha256], image, lams)


def _receive(files: dict[str, bytes]) -> None:
    torch.set_num_threads(1)
    for sha256, file in files.items():
        _codecs[sha256] = from_bytes(file)
        warm_up(_codecs[sha256])


def warm_up(codec: Codec) -> None:
    """The first run of a network is slower than the others: not measured."""
    codec.code(codec.analyze(np.zeros((256, 256, 3), np.uint8)), LAM_MIN)


def from_bytes(file: bytes) -> Codec:
    """The codec in the content of a .safetensors file. Raises ValueError if it holds none."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "codec.safetensors"
        path.write_bytes(file)
        return load_codec(str(path))
