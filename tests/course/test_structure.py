"""The shape of the project: imports go one way, nothing is long, each module has its tests."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "nctutorial"
MODULES = sorted(PACKAGE.rglob("*.py"))
FRONT_ENDS = sorted(PACKAGE.rglob("*.js"))
# What each part of the package may import of it: nothing that stands above its own line.
ARROWS = {
    "cli": {"nctutorial", "codec", "training", "tools", "files", "data", "metrics"},
    "nctutorial": {"codec"},
    "widgets": {"codec", "classical", "plotting", "data", "metrics"},
    "tools": {"codec", "data", "metrics"},
    "training": {"codec", "data", "metrics"},
    "toys": {"codec", "data"},
    "codec": {"data"},
    "classical": {"data", "metrics"},
    "plotting": {"data", "metrics"},
    "data": {"pictures"},
    "pictures": set(),
    "metrics": set(),
    "files": set(),
}
each_module = pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))


def lines(*paths):
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def room(path):
    """The part of the package that a module belongs to: its folder, or itself."""
    first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "nctutorial" if first == "__init__" else first


def imported(path):
    """The parts of the package that a module imports from, wherever in its code."""
    here = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = [*here[: len(here) + 1 - node.level]] if node.level else []
            base += node.module.split(".") if node.module else []
            names = [[*base, alias.name] for alias in node.names]
        else:
            continue
        for name in names:
            if name[0] == "nctutorial":
                yield name[1] if len(name) > 1 and name[1] in ARROWS else "nctutorial"


@each_module
def test_imports_go_one_way(path):
    assert set(imported(path)) - {room(path)} <= ARROWS[room(path)]


def test_no_arrow_leads_back():
    order = list(ARROWS)
    for name, targets in ARROWS.items():
        assert all(order.index(target) > order.index(name) for target in targets), name


def test_the_project_is_small():
    package = lines(*MODULES)
    assert package <= 5000
    assert lines(*FRONT_ENDS) <= 800
    tested = package + lines(*(ROOT / "notebooks" / "checks").glob("*.py"))
    assert lines(*(ROOT / "tests").rglob("*.py")) <= 2 * tested


@each_module
def test_modules_and_functions_are_short(path):
    if path.name != "__init__.py":
        assert 40 <= lines(path) <= 300
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno - node.lineno < 50, node.name


@pytest.mark.parametrize("path", FRONT_ENDS, ids=lambda path: path.name)
def test_functions_of_front_ends_are_short(path):
    """A function opens at the end of a line, and ends at the first brace of its own indentation."""
    text = path.read_text("utf-8").splitlines()
    for i, line in enumerate(text):
        if opened := re.match(r"( *)(?!(?:if|for|while|switch|\}) )\S.*\) (?:=> )?\{$", line):
            length = next(n for n, later in enumerate(text[i:], 1) if later.startswith(opened[1] + "}"))
            assert length <= 50, line


@each_module
def test_each_module_has_a_test_file_of_its_name(path):
    if path.name != "__init__.py":
        test = ROOT / "tests" / path.relative_to(PACKAGE).with_name(f"test_{path.name}")
        assert test.is_file(), test
