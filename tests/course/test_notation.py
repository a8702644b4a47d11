"""One notation for the whole course: the tables of the chapters repeat the rows of notation.md."""

import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
PAGE = (NOTEBOOKS / "notation.md").read_text("utf-8")
CHAPTERS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))


def rows(markdown, first):
    """The rows of the table whose head begins with `first`, as lists of cells."""
    table = re.search(rf"^\| {first} \|.*\n\|[-| ]+\|\n((?:\|.*\|\n?)*)", markdown, re.MULTILINE)
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table[1].splitlines()]


def prose(path):
    cells = json.loads(path.read_text("utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


SYMBOLS, GLOSSARY = dict(rows(PAGE, "symbol")), rows(PAGE, "term")
FOLLOWING = [path for path in CHAPTERS if "(notation.md" in prose(path)]


def test_no_symbol_and_no_term_stands_twice():
    names = [re.split(r" = |\(|\\mid", name.strip(" $"))[0] for cell in SYMBOLS for name in cell.split("$, $")]
    assert sorted(names) == sorted(set(names))
    terms = [term for term, _, _ in GLOSSARY]
    assert sorted(terms) == sorted(set(terms))


@pytest.mark.parametrize("path", FOLLOWING, ids=lambda path: path.stem)
def test_the_table_of_a_chapter_repeats_the_page(path):
    for symbol, meaning, _ in rows(prose(path), "symbol"):
        assert SYMBOLS.get(symbol) == meaning, f"{symbol} is another thing in notation.md"


@pytest.mark.parametrize("path", FOLLOWING, ids=lambda path: path.stem)
def test_a_chapter_introduces_its_terms(path):
    text = " ".join(prose(path).lower().split())
    for term, chapter, _ in GLOSSARY:
        if chapter == path.stem[:2]:
            assert re.search(rf"\*{re.escape(term.lower())}s?\*", text), f"{path.stem} does not introduce *{term}*"


def test_the_glossary_is_in_the_order_of_the_chapters():
    chapters = [chapter for _, chapter, _ in GLOSSARY]
    assert chapters == sorted(chapters)
