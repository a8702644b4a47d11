"""How the weights of a codec take their steps, in one process or in several that share the work."""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.distributed as dist
from torch import Tensor

from ..codec.model import Model
from ..codec.priors import FactorizedPrior


def processes() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


def add_up(tensors: Sequence[Tensor]) -> None:
    """Replace each tensor by its sum over all processes."""
    if dist.is_initialized():
        flat = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view(tensor.shape))


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal before each step (Jordan 2024; Liu et al. 2025, arXiv:2502.16982).

    For convolution weights, seen as (out, in k k) matrices; each process takes some of them. Here it needs half of
    Adam's steps for the same loss. torch.optim.Muon takes 2-D parameters only.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        number, count = processes()
        for group in self.param_groups:
            learning = [p for p in group["params"] if p.grad is not None]  # the encoder rests in the last steps
            updates = [torch.zeros_like(p) for p in learning]
            for i, (p, update) in enumerate(zip(learning, updates, strict=True)):
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                if i % count == number:
                    matrix = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                    size = 0.2 * math.sqrt(max(matrix.shape))  # the root mean square of an Adam step
                    update.copy_(self.orthogonal(matrix).view(p.shape) * size)
            add_up(updates)
            torch._foreach_add_(learning, updates, alpha=-group["lr"])

    @staticmethod
    def orthogonal(matrix: Tensor) -> Tensor:
        """The nearest (semi-)orthogonal matrix, roughly: five Newton-Schulz steps on its singular values.

        A step multiplies by a polynomial in the Gram matrix; done on the Gram matrix alone, it costs less.
        """
        wide = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
        wide = wide / (wide.norm() + 1e-7)
        gram, product = wide @ wide.T, None
        for _ in range(5):
            factor = 2.0315 * gram @ gram - 4.7750 * gram
            factor.diagonal().add_(3.4445)
            product = factor if product is None else factor @ product
            gram = gram @ factor @ factor
        wide = product @ wide
        return wide.T if matrix.shape[0] > matrix.shape[1] else wide


def optimizers(model: Model, lr: float) -> list[torch.optim.Optimizer]:
    """Muon for the networks' inner convolutions, Adam for the rest.

    The linear path and the networks' last layers write straight into y and x_hat: they take small steps, or the
    noise of the steps would drown the good pictures at large λ. Biases take small ones, or units would fall asleep.
    """
    outer = [model.linear_analysis, model.linear_synthesis, model.analysis[-1], model.synthesis[-2]]
    slow = [p for layer in outer for p in layer.parameters()]
    priors = [p for m in model.modules() if isinstance(m, FactorizedPrior) for p in m.parameters()]
    known = {id(p) for p in (*slow, *priors)}
    inner = [p for p in model.parameters() if id(p) not in known]
    groups = {p.dim(): [each for each in inner if each.dim() == p.dim()] for p in inner}  # biases, gains, matrices
    rates = (slow, lr / 20), (groups[1], lr / 10), (groups[2], lr), (priors, 2 * lr)
    adam = torch.optim.Adam([{"params": each, "lr": rate} for each, rate in rates], betas=(0.9, 0.98))
    optims = [Muon(groups[4], lr), adam]
    for optimizer in optims:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optims
