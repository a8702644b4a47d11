"""Rewrite tests/codec/golden after a deliberate change of weights or format: python tests/codec/make_golden.py

Each case is a crop of a bundled photo at one λ: its stream, the picture decoded from it, and their SHA-256.
"""

import hashlib
import json
from pathlib import Path

import numpy as np

import nctutorial
from nctutorial import data
from nctutorial.codec import NAMES

GOLDEN = Path(__file__).parent / "golden"
CASES = {  # model, photo, top, left, height, width, λ
    "red_panda_low": ("factorized", "red_panda", 180, 300, 96, 128, 0.001),
    "daisies_middle": ("factorized", "daisies", 100, 350, 97, 63, 0.01),
    "mariachi_high": ("factorized", "mariachi", 150, 200, 80, 81, 0.06),
    "stream_line": ("factorized", "stream", 300, 10, 1, 300, 0.03),
    "hyperprior_low": ("hyperprior", "red_panda", 180, 300, 96, 128, 0.001),
    "hyperprior_middle": ("hyperprior", "daisies", 100, 350, 97, 63, 0.01),
    "hyperprior_high": ("hyperprior", "mariachi", 150, 200, 80, 81, 0.06),
    "hyperprior_line": ("hyperprior", "stream", 300, 10, 1, 300, 0.03),
}


def crop(name):
    _, photo, top, left, height, width, _ = CASES[name]
    return data.photo(photo)[top : top + height, left : left + width]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def symbols_sha256(symbols):
    """Of the symbols as little-endian int32, channel by channel."""
    return sha256(np.ascontiguousarray(symbols.values, "<i4").tobytes())


def main():
    GOLDEN.mkdir(exist_ok=True)
    facts = {name: nctutorial.load_codec(name).fingerprint.hex() for name in NAMES}
    for name, (model, *_, lam) in CASES.items():
        codec = nctutorial.load_codec(model)
        stream = codec.compress(crop(name), lam)
        (GOLDEN / f"{name}.nct").write_bytes(stream)
        data.save_image(GOLDEN / f"{name}.png", codec.decompress(stream))
        facts[name] = {"stream": sha256(stream), "symbols": symbols_sha256(codec.decode(stream))}
    (GOLDEN / "golden.json").write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
