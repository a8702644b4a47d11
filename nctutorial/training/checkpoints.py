"""Where a training is, on disk: weights, their averages, optimizers and numbers in one file that holds no code."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn
from torch.optim import Optimizer

from ..data import write_atomic


def save_checkpoint(
    path: Path, numbers: Mapping[str, float], models: Sequence[nn.Module], optims: Sequence[Optimizer]
) -> None:
    """Write where a training is, so that it can go on from there. Raises OSError."""
    tensors = {f"number/{name}": torch.tensor(value, dtype=torch.float64) for name, value in numbers.items()}
    for i, model in enumerate(models):
        tensors |= {f"model/{i}/{name}": value for name, value in model.state_dict().items()}
    for i, optimizer in enumerate(optims):
        for j, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{j}/{name}": torch.as_tensor(value) for name, value in state.items()}
    write_atomic(path, save({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}))


def load_checkpoint(path: Path, models: Sequence[nn.Module], optims: Sequence[Optimizer]) -> dict[str, float]:
    """Go back to where a training was; returns its numbers. Raises ValueError if the file is of no such training."""
    try:
        tensors = load_file(path)

        def below(prefix: str) -> dict[str, torch.Tensor]:
            return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}

        for i, model in enumerate(models):
            model.load_state_dict(below(f"model/{i}/"))
        for i, optimizer in enumerate(optims):
            whole = optimizer.state_dict()
            whole["state"] = {}
            for name, value in below(f"optimizer/{i}/").items():
                j, name = name.split("/")
                whole["state"].setdefault(int(j), {})[name] = value
            optimizer.load_state_dict(whole)
        return {name: float(value) for name, value in below("number/").items()}
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is no checkpoint of this training: delete it to begin again") from error
