"""Do other computers decode the same symbols? python -m tests.long.exactness FOLDER [--codec hyperprior]

Codes every photo of a folder at five λ, then decodes the files in fresh processes that compute in other ways: other
numbers of threads, other instruction sets, other libraries, other layouts, in batches. Prints for each way how many
symbols differ (those of z, those of y, and the means and scales that they are coded with), and the largest difference
of the pictures in grey levels; and what the integers cost in rate against the float networks that were trained.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from nctutorial import data, load_codec
from nctutorial.codec.hyperprior import HyperpriorCodec
from nctutorial.tools import survey as folder

LAMS = np.geomspace(0.001, 0.06, 5)
WAYS: dict[str, dict[str, str]] = {
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "oneDNN off": {"WAY": "no_onednn"},
    "ATEN_CPU_CAPABILITY=default": {"ATEN_CPU_CAPABILITY": "default"},
    "ATEN_CPU_CAPABILITY=avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "ATEN_CPU_CAPABILITY=avx512": {"ATEN_CPU_CAPABILITY": "avx512"},
    "MKL_CBWR=COMPATIBLE": {"MKL_CBWR": "COMPATIBLE"},
    "float64": {"WAY": "float64"},
    "batch of 2": {"WAY": "batch"},
    "channels_last off": {"WAY": "contiguous"},
    "a GPU": {"WAY": "cuda"},
}


class Otherwise(torch.nn.Module):
    """The context networks with what they see and give changed in layout or number."""

    def __init__(self, networks, way):
        super().__init__()
        self.networks, self.way = networks.cuda() if way == "cuda" else networks, way

    def _run(self, function, *tensors):
        if self.way == "batch":
            tensors = [torch.cat([t.flip(-1), t]) for t in tensors]
        elif self.way == "contiguous":
            tensors = [t.contiguous() for t in tensors]
        elif self.way == "cuda":
            tensors = [t.cuda() for t in tensors]
        found = function(*tensors)
        found = found if isinstance(found, tuple) else (found,)
        found = [t[-1:].cpu() for t in found]
        return found if len(found) > 1 else found[0]

    def side(self, z_hat, level, h, w):
        return self._run(lambda z_hat, level: self.networks.side(z_hat, level, h, w), z_hat, level)

    def parameters_of(self, step, side, known, level, where):
        return self._run(lambda *tensors: self.networks.parameters_of(step, *tensors, where), side, known, level)


def decode(name: str, folder: Path, out: Path) -> None:
    """Decode all files of a folder; write their symbols and pictures."""
    way, codec = os.environ.get("WAY", ""), load_codec(name)
    if way == "no_onednn":
        torch.backends.mkldnn.enabled = False
    elif way == "float64":
        codec.double()
    elif way and isinstance(codec, HyperpriorCodec):
        codec.__dict__["networks"] = Otherwise(codec.networks, way)
    for path in sorted(folder.glob("*.nct")):
        symbols = codec.decode(path.read_bytes())
        arrays = {key: value for key, value in vars(symbols).items() if isinstance(value, np.ndarray)}
        np.savez(out / path.stem, picture=codec.reconstruct(symbols), **arrays)


def differences(first: Path, second: Path) -> tuple[dict[str, int], int]:
    """How many entries of each array differ in all files, and the largest difference of the pictures."""
    counts: dict[str, int] = {}
    grey = 0
    for path in sorted(first.glob("*.npz")):
        one, other = np.load(path), np.load(second / path.name)
        for key in one.files:
            if key == "picture":
                grey = max(grey, int(np.abs(one[key].astype(int) - other[key]).max()))
            else:
                counts[key] = counts.get(key, 0) + int((one[key] != other[key]).sum())
    return counts, grey


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="photos")
    parser.add_argument("--codec", default="hyperprior")
    parser.add_argument("--decode", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.decode:
        return decode(args.codec, *args.decode)
    codec = load_codec(args.codec)
    with tempfile.TemporaryDirectory() as temporary:
        files, first = Path(temporary, "files"), Path(temporary, "here")
        files.mkdir(), first.mkdir()
        total, integers, floats = 0, 0.0, 0.0
        for path in folder.pictures(args.folder):
            latent = codec.analyze(data.load_image(path))
            for i, lam in enumerate(LAMS):
                symbols = codec.quantize(latent, lam)
                (files / f"{path.stem}_{i}.nct").write_bytes(codec.encode(symbols))
                with torch.inference_mode():
                    bits = codec.relaxed(latent.y, torch.tensor([lam]).float())[1].item()
                integers, floats = integers + np.log(codec.bits(symbols).sum()), floats + np.log(bits)
                arrays = {key: value for key, value in vars(symbols).items() if isinstance(value, np.ndarray)}
                total += sum(value.size for value in arrays.values())
                np.savez(first / f"{path.stem}_{i}", picture=codec.reconstruct(symbols), **arrays)
        print(f"{len([*files.iterdir()])} files, {total:,} symbols, means and scales; those that differ:")
        for name, environment in WAYS.items():
            if name == "a GPU" and not torch.cuda.is_available():
                print(f"{name:30} none here")
                continue
            other = Path(temporary, name.replace(" ", "_"))
            other.mkdir()
            command = [sys.executable, "-m", "tests.long.exactness", args.folder, "--codec", args.codec]
            command += ["--decode", str(files), str(other)]
            done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
            if done.returncode:
                print(f"{name:30} failed: {done.stderr.strip().splitlines()[-1]}", flush=True)
                continue
            counts, grey = differences(first, other)
            print(f"{name:30} {counts}, pictures by at most {grey}", flush=True)
            for path in other.iterdir():
                path.unlink()
        cost = np.exp((integers - floats) / len([*files.iterdir()])) - 1
        print(f"integers in place of floats cost {cost:+.3%} of the rate (geometric mean, estimated bits)")


if __name__ == "__main__":
    main()
