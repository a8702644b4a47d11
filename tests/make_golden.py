"""Rewrite tests/golden after a deliberate change of the weights or of the format: python tests/make_golden.py

Each case is a crop of a bundled photo at one λ: its stream, the picture decoded from it, and their SHA-256.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import nctutorial
from nctutorial import data

GOLDEN = Path(__file__).parent / "golden"
CASES = {  # photo, top, left, height, width, λ
    "red_panda_low": ("red_panda", 180, 300, 96, 128, 0.001),
    "daisies_middle": ("daisies", 100, 350, 97, 63, 0.01),
    "mariachi_high": ("mariachi", 150, 200, 80, 81, 0.06),
    "stream_line": ("stream", 300, 10, 1, 300, 0.03),
}


def crop(name):
    photo, top, left, height, width, _ = CASES[name]
    return data.photo(photo)[top : top + height, left : left + width]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def symbols_sha256(symbols):
    """Of the symbols as little-endian int32, channel by channel."""
    return sha256(np.ascontiguousarray(symbols.values, "<i4").tobytes())


def main():
    codec = nctutorial.load_codec("factorized")
    codec.save(data.WEIGHTS / "factorized.safetensors")  # notes their SHA-256 in weights that have none
    GOLDEN.mkdir(exist_ok=True)
    facts = {}
    for name in CASES:
        stream = codec.compress(crop(name), CASES[name][-1])
        (GOLDEN / f"{name}.nct").write_bytes(stream)
        data.save_image(GOLDEN / f"{name}.png", codec.decompress(stream))
        facts[name] = {"stream": sha256(stream), "symbols": symbols_sha256(codec.decode(stream))}
    facts["fingerprint"] = codec.fingerprint.hex()
    (GOLDEN / "golden.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
