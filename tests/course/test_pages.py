"""What the pages say, against the files that they speak of."""

import csv
import json
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from nctutorial.codec import bitstream
from scripts import refresh

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
PAGES = sorted(path for path in ROOT.rglob("*.md") if not any(name[0] == "." for name in path.relative_to(ROOT).parts))
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
    assert set(targets) <= set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M))


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


def tables(name, *columns):
    """{codec: {image: its points, the smallest rate first}} of a reference table, read without the project's code."""
    points = defaultdict(lambda: defaultdict(list))
    with open(ROOT / "data" / "reference" / name) as file:
        for row in csv.DictReader(file):
            points[row["codec"]][row["image"][-6:-4] or row["image"]].append([float(row[key]) for key in columns])
    return {codec: {image: np.array(sorted(p)) for image, p in of.items()} for codec, of in points.items()}


def bd_rate(reference, curve):
    """Percent, by the trapezoidal rule on a fine grid."""
    low, high = max(reference[0, 1], curve[0, 1]), min(reference[-1, 1], curve[-1, 1])
    grid = np.linspace(low, high, 2001)
    ours, theirs = (PchipInterpolator(c[:, 1], np.log(c[:, 0]))(grid) for c in (curve, reference))
    return 100 * np.expm1(np.trapezoid(ours - theirs, grid) / (high - low))


def blocks(page):
    return dict(re.findall(r"<!-- figures: (\w+) -->\n(.*?)<!-- end of figures -->", page, re.DOTALL))


def numbers(line):
    return [float(number) for number in re.findall(r"(?<![\w:])[+-]?\d+(?:\.\d+)?", line)]


@pytest.mark.parametrize("page", refresh.PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_figures_are_those_of_the_tables(page):
    text = page.read_text("utf-8")
    learned, classical = (
        tables("kodak_learned.csv", "bpp", "psnr", "ms_ssim", "lam"),
        tables("kodak_classical.csv", "bpp", "psnr"),
    )
    means = {name: np.mean([*learned[name].values()], axis=0) for name in ("factorized", "hyperprior")}
    lines = blocks(text)["summary"].splitlines()
    for name, mean in means.items():
        size = (ROOT / "data" / "weights" / f"{name}.safetensors").stat().st_size
        expected = [size / 1e6, *mean[[0, -1], 0], *mean[[0, -1], 1]]
        for reference in (classical["hevc444_x265"], classical["jpeg420"], learned["factorized"]):
            if reference is not learned[name]:
                expected.append(np.mean([bd_rate(reference[i], learned[name][i]) for i in reference]))
        line = next(line for line in lines if line.startswith(f"| `{name}`"))
        assert numbers(line) == pytest.approx(expected, abs=0.051)
        assert numbers(line)[1:3] == pytest.approx(expected[1:3], abs=0.00051)
    for line, *rows in zip(blocks(text).get("means", "").strip().splitlines()[2:], *means.values(), strict=False):
        assert numbers(line) == pytest.approx([rows[0][3], *rows[0][:3], *rows[1][:3]], abs=0.0051)
    outside = refresh.BLOCK.sub("", text)
    assert re.findall(r"[+-]\d+(?:\.\d+)? ?%|\d\.\d+ bpp|\d\.\d+ dB", outside) == [], "a figure that nothing compares"


# ---- the security page


def test_the_security_page_says_what_the_code_does():
    page = (ROOT / "docs" / "security.md").read_text("utf-8")
    assert bitstream.MAX_PIXELS == 4096 * 3072 and "12 · 2<sup>20</sup> pixels (4096 x 3072)" in page
    places = re.findall(r"`(\w+)` in `([\w./]+)`", page)
    assert places and [name for name, file in places if name not in (ROOT / file).read_text("utf-8")] == []
