"""What the pages say, against the files that they speak of."""

import csv
import json
import re
from pathlib import Path
from statistics import fmean

import pytest

from nctutorial.codec import bitstream
from nctutorial.tools import benchmark
from scripts import refresh

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/**/*.md")])
COURSE = (NOTEBOOKS / "README.md").read_text("utf-8")
MAP = (ROOT / "nctutorial" / "README.md").read_text("utf-8")
MINUTES = {
    match[1]: int(match[2]) for match in re.finditer(r"^\| \[\d\d [^]]+\]\((\S+?)\).*\| (\d+) \|[^|]*\|$", COURSE, re.M)
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_commands_lead_somewhere(page):
    text = page.read_text("utf-8")
    links = [link for link in re.findall(r"\]\(([^)\s#]+)\)", text) if ":" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []
    modules = [name.replace(".", "/") for name in re.findall(r"python -m ((?:tests|scripts|nctutorial)\.[\w.]+)", text)]
    assert [name for name in modules if not (ROOT / f"{name}.py").is_file()] == []
    targets = re.findall(r"^    make (\w+)", text, re.M)
    assert set(targets) <= set(" ".join(re.findall(r"^([\w ]+):", (ROOT / "Makefile").read_text(), re.M)).split())


# ---- the map of the course


def test_every_chapter_is_on_both_maps_in_order():
    chapters = sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))
    assert list(MINUTES) == chapters
    assert re.findall(r"^\| \[.*?\]\(notebooks/(\S+)\)", (ROOT / "README.md").read_text("utf-8"), re.M) == chapters


@pytest.mark.parametrize("name", MINUTES)
def test_minutes_are_those_that_the_chapter_names(name):
    first = "".join(json.loads((NOTEBOOKS / name).read_text("utf-8"))["cells"][1]["source"])
    assert int(re.search(r"\*\*Time\*\*\D{0,12}(\d+)", first)[1]) == MINUTES[name]


def test_exercises_named_in_the_guide_exist():
    for chapter, number in set(re.findall(r"\b(\d{1,2})\.(\d)\b", COURSE)):
        solutions = (NOTEBOOKS / "solutions" / f"ch{int(chapter):02d}.py").read_text("utf-8")
        assert f"# Exercise {chapter}.{number}" in solutions


# ---- the map of the package


def test_the_map_names_every_module_and_no_other():
    package = ROOT / "nctutorial"
    files = {str(path.relative_to(package)) for path in package.rglob("*") if path.suffix in (".py", ".js")}
    named = set(re.findall(r"^\| `([\w/]+\.(?:py|js))` \|", MAP, re.M))
    assert named == {name for name in files if Path(name).name != "__init__.py"} | {"codec/__init__.py"}


def test_a_change_is_made_in_the_file_that_the_map_names():
    rows = re.findall(r"^\| [^|`]+ \| `([\w./]+)` \| `([^`]+)` \|$", MAP, re.M)
    assert len(rows) == 20
    assert [f"{file}: {what}" for file, what in rows if what not in (ROOT / file).read_text("utf-8")] == []


# ---- figures


@pytest.mark.parametrize("page", refresh.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_figures_are_those_of_the_tables(page):
    text = page.read_text("utf-8")
    made = {"summary": refresh.summary(), "means": refresh.means()}
    blocks = {block[2]: block[0].split("\n", 1)[1].rsplit("\n", 1)[0].strip() for block in refresh.BLOCK.finditer(text)}
    assert blocks and blocks == {name: made[name] for name in blocks}, "python -m scripts.refresh figures"
    outside = refresh.BLOCK.sub("", text)
    assert re.findall(r"[+-]\d+(?:\.\d+)? ?%|\d\.\d+ (?:bpp|dB)", outside) == [], "a figure that nothing compares"


def test_the_summary_agrees_with_the_benchmark():
    with open(refresh.LEARNED) as file:
        rows = [row | {key: float(row[key]) for key in ("lam", "bpp", "psnr")} for row in csv.DictReader(file)]
    for name in ("factorized", "hyperprior"):
        line = next(line for line in refresh.summary().splitlines() if line.startswith(f"| `{name}`"))
        size, *ranges, hevc, jpeg = [float(number) for number in re.findall(r"[+-]?\d+\.\d+", line)][:7]
        ours = [row for row in rows if row["codec"] == name]
        assert [hevc, jpeg] == pytest.approx([*benchmark.bd_rates(ours).values()], abs=0.051)
        least, most = ([row for row in ours if row["lam"] == lam] for lam in (0.001, 0.06))
        means = [fmean(row[key] for row in some) for key in ("bpp", "psnr") for some in (least, most)]
        assert len(least) == len(most) == 24 and ranges == pytest.approx(means, abs=0.051)
        assert size == pytest.approx(
            (ROOT / "data" / "weights" / f"{name}.safetensors").stat().st_size / 1e6, abs=0.051
        )


# ---- the security page


def test_the_security_page_says_what_the_code_does():
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    assert bitstream.MAX_PIXELS == 4096 * 3072 and "12 · 2<sup>20</sup> pixels (4096 x 3072)" in page
    places = re.findall(r"`(\w+)` in `([\w./]+)`", page)
    assert places and [name for name, file in places if name not in (ROOT / file).read_text("utf-8")] == []
