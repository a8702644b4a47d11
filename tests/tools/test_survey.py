"""A folder of photos: rows kept from run to run; the same numbers to the last digit whoever measures."""

import csv
import os
import socket
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from small_codec import small_codec, small_hyperprior, smooth_noise

from nctutorial import cli, data
from nctutorial.codec import units
from nctutorial.tools import benchmark, survey
from nctutorial.tools.benchmark import MEASURED, SECONDS
from nctutorial.tools.survey import COLUMNS, ClusterError, measure_folder, pictures

LAMS = (0.001, 0.01)


@pytest.fixture
def folder(tmp_path):
    for i, shape in enumerate([(40, 60), (33, 17)]):
        data.save_image(tmp_path / f"photo{i}.png", smooth_noise(*shape))
    (tmp_path / "CREDITS.txt").write_text("by nobody")
    (tmp_path / "folder.png").mkdir()
    return tmp_path


@pytest.fixture
def measured(monkeypatch):
    """The shapes of the pictures that are measured from now on."""
    shapes, measure = [], benchmark.measure

    def noted(codec, image, lams):
        shapes.append(image.shape[:2])
        return measure(codec, image, lams)

    monkeypatch.setattr(benchmark, "measure", noted)
    return shapes


def run(folder, lams=LAMS, codec=None):
    return measure_folder({"small": codec or small_codec()}, folder, lams, folder / "rows.csv")


# ---- rows and their CSV


def test_a_folder_and_its_csv(folder):
    rows = run(folder)
    assert [(row["image"], units.lam_index(row["lam"])) for row in rows] == [
        (f"photo{i}.png", units.lam_index(lam)) for i in range(2) for lam in LAMS
    ]
    with open(folder / "rows.csv", newline="") as file:
        texts = list(csv.DictReader(file))
    assert list(texts[0]) == list(COLUMNS)
    for row, text in zip(rows, texts, strict=True):
        assert text["image"] == row["image"] and int(text["bytes"]) == row["bytes"]
        assert text["origin"] == row["origin"] and text["codec"] == row["codec"] == "small"
        for name in MEASURED[2:]:
            assert float(text[name]) == pytest.approx(row[name], rel=1e-5)


def test_finished_photos_are_not_measured_again(folder, measured):
    (folder / "photo2.png").write_bytes(b"broken")
    with pytest.raises(data.ImageError, match="photo2.png"):
        run(folder)
    before = (folder / "rows.csv").read_text()
    data.save_image(folder / "photo2.png", smooth_noise(20, 21))
    rows = run(folder)
    assert measured == [(40, 60), (33, 17), (20, 21)]
    assert (folder / "rows.csv").read_text().startswith(before)  # the seconds too
    assert len({row["lam"] for row in rows}) == 2 and len(rows) == 6  # the table groups by λ
    assert run(folder) == run(folder) and len(measured) == 3


def test_the_csv_is_whole_after_each_picture(folder, monkeypatch):
    measure = benchmark.measure

    def interrupted(codec, image, lams):
        if len(image) == 33:
            raise KeyboardInterrupt
        return measure(codec, image, lams)

    monkeypatch.setattr(benchmark, "measure", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(folder)
    assert len((folder / "rows.csv").read_text().splitlines()) == 1 + len(LAMS)


def test_a_torn_or_damaged_row_is_measured_again(folder, measured):
    run(folder)
    whole = (folder / "rows.csv").read_bytes()
    lines = whole.splitlines(keepends=True)
    second = b"".join([lines[0], lines[1].replace(b",", b";"), *lines[2:]])
    for damaged in (whole[:-20], whole[: len(whole) // 2], second, lines[0], b"", b"\xff\0" * 99, b"x" * 200_000):
        (folder / "rows.csv").write_bytes(damaged)
        del measured[:]
        run(folder)
        assert 1 <= len(measured) <= 2
        again = (folder / "rows.csv").read_text().splitlines()
        assert len(again) == 5 and again[0] == ",".join(COLUMNS)


def test_rows_of_other_settings_are_measured_again(folder, measured):
    run(folder)
    run(folder, (0.001, 0.02))  # another λ
    assert len(measured) == 4
    run(folder, (0.02, 0.001))  # the same ones
    assert len(measured) == 4
    data.save_image(folder / "photo0.png", smooth_noise(40, 60, seed=5))  # another picture of this name
    run(folder, (0.02, 0.001))
    assert measured[4:] == [(40, 60)]
    (folder / "photo1.png").rename(folder / "a.png")  # another name of this picture
    rows = run(folder, (0.02, 0.001))
    assert len(measured) == 5 and [row["image"] for row in rows] == ["a.png"] * 2 + ["photo0.png"] * 2
    run(folder, (0.02, 0.001), small_hyperprior())  # another model of this name
    assert len(measured) == 7


def test_several_codecs_in_one_table(folder, measured):
    run(folder)
    two = {"wide": small_hyperprior(), "small": small_codec()}
    rows = measure_folder(two, folder, LAMS[::-1], folder / "rows.csv")
    assert len(measured) == 2 + 2  # the small codec's rows were there
    assert [(row["image"][:6], row["codec"], round(row["lam"], 3)) for row in rows] == [
        (f"photo{i}", name, lam) for i in range(2) for name in two for lam in LAMS[::-1]
    ]
    assert [line.split()[:2] for line in benchmark.table(rows).splitlines()[2:]] == [
        [name, lam] for name in two for lam in ("0.00100", "0.01000")
    ]


def test_folders_without_pictures(tmp_path):
    with pytest.raises(data.ImageError, match="holds no pictures"):
        pictures(tmp_path)
    with pytest.raises(data.ImageError, match="is not a folder"):
        pictures(tmp_path / "nowhere")


# ---- processes


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder, image = tmp_path_factory.mktemp("photos"), data.photo("red_panda")
    for i in range(3):
        data.save_image(folder / f"photo{i}.png", image[100 * i : 100 * i + 90, 250 : 350 + 10 * i])
    return folder


@pytest.fixture(scope="module")
def codecs():
    """In no file of this checkout: the weights must travel."""
    return {"small": small_codec(), "hyper": small_hyperprior()}


def numbers(rows):
    return [{name: value for name, value in row.items() if name not in SECONDS} for row in rows]


@pytest.fixture(scope="module")
def alone(codecs, photos):
    """What one process measures; compared with ==, so to the last digit of every float."""
    return numbers(measure_folder(codecs, photos, LAMS))


def test_one_process_measures_with_one_thread_and_gives_the_others_back(codecs, photos, alone):
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert numbers(measure_folder(codecs, photos, LAMS)) == alone
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(threads)


def test_processes_measure_the_same_numbers(codecs, photos, alone, tmp_path):
    assert numbers(measure_folder(codecs, photos, LAMS, tmp_path / "two.csv", jobs=2)) == alone
    one = [text.split(",") for text in (tmp_path / "two.csv").read_text().splitlines()[1:]]
    assert [text[:2] for text in one] == [[row["codec"], row["image"]] for row in alone]


def test_a_broken_picture_leaves_what_was_measured(photos, tmp_path):
    for path in photos.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "zzz.png").write_bytes(b"broken")
    with pytest.raises(data.ImageError, match="zzz.png"):
        measure_folder({"small": small_codec()}, tmp_path, LAMS, tmp_path / "rows.csv", jobs=2)
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + 3 * 2


@pytest.fixture
def weights():
    return {"small": np.frombuffer(small_codec().to_bytes(), np.uint8)}


def deadly(weights):
    """A task that ends its worker, as the system does when the memory is full."""

    class Picture:  # local, so that it travels by value
        def __array__(self, *arguments, **options):
            os._exit(9)

    yield "key", weights["small"], Picture(), LAMS


def test_a_process_that_is_killed_is_one_clear_error(weights):
    with pytest.raises(ClusterError, match="fewer --jobs"):
        list(survey._in_processes(deadly, weights, 2))


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_csv_that_cannot_be_written_is_one_error(photos, recwarn):
    with pytest.raises(OSError, match="No space left"):
        measure_folder({"small": small_codec()}, photos, LAMS, "/dev/full", jobs=2)
    assert not recwarn.list


def test_weights_that_changed_on_the_way_are_refused(weights):
    changed = weights["small"].copy()
    changed[-1] ^= 1
    with pytest.raises(ValueError, match="altered"):
        survey.work("key", changed, Image.new("RGB", (9, 9)), LAMS)


# ---- Dask


def distributed():
    return pytest.importorskip("distributed", reason="Dask is not installed: pip install -e '.[dask]'")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A scheduler with two workers, each a process with a folder of its own. A task may end one of them, no more."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    local = str(tmp_path_factory.mktemp("dask"))
    with pytest.importorskip("dask").config.set({"distributed.scheduler.allowed-failures": 0}):
        with distributed().LocalCluster(**options, silence_logs=50, local_directory=local) as cluster:
            yield cluster.scheduler_address


def test_a_dask_cluster_measures_the_same_numbers(codecs, photos, alone, address, tmp_path):
    assert numbers(measure_folder(codecs, photos, LAMS, tmp_path / "rows.csv", dask=address)) == alone
    assert len((tmp_path / "rows.csv").read_text().splitlines()) == 1 + len(alone)


def test_a_worker_that_is_lost_is_one_clear_error(weights, address):
    with pytest.raises(ClusterError, match="lost its workers .* the CSV is kept"):
        list(survey._on_dask(deadly, weights, address))


def test_no_scheduler_at_the_address():
    distributed()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # a port where nobody listens
        for address in (f"tcp://127.0.0.1:{taken.getsockname()[1]}", "nonsense://x"):
            with pytest.raises(ClusterError, match=f"no Dask scheduler answers at {address}: "):
                list(survey._on_dask(deadly, {}, address, patience=0.5))


def test_a_scheduler_without_workers():
    options = {"n_workers": 0, "dashboard_address": ":0", "silence_logs": 50, "processes": False}
    with distributed().LocalCluster(**options) as cluster, pytest.raises(ClusterError, match="has no workers"):
        list(survey._on_dask(deadly, {}, cluster.scheduler_address, patience=0.5))


def test_without_dask_the_error_names_the_extra(photos, capsys, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)  # as if it were not installed
    assert cli.main(["benchmark", str(photos), "--dask", "tcp://127.0.0.1:8786"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "install the extra [dask]" in err
