"""Constraints for pip, from pyproject.toml: python scripts/bounds.py oldest (each lower bound) or newest (none).

Only what the project itself names is held at its oldest; the rest of the tree is as new as that allows.
"""

import re
import sys
import tomllib
from pathlib import Path


def oldest(project: dict) -> list[str]:
    """name==version of each dependency, extras included. Raises ValueError for one without a lower bound."""
    lines = sum(project["optional-dependencies"].values(), project["dependencies"])
    found = {line: re.fullmatch(r"([\w.-]+)>=([\w.]+)(,<[\w.]+)?", line) for line in lines}
    if wrong := [line for line, match in found.items() if not match]:
        raise ValueError(f"{wrong[0]} is not name>=version or name>=version,<version")
    return [f"{match[1]}=={match[2]}" for match in found.values() if match]


if __name__ == "__main__":
    if sys.argv[1:] not in (["oldest"], ["newest"]):
        sys.exit(__doc__)
    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text("utf-8")
    if sys.argv[1] == "oldest":
        print(*oldest(tomllib.loads(text)["project"]), sep="\n")
