"""Which output each input gets, and what of many files becomes of the one that fails."""

from pathlib import Path

import pytest

from nctutorial import files


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("in", "out"):
        Path(name).mkdir()
    for name in ("a.png", "b.jpg", "in/c.nct", "in/d.nct", "in/e.png"):
        Path(name).touch()


def pairs(*names):
    return files.pairs(names[:-1], names[-1], files.streams, ".x", ".nct")


@pytest.mark.parametrize(
    "names, expected",
    [
        ("a.png new.nct", {"a.png": "new.nct"}),
        ("a.png new.NCT", {"a.png": "new.NCT"}),
        ("- new.nct", {"-": "new.nct"}),
        ("a.png -", {"a.png": "-"}),
        ("- -", {"-": "-"}),
        ("a.png out", {"a.png": "out/a.x"}),
        ("a.png new/", {"a.png": "new/a.x"}),
        ("a.png b.jpg new", {"a.png": "new/a.x", "b.jpg": "new/b.x"}),
        ("in new", {"in/c.nct": "new/c.x", "in/d.nct": "new/d.x"}),
        ("in a.png out", {"in/c.nct": "out/c.x", "in/d.nct": "out/d.x", "a.png": "out/a.x"}),
        ("no.png a.png out", {"no.png": "out/no.x", "a.png": "out/a.x"}),  # found missing when its turn comes
    ],
)
def test_one_output_or_a_folder_of_them(folder, names, expected):
    assert dict(pairs(*names.split())) == expected
    assert not Path("new").exists()


@pytest.mark.parametrize(
    "names, message",
    [
        ("a.png new.png", "ends in .nct, unlike new.png"),
        ("a.png no/new.nct", "no folder no to write new.nct to"),
        ("a.png b.jpg no/new", "no folder no to write new to"),
        ("a.png b.jpg in/c.nct", "in/c.nct is a file: several outputs need a folder"),
        ("a.png in/e.png b.jpg out/../b.jpg out", "b.jpg and out/../b.jpg would both become out/b.x"),
        ("in in/c.nct out", "in/c.nct and in/c.nct would both become out/c.x"),
        ("out new", "out holds no .nct files"),
        ("- out", "- is one file"),
        ("- a.png out", "- is one file"),
        ("a.png b.jpg -", "- is one file"),
        ("in -", "- is one file"),
    ],
)
def test_what_is_wrong_is_found_before_the_work(folder, names, message):
    with pytest.raises(ValueError, match=message):
        pairs(*names.split())


def test_permission_to_write(folder, monkeypatch):
    monkeypatch.setattr(files.os, "access", lambda path, mode: False)
    for names in ("a.png new.nct", "a.png b.jpg out", "in new"):
        with pytest.raises(ValueError, match="no permission to write"):
            pairs(*names.split())


def test_one_that_fails_does_not_stop_the_rest(folder, capsys):
    done = []

    def work(name):
        done.append(name)
        if name == "b":
            raise ValueError("it is\nbroken")
        Path("in" if name == "d" else "a.png").read_bytes()

    assert files.each(work, [("a",), ("b",), ("c",), ("d",), ("e",)]) == 2
    assert done == list("abcde")
    out, err = capsys.readouterr()
    assert out == "" and err.splitlines() == ["nctutorial: b: it is broken", "nctutorial: in: Is a directory"]
    assert files.each(done.append, [("f",)]) == 0 and capsys.readouterr().err == ""
