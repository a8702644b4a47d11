"""How fast are both codecs beside CompressAI's models? python -m tests.long.beside_compressai

Compress and decompress of one photo of 768 x 512, two threads, all in turns in one run: the factorised codec beside
bmshj2018-factorized and the hyperprior codec beside mbt2018-mean, with random weights and the channels of their lower
qualities (128, 192), the faster ones. Where CompressAI is not installed it says so and ends: its wheel is enough,
`pip install --no-deps compressai`, what it imports and does not need here is replaced by nothing.
"""

import importlib.abc
import importlib.machinery
import sys
import time
from statistics import median
from unittest import mock

import torch

from nctutorial import data, load_codec

PAIRS = (("factorized", "FactorizedPrior"), ("hyperprior", "MeanScaleHyperprior"))
UNUSED = ("torchvision", "timm", "pandas", "torch_geometric", "pointops", "pyntcloud", "tensorboard", "einops")


class Nothing(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds the modules in UNUSED, and in compressai those that need them."""

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in UNUSED or name in (
            "compressai.datasets",
            "compressai.losses",
            "compressai.transforms",
        ):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def create_module(self, spec):
        return mock.MagicMock(__path__=[], __spec__=spec, __name__=spec.name)

    def exec_module(self, module):
        pass


def main() -> int:
    sys.meta_path.insert(0, Nothing())
    try:
        from compressai import models
    except ImportError as error:
        print(f"CompressAI is not installed ({error}): nothing to compare with")
        return 0
    torch.set_num_threads(2)
    image = data.photo("red_panda")
    x = data.to_tensor(image)
    print(
        "| codec | compress | decompress | of CompressAI | compress | decompress | times faster |\n" + "|---" * 7 + "|"
    )
    for name, other in PAIRS:
        torch.manual_seed(0)
        codec, rival = load_codec(name), getattr(models, other)(128, 192).eval()
        rival.update(force=True)
        file = codec.compress(image)
        with torch.inference_mode():
            strings = rival.compress(x)
            calls = {
                "compress": lambda codec=codec: codec.compress(image),
                "decompress": lambda codec=codec, file=file: codec.decompress(file),
                "its compress": lambda rival=rival: rival.compress(x),
                "its decompress": lambda rival=rival, strings=strings: rival.decompress(**strings),
            }
            seconds = {call: [] for call in calls}
            for _ in range(11):
                for call, function in calls.items():
                    start = time.perf_counter()
                    function()
                    seconds[call].append(time.perf_counter() - start)
        ms = {call: 1000 * median(times[1:]) for call, times in seconds.items()}
        factors = ", ".join(f"{ms[f'its {call}'] / ms[call]:.1f}" for call in ("compress", "decompress"))
        ours, theirs = (f"{ms[its + 'compress']:.0f} ms | {ms[its + 'decompress']:.0f} ms" for its in ("", "its "))
        print(f"| {name} | {ours} | {other} | {theirs} | {factors} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
