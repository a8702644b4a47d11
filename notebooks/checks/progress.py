"""The exercises of a chapter as it is saved, and what their checks say: the part behind `python -m checks`.

Of a notebook only import statements and the exercises' own cells are run: of these the imports, definitions and
assignments, so neither a trial nor a training that stands beside an answer.
"""

import ast
import contextlib
import importlib
import io
import json
import multiprocessing
import re
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECK_CALL = re.compile(r"^check\.(ex_(\d+)_(\d+))\((\w+)\)\s*$", re.MULTILINE)
MAGIC = re.compile(r"^[%!].*", re.MULTILINE)  # what only IPython understands, such as %%time
IMPORTS = ast.Import | ast.ImportFrom
KEPT = IMPORTS | ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Exercise:
    chapter: str  # "07"
    number: str  # "7.1"
    check: str  # "ex_7_1"
    function: str  # the name that the reader's function has
    text: str  # its Markdown, from its heading to its check
    imports: str  # the import statements of all cells before it
    code: str  # its code cells, from its heading to its check
    output: str  # what the check's cell printed when the notebook was saved


def exercises_of(path: Path) -> Iterator[Exercise]:
    """The exercises of a notebook: each from its heading to a cell with check.ex_7_1(function). Raises ValueError."""
    try:
        cells = [(c["cell_type"], "".join(c["source"]), c) for c in json.loads(path.read_text("utf-8"))["cells"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path.name} cannot be read: {type(error).__name__}: {error}") from None
    cells = [(kind, MAGIC.sub("", source) if kind == "code" else source, cell) for kind, source, cell in cells]
    for i, (kind, source, cell) in enumerate(cells):
        for call in CHECK_CALL.finditer(source) if kind == "code" else ():
            number = f"{call[2]}.{call[3]}"
            heading = re.compile(rf"^### Exercise {re.escape(number)}\b", re.MULTILINE)
            begin = max(
                (j for j in range(i) if cells[j][0] == "markdown" and heading.search(cells[j][1])), default=i - 1
            )
            own = cells[max(begin, 0) : i + 1]
            yield Exercise(
                chapter=path.name[:2],
                number=number,
                check=call[1],
                function=call[4],
                text="\n\n".join(source for kind, source, _ in own if kind == "markdown"),
                imports="\n".join(imports(source) for kind, source, _ in cells[:begin] if kind == "code"),
                code="\n\n".join(source for kind, source, _ in own if kind == "code"),
                output="".join("".join(output.get("text", "")) for output in cell.get("outputs", ())),
            )


def imports(source: str) -> str:
    """The import statements at the top level of a cell; none if it is not Python."""
    try:
        return "\n".join(ast.unparse(node) for node in ast.parse(source).body if isinstance(node, IMPORTS))
    except SyntaxError:
        return ""


def function_of(exercise: Exercise, code: str | None = None):
    """The reader's function. code: in place of the exercise's own cells.

    A statement that fails is left out: what needs it stops with a NameError. Raises what kept the function from
    being defined.
    """
    namespace: dict = {"__name__": "reader"}
    name = f"exercise {exercise.number}"
    missing: Exception = NameError(
        f"there is no function {exercise.function} between the exercise's text and its check"
    )
    for source in (exercise.imports, exercise.code if code is None else code):
        for node in ast.parse(source, name).body:
            if isinstance(node, KEPT):
                try:
                    exec(compile(ast.Module([node], []), name, "exec"), namespace)
                except Exception as error:
                    if getattr(node, "name", "") == exercise.function:
                        missing = error
    if exercise.function not in namespace:
        raise missing
    return namespace[exercise.function]


def judge(exercise: Exercise) -> str:
    """What the check says about the reader's function: "correct", "not attempted yet" or "not yet: ..."."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            with warnings.catch_warnings(action="ignore"):
                check = importlib.import_module(f"checks.ch{exercise.chapter}")
                return getattr(check, exercise.check)(function_of(exercise)).text
    except BaseException as error:  # an exit() in an answer as well
        return f"not yet: {type(error).__name__}: {error}"


# ---- in a process of its own, since an answer may run for ever or take Python down with it


def serve(connection) -> None:
    """Answers each exercise that it receives with what `judge` says; first "", or why it cannot."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process, too
    try:
        importlib.import_module("nctutorial.widgets")  # torch and most of the rest, before a clock runs
    except (ImportError, OSError) as error:  # torch raises either if it cannot be loaded
        return connection.send(f"{error}: use the Python that the course is installed in, .venv after `make lab`")
    connection.send("")
    with contextlib.suppress(EOFError):
        while True:
            connection.send(judge(connection.recv()))


class Judge:
    """`judge`, within a time limit and safe from what an answer does. Use it in a `with`."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self.process = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process:
            self.process.kill()
            self.process.join()
            self.process = None

    def __call__(self, exercise: Exercise) -> str:
        if not self.process:
            self._start()
        try:
            self.connection.send(exercise)
            if self.connection.poll(self.seconds):
                return self.connection.recv()
            said = f"not yet: no result within {self.seconds:g} seconds"
        except (EOFError, OSError):
            said = "not yet: it ends Python itself"
        self.__exit__()
        return said

    def _start(self):
        context = multiprocessing.get_context("spawn")  # the same on every system
        self.connection, other = context.Pipe()
        self.process = context.Process(target=serve, args=(other,))
        self.process.start()
        other.close()
        if trouble := self.connection.recv():
            raise SystemExit(trouble)
