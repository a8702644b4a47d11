"""Where a training is, on disk: weights, optimizers and step in one file that holds no code; and its log."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch.optim import Optimizer

from ..codec.model import Model
from ..data import write_atomic


def save_checkpoint(path: Path, step: int, mean_loss: float, model: Model, optims: list[Optimizer]) -> None:
    """Write where a training is, so that it can go on from there. Raises OSError."""
    tensors = {f"model/{k}": v for k, v in model.state_dict().items()}
    for j, optimizer in enumerate(optims):
        for i, state in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{j}/{i}/{k}": torch.as_tensor(v) for k, v in state.items()}
    tensors |= {"step": torch.tensor(step), "mean_loss": torch.tensor(mean_loss, dtype=torch.float64)}
    write_atomic(path, save({k: v.detach().cpu().contiguous().clone() for k, v in tensors.items()}))


def load_checkpoint(path: Path, model: Model, optims: list[Optimizer]) -> tuple[int, float]:
    """Go back to where a training was: (step, mean loss). Raises ValueError if the file is of no such training."""
    try:
        tensors = load_file(path)
        model.load_state_dict({k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")})
        for j, optimizer in enumerate(optims):
            whole = optimizer.state_dict()
            whole["state"] = {}
            for key, value in tensors.items():
                if key.startswith(f"optimizer/{j}/"):
                    _, _, i, name = key.split("/")
                    whole["state"].setdefault(int(i), {})[name] = value
            optimizer.load_state_dict(whole)
        return int(tensors["step"]), float(tensors["mean_loss"])
    except (SafetensorError, KeyError, RuntimeError) as error:
        raise ValueError(f"{path} is no checkpoint of this training: delete it to begin again") from error


def read_log(path: Path) -> list[list[str]]:
    """The rows of a training's log, the first cell of each its step; no rows if there is no file."""
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    return [line.split(",") for line in lines if line.split(",")[0].isdigit()]


def write_log(path: Path, rows: list[list[str]]) -> None:
    """The inverse of `read_log`. Raises OSError."""
    write_atomic(path, "".join(",".join(row) + "\n" for row in rows).encode())
