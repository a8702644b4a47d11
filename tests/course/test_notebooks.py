"""The house rules that can be measured on every chapter. That it was run, and without errors: test_project.py."""

import json
import re
from pathlib import Path
from statistics import median

import pytest

from scripts import reading_time

CHAPTERS = sorted((Path(__file__).resolve().parents[2] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
SKELETON = ("In this chapter", "Exercises", "In practice", "Summary", "References")
WIDGET, PICTURES = "application/vnd.jupyter.widget-view+json", {"image/png", "image/svg+xml", "image/jpeg"}
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


class Chapter:
    """The cells of a notebook as stored: (kind, source, the MIME types of each output)."""

    def __init__(self, path):
        self.path = path
        self.raw = json.loads(path.read_text("utf-8"))["cells"]
        self.cells = [
            (cell["cell_type"], "".join(cell["source"]), [set(o.get("data", ())) for o in cell.get("outputs", ())])
            for cell in self.raw
        ]
        self.code = [source for kind, source, _ in self.cells if kind == "code" and source.strip()]
        markdown = "\n\n".join(source for kind, source, _ in self.cells if kind == "markdown")
        self.prose = FENCE.sub("", markdown)


@pytest.fixture(params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    return Chapter(request.param)


def written(source):
    """The lines of a code cell that are not blank."""
    return [line for line in source.splitlines() if line.strip()]


def test_cells_have_ids_that_never_clash(chapter):
    ids = [cell["id"] for cell in chapter.raw]
    assert len(set(ids)) == len(ids)


def test_skeleton(chapter):
    kind, source, _ = chapter.cells[0]
    assert kind == "markdown" and re.match(r"# \S", source), "the first cell is the title"
    assert len(re.findall(r"^# \S", chapter.prose, re.MULTILINE)) == 1, "one title"
    headings = re.findall(r"^## (.+)$", chapter.prose, re.MULTILINE)
    assert [heading for heading in headings if heading in SKELETON] == list(SKELETON)
    steps = [heading for heading in headings if re.match(r"\d+ · \S", heading)]
    assert [int(step.split()[0]) for step in steps] == list(range(1, len(steps) + 1)) and steps
    assert headings.index(steps[-1]) < headings.index("Exercises")


def test_small_steps(chapter):
    assert median(len(written(source)) for source in chapter.code) <= 10
    code = sum(not line.strip().startswith("#") for source in chapter.code for line in written(source))
    words = len(chapter.prose.split())
    assert words >= 5 * code, f"{words} words of prose to {code} lines of code"


def test_pictures_in_the_text_have_alt_text(chapter):
    for image in re.findall(r"!\[(.*?)\]\(", chapter.prose) + re.findall(r"<img\b[^>]*>", chapter.prose):
        alt = re.search(r'alt="([^"]+)"', image)[1] if image.startswith("<img") else image
        assert len(alt.split()) >= 3, f"{image!r} needs a description"


def test_pictures_that_cells_draw_are_described_above(chapter):
    for above, (kind, source, outputs) in zip(chapter.cells, chapter.cells[1:], strict=False):
        if kind == "code" and any(types & PICTURES for types in outputs):
            assert above[0] == "markdown" and len(above[1].split()) >= 8, f"say what is to be seen above\n{source}"


def test_each_widget_leaves_a_picture(chapter):
    for _, source, outputs in chapter.cells:
        shown = set().union(*outputs)
        assert WIDGET not in shown or shown & PICTURES, f"nothing to see on a static page:\n{source}"


def test_the_minutes_are_honest(chapter):
    estimate = reading_time.minutes(chapter.path)
    assert reading_time.stated(chapter.path) == pytest.approx(estimate, rel=0.2), "see scripts/reading_time.py"


def test_size(chapter):
    assert chapter.path.stat().st_size < 2.5e6
