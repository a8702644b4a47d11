"""Every exercise of every chapter: stub, check, hint, solution, and answers that the check must refuse or accept."""

import ast
import contextlib
import importlib.util
import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from checks import exercise

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
CHECK_CALL = re.compile(r"^check\.(ex_(\d+)_(\d+))\((\w+)\)$", re.MULTILINE)


@dataclass(frozen=True)
class Exercise:
    chapter: str  # "07"
    number: str  # "7.1"
    check: str  # "ex_7_1"
    function: str  # the name the reader's function has
    text: str  # the Markdown since the code cell before the stub
    imports: str  # the import statements of all cells before the stub
    stub: str  # the source of the stub's cell
    output: str  # what the check's cell printed when the notebook was run

    def solved(self, source):
        """The stub's cell with `source`, a function, in the place of the stub's function."""
        node = functions(self.stub)[self.function]
        lines = self.stub.splitlines()
        return "\n".join([*lines[: node.lineno - 1], source, *lines[node.end_lineno :]])


def functions(source):
    """{name: node} of the functions at the top level of Python source."""
    return {node.name: node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def imports(source):
    """The import statements at the top level of Python source."""
    return "\n".join(ast.unparse(n) for n in ast.parse(source).body if isinstance(n, ast.Import | ast.ImportFrom))


def exercises_of(path):
    """In a chapter: the Markdown since the last code cell, the stub, and a cell `check.ex_7_1(function)`."""
    cells = [
        (cell["cell_type"], "".join(cell["source"]), cell) for cell in json.loads(path.read_text("utf-8"))["cells"]
    ]
    code = [i for i, (kind, _, _) in enumerate(cells) if kind == "code"]
    for above, stub, i in zip(code, code[1:], code[2:], strict=False):
        for call in CHECK_CALL.finditer(cells[i][1]):
            yield Exercise(
                chapter=path.stem[:2],
                number=f"{call[2]}.{call[3]}",
                check=call[1],
                function=call[4],
                text="\n\n".join(source for kind, source, _ in cells[above + 1 : i] if kind == "markdown"),
                imports=imports("\n".join(cells[j][1] for j in code if j < stub)),
                stub=cells[stub][1],
                output="".join("".join(output.get("text", "")) for output in cells[i][2]["outputs"]),
            )


CHAPTERS = {path: list(exercises_of(path)) for path in sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb"))}
EXERCISES = [exercise for chapter in CHAPTERS.values() for exercise in chapter]
every_exercise = pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.number)


def run(exercise, code):
    """The reader's function that `code`, the stub's cell or a variant of it, defines.

    Of the notebook before it only the imports are run: neither it nor its check may lean on the reader's variables.
    """
    namespace = {"__name__": "reader"}
    exec(exercise.imports, namespace)
    exec(compile(code, f"exercise {exercise.number}", "exec"), namespace)
    return namespace[exercise.function]


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
    node = functions(exercise.stub)[exercise.function]
    assert ast.get_docstring(node), "a stub says what it takes and returns"
    assert verdict(exercise, run(exercise, exercise.stub)) == "not attempted yet"
    said = f"Exercise {exercise.number}: not attempted yet\n"
    assert exercise.output == said, "the notebook is committed with its exercises unsolved"


@every_exercise
def test_the_solution_in_the_stubs_place_is_correct(exercise):
    source = (NOTEBOOKS / "solutions" / f"ch{exercise.chapter}.py").read_text("utf-8")
    solution, stub = functions(source)[exercise.function], functions(exercise.stub)[exercise.function]
    assert ast.unparse(solution.args) == ast.unparse(stub.args)
    assert re.search(rf"^# Exercise {re.escape(exercise.number)}\b", source, re.MULTILINE)
    assert ast.get_docstring(solution), "a solution explains itself"
    code = exercise.solved(ast.get_source_segment(source, solution))
    assert verdict(exercise, run(exercise, code)) == "correct"


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
