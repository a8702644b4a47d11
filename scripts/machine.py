"""Why the course cannot be installed here, in one sentence; nothing if it can. `make` asks before it installs.

Any Python 3 can run it. The table is that of docs/elsewhere.md: systems for which torch or constriction has no wheel.
"""

import platform
import sys

OLDEST, NEWEST = (3, 11), (3, 14)  # the newest for which constriction has wheels
WITHOUT = {
    ("Darwin", "x86_64"): "PyTorch ends with 2.2 for Macs with an Intel processor, and for an x86-64 Python on any Mac",
    ("Linux", "aarch64"): "constriction has no wheel for Linux on Arm",
    ("Windows", "ARM64"): "PyTorch and constriction have no wheel for Windows on Arm",
}


def obstacle(version, system, machine):
    """The sentence, or "". version: (3, 13, ...); system and machine: as the module platform names them."""
    if not OLDEST <= tuple(version[:2]) <= NEWEST:
        return f"Python 3.11 to 3.14 is needed, this is {version[0]}.{version[1]}: make PYTHON=python3.13 ..."
    if (system, machine) in WITHOUT:
        return f"{WITHOUT[system, machine]}: docs/elsewhere.md names what works instead"
    return ""


if __name__ == "__main__":
    sys.exit(obstacle(sys.version_info, platform.system(), platform.machine()) or None)
