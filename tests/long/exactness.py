"""Do other computers decode the same symbols? python -m tests.long.exactness FOLDER [--model hyperprior]

Codes every photo of a folder at five λ, then decodes the files in fresh processes that compute in other ways: other
numbers of threads, other instruction sets, other libraries, other layouts, in batches. Prints for each way how many
symbols differ (those of z, those of y, and the means and scales that they are coded with), and the largest difference
of the pictures in grey levels; and what the integers cost in rate against the float networks that were trained.
Takes about 20 minutes for 24 photos of 768 x 512 on two cores.
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
from nctutorial.tools import survey

LAMS = np.geomspace(0.001, 0.06, 5)
WAYS: dict[str, dict[str, str]] = {
    "2 threads": {"OMP_NUM_THREADS": "2"},
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "oneDNN off": {"WAY": "no_onednn"},
    "ATEN_CPU_CAPABILITY=default": {"ATEN_CPU_CAPABILITY": "default"},
    "ATEN_CPU_CAPABILITY=avx2": {"ATEN_CPU_CAPABILITY": "avx2"},
    "ATEN_CPU_CAPABILITY=avx512": {"ATEN_CPU_CAPABILITY": "avx512"},
    "MKL_CBWR=COMPATIBLE": {"MKL_CBWR": "COMPATIBLE"},
    "float64 transforms": {"WAY": "float64"},
    "batch of 2": {"WAY": "batch"},
    "channels_last off": {"WAY": "contiguous"},
    "a GPU": {"WAY": "cuda"},
}


class Otherwise:
    """The context networks, but what they see changes its layout, its place or its number on the way."""

    def __init__(self, networks, way):
        self.networks, self.passes, self.way = networks.cuda() if way == "cuda" else networks, networks.passes, way

    def _changed(self, tensor):
        if self.way == "batch":
            return torch.cat([tensor.flip(-1), tensor])
        return tensor.cuda() if self.way == "cuda" else tensor.contiguous()

    def side(self, z_hat, place, h, w):
        return self.networks.side(self._changed(z_hat), self._changed(place), h, w)[-1:].cpu()

    def predict(self, number, side, known, place, where):
        where = where.cuda() if self.way == "cuda" else where
        prediction = self.networks.predict(number, *map(self._changed, (side, known, place)), where)
        return [each[-1:].cpu() for each in prediction]


def write(path, codec, symbols):
    """All that was decoded, as arrays. Returns how many numbers that is, without the picture's."""
    arrays = {name: value for name, value in vars(symbols).items() if isinstance(value, np.ndarray)}
    np.savez(path, picture=codec.reconstruct(symbols), **arrays)
    return sum(array.size for array in arrays.values())


def decode(model: str, files: Path, out: Path) -> None:
    """Decode all files of a folder, in the way that the environment names."""
    way, codec = os.environ.get("WAY", ""), load_codec(model)
    if way == "no_onednn":
        torch.backends.mkldnn.enabled = False
    elif way == "float64":
        codec.model.double()
    elif way and isinstance(codec, HyperpriorCodec):
        codec.networks = Otherwise(codec.networks, way)
    for path in sorted(files.glob("*.nct")):
        write(out / path.stem, codec, codec.decode(path.read_bytes()))


def differences(first: Path, second: Path) -> str:
    """How many entries of each array differ in all files, and by how much the pictures do."""
    counts: dict[str, int] = {}
    for path in sorted(first.glob("*.npz")):
        one, other = np.load(path), np.load(second / path.name)
        for name in set(one.files) - {"picture"}:
            counts[name] = counts.get(name, 0) + int((one[name] != other[name]).sum())
        grey = int(np.abs(one["picture"].astype(int) - other["picture"]).max())
        counts["grey levels"] = max(counts.get("grey levels", 0), grey)
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", help="photos")
    parser.add_argument("--model", default="hyperprior")
    parser.add_argument("--decode", nargs=2, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.decode:
        return decode(args.model, *args.decode)
    codec, total, cost = load_codec(args.model), 0, []
    with tempfile.TemporaryDirectory() as temporary:
        files, first = Path(temporary, "files"), Path(temporary, "here")
        files.mkdir(), first.mkdir()
        for path in survey.pictures(args.folder):
            latent = codec.analyze(data.load_image(path))
            for i, lam in enumerate(LAMS):
                symbols = codec.quantize(latent, lam)
                (files / f"{path.stem}_{i}.nct").write_bytes(codec.encode(symbols))
                total += write(first / f"{path.stem}_{i}", codec, symbols)
                with torch.inference_mode():
                    bits = codec.model.relaxed(latent.y, torch.tensor([lam]).float())[1].item()
                cost.append(np.log(codec.bits(symbols).sum() / bits))
        print(
            f"{len(cost)} files, {total:,} symbols, means and scales; those that differ, and grey levels by how many:"
        )
        for way, environment in WAYS.items():
            if way == "a GPU" and not torch.cuda.is_available():
                print(f"{way:30} none here")
                continue
            with tempfile.TemporaryDirectory() as other:
                command = [sys.executable, "-m", "tests.long.exactness", args.folder, "--model", args.model]
                command += ["--decode", str(files), other]
                done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
                last = done.stderr.strip().splitlines()[-1:]
                report = f"failed: {last}" if done.returncode else differences(first, Path(other))
                print(f"{way:30} {report}", flush=True)
    print(
        f"integers in place of floats cost {np.expm1(np.mean(cost)):+.3%} of the rate (geometric mean, estimated bits)"
    )


if __name__ == "__main__":
    main()
