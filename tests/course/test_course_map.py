"""notebooks/README.md, the map of the course, and the chapters must agree."""

import json
import re
from pathlib import Path

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
README = (NOTEBOOKS / "README.md").read_text("utf-8")
ROWS = {
    match[1]: int(match[2]) for match in re.finditer(r"^\| \[\d\d [^]]+\]\((\S+?)\).*\| (\d+) \|[^|]*\|$", README, re.M)
}


def test_every_chapter_is_on_the_map_in_order():
    assert list(ROWS) == sorted(path.name for path in NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert len(links) > 8
    assert [link for link in links if not (NOTEBOOKS / link).exists()] == []


def test_minutes_are_those_that_the_chapter_names():
    for name, minutes in ROWS.items():
        first = "".join(json.loads((NOTEBOOKS / name).read_text("utf-8"))["cells"][1]["source"])
        named = re.search(r"\*\*Time\*\*\D{0,12}(\d+)", first)
        assert named and int(named[1]) == minutes, f"{name} and the map disagree about the minutes"


def test_exercises_named_in_the_guide_exist():
    for chapter, number in set(re.findall(r"\b(\d{1,2})\.(\d)\b", README)):
        solutions = (NOTEBOOKS / "solutions" / f"ch{int(chapter):02d}.py").read_text("utf-8")
        assert f"# Exercise {chapter}.{number}" in solutions
