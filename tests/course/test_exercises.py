"""Every exercise of every chapter: stub, check, hint, solution, and answers that the check must refuse or accept."""

import ast
import contextlib
import importlib.util
import io
import json
import re
from pathlib import Path

import pytest
from checks import __main__ as progress
from checks import exercise
from checks.progress import exercises_of, function_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"


def functions(source):
    """{name: node} of the functions at the top level of Python source."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def solution(exercise):
    """The source of its function in solutions/."""
    source = (NOTEBOOKS / "solutions" / f"ch{exercise.chapter}.py").read_text("utf-8")
    return ast.get_source_segment(source, functions(source)[exercise.function])


def solved(exercise, source):
    """The exercise's cells with `source`, a function, in the place of the stub."""
    node = functions(exercise.code)[exercise.function]
    lines = exercise.code.splitlines()
    return "\n".join([*lines[: node.lineno - 1], source, *lines[node.end_lineno :]])


CHAPTERS = {path: list(exercises_of(path)) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
EXERCISES = [exercise for chapter in CHAPTERS.values() for exercise in chapter]
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)


def verdict(exercise, answer):
    """What the check says about a function, behind the number of the exercise."""
    check = importlib.import_module(f"checks.ch{exercise.chapter}")
    with contextlib.redirect_stdout(io.StringIO()) as said:
        found = getattr(check, exercise.check)(answer)
    assert said.getvalue() == f"{found}\n" and found.number == exercise.number
    assert bool(found) == (found.text == "correct")
    return found.text


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_each_chapter_has_two_to_four_exercises_in_order(path):
    chapter = int(path.stem[:2])
    numbers = [exercise.number for exercise in CHAPTERS[path]]
    assert numbers == [f"{chapter}.{i + 1}" for i in range(len(numbers))]
    assert 2 <= len(numbers) <= 4


@every_exercise
def test_text_and_hint(exercise):
    assert re.search(rf"^### Exercise {re.escape(exercise.number)} · \w", exercise.text, re.MULTILINE)
    assert re.search(r"<details><summary>Hint</summary>.{20,}</details>", exercise.text, re.DOTALL)


@every_exercise
def test_the_stub_is_documented_and_not_attempted(exercise):
    node = functions(exercise.code)[exercise.function]
    assert ast.get_docstring(node), "a stub says what it takes and returns"
    assert verdict(exercise, function_of(exercise)) == "not attempted yet"
    said = f"Exercise {exercise.number}: not attempted yet\n"
    assert exercise.output == said, "the notebook is committed with its exercises unsolved"


@every_exercise
def test_the_solution_in_the_stubs_place_is_correct(exercise):
    source = (NOTEBOOKS / "solutions" / f"ch{exercise.chapter}.py").read_text("utf-8")
    node, stub = functions(source)[exercise.function], functions(exercise.code)[exercise.function]
    assert ast.unparse(node.args) == ast.unparse(stub.args)
    assert re.search(rf"^# Exercise {re.escape(exercise.number)}\b", source, re.MULTILINE)
    assert ast.get_docstring(node), "a solution explains itself"
    assert verdict(exercise, function_of(exercise, solved(exercise, solution(exercise)))) == "correct"


@every_exercise
def test_wrong_answers_are_refused_with_a_message(exercise):
    wrong = importlib.import_module(f"tests.course.wrong_answers.ch{exercise.chapter}").WRONG
    for mistake, answer in wrong[exercise.number].items():
        said = verdict(exercise, answer)
        assert re.match("not yet: .{15,}", said), f"{mistake}: {said}"
        assert " stops with " not in said and "cannot be used" not in said, f"{mistake}: broken, not wrong: {said}"


@every_exercise
def test_right_answers_that_look_different_are_accepted(exercise):
    name = f"tests.course.right_answers.ch{exercise.chapter}"
    if importlib.util.find_spec(name):
        for route, answer in importlib.import_module(name).RIGHT.get(exercise.number, {}).items():
            assert verdict(exercise, answer) == "correct", route


# ---- python -m checks: a reader's chapters, as saved


def edited(folder, edits):
    """Copies of chapters in a folder. edits: {number: the sources of the cells in place of the stub's}."""
    for path, exercises in CHAPTERS.items():
        notebook = json.loads(path.read_text("utf-8"))
        for stub in exercises:
            if stub.number in edits:
                i = next(i for i, cell in enumerate(notebook["cells"]) if stub.check in "".join(cell["source"]))
                notebook["cells"][i - 1 : i] = [
                    {"cell_type": "code", "source": source, "outputs": []} for source in edits[stub.number]
                ]
                (folder / path.name).write_text(json.dumps(notebook), "utf-8")


def said(folder, capsys, *options):
    progress.main([*options], folder)
    return [line.strip() for line in capsys.readouterr().out.splitlines()]


def test_progress_is_one_line_an_exercise_whatever_a_reader_does(tmp_path, capsys):
    first, second = EXERCISES[:2]
    helper = solution(first).replace("def lam_range", "def my_answer")
    edits = {
        "0.1": [helper, "%%time\nprint(my_answer(R, D, 1))", "def lam_range(R, D, i):\n    return my_answer(R, D, i)"],
        "0.2": [f"{solution(second)}\n\n\nassert differences(x) is None  # of the reader's own"],
        "0.3": ["def step_for(a) return a"],
        "2.1": ["def integer_error(*_):\n    return x_of_the_chapter"],
        "2.2": ["def gap_to_shannon(*_):\n    raise ValueError('two\\nlines')"],
        "2.3": ["import os\n\n\ndef soft_round_inverse(*_):\n    os._exit(0)"],
        "2.4": ["def ste_deadzone(*_):\n    while True:\n        pass"],
    }
    edited(tmp_path, edits)
    (tmp_path / "01_autoencoder.ipynb").write_text('{"cells": [', "utf-8")
    expected = r"""00_pipeline.ipynb
        Exercise 0.1: correct
        Exercise 0.2: correct
        Exercise 0.3: not yet: SyntaxError: .*exercise 0.3, line 1.*
        Exercise 0.4: not attempted yet
        01_autoencoder.ipynb
        01_autoencoder.ipynb cannot be read: .*
        02_quantisation.ipynb
        Exercise 2.1: not yet: .*NameError: name 'x_of_the_chapter' is not defined.*
        Exercise 2.2: not yet: .*two lines.*
        Exercise 2.3: not yet: it ends Python itself
        Exercise 2.4: not yet: no result within 4 seconds
        Of a chapter only the imports .*
        8 exercises: 2 correct, 5 not yet, 1 not attempted yet"""
    lines = said(tmp_path, capsys, "--seconds", "4")
    for line, pattern in zip(lines, expected.splitlines(), strict=True):
        assert re.fullmatch(pattern.strip(), line), line


def test_progress_misses_an_exercise_that_is_gone(tmp_path, capsys):
    path = next(iter(CHAPTERS))
    notebook = json.loads(path.read_text("utf-8"))
    notebook["cells"] = [cell for cell in notebook["cells"] if "check.ex_" not in "".join(cell["source"])]
    (tmp_path / path.name).write_text(json.dumps(notebook), "utf-8")
    assert said(tmp_path, capsys)[1] == "Exercise 0.1: not yet: its check is not in the notebook any more"
    with pytest.raises(SystemExit):
        progress.main(["42"], tmp_path)
    assert "there is no chapter 42; there are 00" in capsys.readouterr().err


# ---- the helper itself


@exercise("0.1")
def double(answer):
    if answer(2) != 4:  # pytest would add to the message of an assert
        raise AssertionError("twice 2 is 4")
    assert answer(3)[0] == 6


@pytest.mark.parametrize(
    "answer, said",
    [
        (..., "not attempted yet"),
        (lambda n: ..., "not attempted yet"),
        (lambda n: (n, ...), "not attempted yet"),
        (lambda n: n, "not yet: twice 2 is 4"),
        (lambda n: None, "not yet: <lambda> returns nothing; does it end in a return?"),
        (lambda n: 2 * n, "not yet: the result cannot be used (TypeError: 'int' object is not subscriptable)"),
        (lambda n: 4 if n == 2 else [6], "correct"),
        (4, "not yet: the result cannot be used (TypeError: 'int' object is not callable)"),
    ],
)
def test_verdicts(answer, said, capsys):
    verdict = double(answer)
    assert capsys.readouterr().out == f"Exercise 0.1: {said}\n"
    assert str(verdict) == f"Exercise 0.1: {said}" and bool(verdict) == (said == "correct")


def test_an_error_in_the_answer_is_shown_with_its_line(capsys):
    namespace = {}
    exec(compile("def halve(n):\n    assert n > 5\n    return 1 / 0\n", "cell", "exec"), namespace)
    double(namespace["halve"])
    assert capsys.readouterr().out == "Exercise 0.1: not yet: halve stops with AssertionError (line 2 of its cell)\n"
