"""Nothing opens a connection at run time, but the download of Kodak: run in a process without sockets."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

WITHOUT_SOCKETS = """
import sys

def refuse(event, args):
    if event.startswith("socket.") or event == "urllib.Request":
        raise ConnectionError("BLOCKED " + event)

sys.addaudithook(refuse)  # cannot be removed again; sees what C code asks of Python's sockets, too
"""

WORK = """
import os
from pathlib import Path
from nctutorial import cli, data, decompress, load_codec
from nctutorial.tools import benchmark
from nctutorial.widgets import write_html

image = data.photo("red_panda")[200:280, 300:420]
data.save_image("photo.png", image)
assert cli.main(["compress", "photo.png", "photo.nct"]) == 0
assert cli.main(["decompress", "photo.nct", "back.png"]) == 0
assert decompress(load_codec().compress(image)).shape == image.shape
os.mkdir("photos")
data.save_image("photos/a.png", image)
assert cli.main(["benchmark", "photos", "--out", "rows.csv"]) == 0
write_html("explorer.html", image, n=3)
assert Path("explorer.html").stat().st_size > 10_000
print("done")
"""

KODAK = """
from nctutorial import data
try:
    data.kodak_paths(download=True)
except data.KodakError as error:
    print(error)
"""


def run(code, folder):
    environment = {"HOME": str(folder), "XDG_CACHE_HOME": str(folder), "MPLBACKEND": "agg", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", WITHOUT_SOCKETS + code]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_everything_works_without_sockets(tmp_path):
    done = run(WORK, tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "done"
    assert "BLOCKED" not in done.stdout + done.stderr


def test_but_the_download_of_kodak(tmp_path):
    done = run(KODAK, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "cannot fetch https://r0k.us/" in done.stdout and "BLOCKED" in done.stdout and done.stdout.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] in ([], ["matplotlib"])


def test_no_module_but_data_can_reach_the_network():
    pattern = re.compile(r"\b(urllib|requests|http|socket|httpx|aiohttp|ftplib)\b *(import|\.|,|$)", re.MULTILINE)
    found = {path.name for path in (ROOT / "nctutorial").rglob("*.py") if pattern.search(path.read_text())}
    assert found == {"data.py"}
