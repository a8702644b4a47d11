"""How long each chapter takes: python -m scripts.reading_time

180 words and 20 lines of code a minute; a minute for an equation on a line of its own, for a picture and for a widget;
half a minute for each "predict"; a quarter for a long formula within a line. Without the exercises and the references.
The chapters state their minutes, a test allows a fifth more or less.
"""

import json
import re
from pathlib import Path

CHAPTERS = sorted((Path(__file__).resolve().parents[1] / "notebooks").glob("[0-9][0-9]_*.ipynb"))
EQUATION, FORMULA = re.compile(r"\$\$.+?\$\$", re.DOTALL), re.compile(r"\$[^$\n]{12,}\$")
GUESS = re.compile(r"\*\*[^*]*(?:predict|guess)[^*]*\*\*", re.IGNORECASE)


def minutes(path: Path) -> float:
    """The estimate for a chapter."""
    total, reading = 0.0, True
    for cell in json.loads(path.read_text("utf-8"))["cells"]:
        source = "".join(cell["source"])
        heading = re.match(r"## (.+)", source)
        if heading:
            reading = heading[1] not in ("Exercises", "References")
        if reading and cell["cell_type"] == "code":
            total += sum(bool(line.strip()) for line in source.splitlines()) / 20
            total += any("image/png" in output.get("data", ()) for output in cell["outputs"])
        elif reading:
            text = EQUATION.sub("", source)
            total += len(EQUATION.findall(source)) + len(GUESS.findall(text)) / 2 + len(FORMULA.findall(text)) / 4
            total += len(text.split()) / 180
    return total


def stated(path: Path) -> int:
    """The minutes that a chapter states for itself."""
    return int(re.search(r"\*\*Time\*\*:? about (\d+) minutes", path.read_text("utf-8"))[1])


if __name__ == "__main__":
    for path in CHAPTERS:
        print(f"{path.stem:25s} stated {stated(path)}, estimated {minutes(path):.0f} minutes")
