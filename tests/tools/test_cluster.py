"""`nctutorial benchmark` in several processes and on a Dask cluster: the same numbers to the last digit."""

import csv
import os
import re
import socket
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
import torch
from small_codec import small_codec, smooth_noise

from nctutorial import cli, data
from nctutorial import codec as models
from nctutorial.tools import cluster
from nctutorial.tools.cluster import ClusterError, Task
from nctutorial.tools.survey import measure_folder, split

NUMBERS = ("codec", "image", "lam", "bytes", "bpp", "estimated_bpp", "psnr", "ms_ssim", "origin")
NAMES = [name for name in models.NAMES if (data.WEIGHTS / f"{name}.safetensors").exists()]
LAMS = (0.001, 0.02)


@pytest.fixture(scope="module")
def codecs():
    return {name: models.load_codec(name) for name in NAMES}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    image = data.photo("red_panda")
    for i in range(3):
        data.save_image(folder / f"photo{i}.png", image[100 * i : 100 * i + 90, 250 : 350 + 10 * i])
    return folder


def numbers(rows):
    return [{name: row[name] for name in NUMBERS} for row in rows]


@pytest.fixture(scope="module")
def alone(codecs, photos):
    """What one process finds; compared with ==, so to the last digit of every float."""
    return numbers(measure_folder(codecs, photos, LAMS))


def test_one_process_measures_with_one_thread_and_gives_the_others_back(codecs, photos, alone):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert numbers(measure_folder(codecs, photos, LAMS)) == alone
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_processes_find_the_same_numbers(codecs, photos, alone, tmp_path):
    out = tmp_path / "rows.csv"
    rows = measure_folder(codecs, photos, LAMS, out, jobs=2)
    assert numbers(rows) == alone
    assert all(row["analysis"] > 0 for row in rows)
    with open(out, newline="") as file:
        assert [(row["codec"], row["image"]) for row in csv.DictReader(file)] == [
            (row["codec"], row["image"]) for row in alone
        ]


def test_the_command_line_in_two_processes(photos, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("one").mkdir()
    data.save_image("one/photo.png", data.load_image(photos / "photo0.png"))
    assert cli.main("benchmark one --out two.csv --jobs 2".split()) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 + 9
    two = Path("two.csv").read_bytes()
    assert cli.main("benchmark one --out two.csv".split()) == 0  # nothing is left to do
    assert Path("two.csv").read_bytes() == two and two.count(b"\n") == 1 + 9


def test_a_broken_picture_leaves_what_was_measured(codecs, photos, tmp_path):
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "zzz.png").write_bytes(b"broken")
    out = tmp_path / "rows.csv"
    with pytest.raises(data.ImageError, match="zzz.png"):
        measure_folder({"factorized": codecs["factorized"]}, tmp_path, LAMS, out, jobs=2)
    assert len(out.read_text().splitlines()) == 1 + 3 * 2


def end(*arguments):
    os._exit(9)  # as the system does when the memory is full


def test_a_process_that_is_killed_is_one_clear_error(photos, monkeypatch):
    task = Task("small", photos / "photo0.png", LAMS)
    codec = small_codec()
    monkeypatch.setattr(cluster, "work", end)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool, pytest.raises(ClusterError, match="fewer --jobs"):
        list(cluster._apart({"small": codec}, [task], pool, 1, {codec.sha256: None}))


# ---- tasks


def test_a_task_is_a_picture_under_a_codec():
    pairs = [(Path(f"{i}.png"), codec) for i in range(24) for codec in "ab"]
    for workers in (1, 2, 8, 24):
        assert split(pairs, LAMS, workers) == [Task(codec, path, LAMS) for path, codec in pairs]
    assert split([], LAMS, 4) == []


def test_one_picture_keeps_all_workers_busy():
    lams = tuple(np.geomspace(0.001, 0.06, 9))
    tasks = split([(Path("a.png"), "ours")], lams, 4)
    assert [len(task.lams) for task in tasks] == [2, 1, 1, 1, 1, 1, 1, 1]
    assert sorted(lam for task in tasks for lam in task.lams) == list(lams)
    assert len(split([(Path("a.png"), "ours")], lams, 99)) == 9
    assert len(split([(Path("a.png"), "ours")], lams, 1)) == 1  # in one process nothing is gained


def test_a_codec_travels_as_bytes():
    codec = models.load_codec()
    again = cluster.from_bytes(codec.to_bytes())
    assert again.sha256 == codec.sha256
    image = smooth_noise(40, 60)
    assert again.compress(image, 0.01) == codec.compress(image, 0.01)
    with pytest.raises(ValueError, match="does not hold the weights"):
        cluster.from_bytes(b"x" * 100)


# ---- Dask


def distributed():
    return pytest.importorskip("distributed", reason="Dask is not installed: pip install -e '.[dask]'")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A scheduler with two workers, each a process with a folder of its own."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    folder = tmp_path_factory.mktemp("dask")
    with distributed().LocalCluster(**options, silence_logs=50, local_directory=str(folder)) as local:
        yield local.scheduler_address


def test_a_dask_cluster_finds_the_same_numbers(codecs, photos, alone, address, tmp_path):
    assert numbers(measure_folder(codecs, photos, LAMS, tmp_path / "rows.csv", dask=address)) == alone


def test_the_workers_need_no_weights_on_a_disk(codecs, photos, alone, address):
    """They read nothing of data/: a codec that is in no file of this checkout is measured, too."""
    codec = other(codecs["factorized"])
    rows = measure_folder({"other": codec}, photos, LAMS, dask=address)
    here = measure_folder({"other": codec}, photos, LAMS)
    assert numbers(rows) == numbers(here) != alone


def other(codec):
    """A codec with weights of its own."""
    changed = cluster.from_bytes(codec.to_bytes())
    with torch.no_grad():
        changed.synthesis[-1].conv.weight.mul_(0.5)
    changed.__dict__.pop("sha256", None)
    assert changed.sha256 != codec.sha256
    return changed


def one_line_of_error(arguments, capsys):
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("nctutorial: ")
    return err


def test_no_scheduler_at_the_address(photos, capsys, monkeypatch):
    distributed()
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # a port where nobody listens
        where = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        err = one_line_of_error(["benchmark", str(photos), "--dask", where], capsys)
    assert f"no Dask scheduler answers at {where}" in err
    assert "no Dask scheduler answers at nonsense://x" in one_line_of_error(
        ["benchmark", str(photos), "--dask", "nonsense://x"], capsys
    )


def test_a_scheduler_without_workers(photos, capsys, monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    with distributed().LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50, processes=False) as local:
        err = one_line_of_error(["benchmark", str(photos), "--dask", local.scheduler_address], capsys)
    assert "has no workers" in err


def test_without_dask_the_error_names_the_extra(photos, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)  # as if it were not installed
    err = one_line_of_error(["benchmark", str(photos), "--dask", "tcp://127.0.0.1:8786"], capsys)
    assert "install the extra [dask]" in err


def test_jobs_or_dask(photos, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["benchmark", str(photos), "--jobs", "2", "--dask", "tcp://127.0.0.1:8786"])
    assert left.value.code == 2 and re.search("not allowed with", capsys.readouterr().err)
