"""The files that must agree with each other, and what must not be in any of them."""

import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from nctutorial import data
from scripts import bounds, machine

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted(path for path in (ROOT / "notebooks").rglob("*.ipynb") if ".ipynb_checkpoints" not in path.parts)
TEXT = {".py", ".md", ".ipynb", ".js", ".css", ".toml", ".txt", ".yml", ".csv", ".cfg", ".html", ""}

MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:home|Users|root|work|opt)/\w|/tmp/ipykernel|[A-Z]:\\Users")


def project_files():
    """Every text file of the project: what git tracks or would track, or all outside .venv and caches."""
    try:
        command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        paths = [ROOT / name for name in names.splitlines()]
    except (OSError, subprocess.CalledProcessError):
        hidden = re.compile(r"/(\.venv[^/]*|\.git|\.[a-z]+_cache|\.hypothesis|__pycache__|\.ipynb_checkpoints)/")
        paths = [path for path in ROOT.rglob("*") if not hidden.search(path.as_posix())]
    this_file = Path(__file__)  # its patterns match themselves
    return [p for p in paths if p.is_file() and p.suffix in TEXT and p != this_file]


def pyproject():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def pins():
    lines = (line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines())
    requirements = [Requirement(line) for line in lines if line]
    for requirement in requirements:
        assert re.fullmatch(r"==[\w.]+", str(requirement.specifier)), f"{requirement} is not an exact version"
    assert len({canonicalize_name(r.name) for r in requirements}) == len(requirements)
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in requirements}


def direct_dependencies():
    project = pyproject()
    extras = project["optional-dependencies"].values()
    return [Requirement(line) for line in sum(extras, project["dependencies"])]


# ---- versions


def test_every_dependency_is_pinned_within_its_bounds():
    pinned = pins()
    for requirement in direct_dependencies():
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), str(requirement)


def test_the_whole_tree_is_pinned_and_installed_as_pinned():
    pinned, seen = pins(), set()
    todo = [(r.name, "") for r in direct_dependencies()]
    while todo:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        try:
            installed = version(name).split("+")[0]  # 2.13.0+cpu is the CPU build of 2.13.0
        except PackageNotFoundError:
            pytest.fail(f"{name} is not installed; make .venv/ready-test")
        assert installed == pinned.get(canonicalize_name(name)), f"{name} {installed} is not what constraints.txt says"
        for requirement in map(Requirement, requires(name) or []):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                todo += [(requirement.name, extra) for extra in {"", *requirement.extras}]
    assert len(seen) > 50


def test_environment_yml_installs_what_pip_installs():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    # Nothing but Python and pip comes from conda, so that no second place can name a version.
    assert conda == ["python=3.13", "pip"]  # Binder reads this form only: python=x.y
    extras = ",".join(pyproject()["optional-dependencies"])
    assert pip == {
        "pip": [
            "--extra-index-url https://download.pytorch.org/whl/cpu",
            "-c constraints.txt",
            f"-e .[{extras}]",
        ]
    }


def test_makefile_installs_from_the_same_files():
    makefile = (ROOT / "Makefile").read_text()
    extras = ",".join(pyproject()["optional-dependencies"])
    assert f"$(VENV)/ready-test: EXTRAS = {extras}\n" in makefile
    assert "PINS := constraints.txt\n" in makefile and "-c $(PINS) -e '.[$(EXTRAS)]'" in makefile
    assert "TORCH := $(shell sed -n 's/^torch==//p' $(PINS))" in makefile
    for path, test in re.findall(r"--deselect (\S+)::(\w+)", makefile):
        assert f"def {test}(" in (ROOT / path).read_text("utf-8")
    assert re.findall(r"https://\S+", makefile) == ["https://download.pytorch.org/whl/cpu"]


def test_the_oldest_versions_are_the_lower_bounds():
    said = subprocess.run([sys.executable, "scripts/bounds.py", "oldest"], cwd=ROOT, capture_output=True, text=True)
    oldest = [Requirement(line) for line in said.stdout.splitlines()]
    assert [requirement.name for requirement in oldest] == [direct.name for direct in direct_dependencies()]
    for requirement, direct in zip(oldest, direct_dependencies(), strict=True):
        assert f">={requirement.specifier}".replace("==", "") in str(direct.specifier)
    assert not subprocess.check_output([sys.executable, "scripts/bounds.py", "newest"], cwd=ROOT)
    with pytest.raises(ValueError, match="torch is not name>=version"):
        bounds.oldest({"dependencies": ["torch"], "optional-dependencies": {}})


def test_the_package_under_test_is_this_one():
    assert Path(data.__file__).parent == ROOT / "nctutorial"
    assert version("nctutorial") == pyproject()["version"]


# ---- where the course runs


@pytest.mark.parametrize(
    "here, said",
    [
        (((3, 10, 9), "Linux", "x86_64"), "Python 3.11 to 3.14 is needed, this is 3.10"),
        (((3, 15, 0), "Linux", "x86_64"), "Python 3.11 to 3.14 is needed, this is 3.15"),
        (((3, 13, 1), "Darwin", "x86_64"), "PyTorch ends with 2.2 for Macs with an Intel processor"),
        (((3, 13, 1), "Linux", "aarch64"), "constriction has no wheel for Linux on Arm: docs/elsewhere.md"),
        (((3, 11, 0), "Linux", "x86_64"), ""),
        (((3, 14, 9), "Darwin", "arm64"), ""),
    ],
)
def test_make_says_where_the_course_cannot_be_installed(here, said):
    sentence = machine.obstacle(*here)
    assert sentence.startswith(said) and bool(sentence) == bool(said)


def test_the_pages_say_where_the_course_runs():
    pages = [(ROOT / name).read_text("utf-8") for name in ("README.md", "Makefile", "docs/elsewhere.md")]
    (*_, oldest), (*_, newest) = machine.OLDEST, machine.NEWEST
    assert all(f"3.{oldest} to 3.{newest}" in page for page in pages)
    for words in ("Intel processor", "Linux on Arm", "Windows on Arm"):
        assert words in " ".join(machine.WITHOUT.values()) and words in pages[-1]
    assert '.venv\\Scripts\\pip install -c constraints.txt -e ".[codecs]"' in pages[-1]


def test_the_devcontainer_is_made_by_make():
    text = (ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8")
    container = json.loads(re.sub(r"^ *//.*", "", text, flags=re.MULTILINE))
    assert container["postCreateCommand"] == "make .venv/ready-lab" and container["image"].endswith("python:3.13")
    pattern = re.search(r"allow_origin_pat=(.*)'", container["containerEnv"]["LAB_FLAGS"])[1]
    assert re.match(pattern, "https://fuzzy-8888.app.github.dev")
    assert not re.match(pattern, "https://fuzzy.app.github.dev.example.org")


# ---- notebooks


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_was_run_from_top_to_bottom(path):
    """nbval compares nothing in a cell without an execution count, so each cell must have one."""
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error", output.get("evalue")
            assert output.get("name") != "stderr", output.get("text")


# ---- what must not be there


def test_no_paths_of_one_machine():
    found = [
        f"{path}: {match[0]}" for path in project_files() for match in MACHINE_PATH.finditer(path.read_text("utf-8"))
    ]
    assert found == []


def test_nothing_is_unpickled():
    """Weights are safetensors: a file from a stranger must not be able to run code."""
    pattern = re.compile(
        r"torch\.load\(|\bimport (pickle|marshal|shelve)\b|\bpickle\.|allow_pickle"
        r"|\bjoblib\.(load|dump)\b|\bfrom joblib import .*\b(load|dump)\b"
    )
    files = [path for path in project_files() if path.suffix in (".py", ".ipynb")]
    found = [f"{path}: {match[0]}" for path in files for match in pattern.finditer(path.read_text("utf-8"))]
    assert found == []


def test_every_file_in_data_is_a_picture_a_table_or_safetensors():
    allowed = {".webp", ".csv", ".md", ".safetensors", ".sha256", ".nct", ".png"}
    assert {path.suffix for path in (ROOT / "data").rglob("*") if path.is_file()} <= allowed
