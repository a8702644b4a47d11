"""How the weights of a codec take their steps."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from ..codec.model import Model
from ..codec.priors import FactorizedPrior


class Muon(torch.optim.Optimizer):
    """Momentum whose matrix is made orthogonal before each step (Jordan 2024; Liu et al. 2025, arXiv:2502.16982).

    For convolution weights, seen as (out, in k k) matrices. Here it needs half of Adam's steps for the same loss.
    torch.optim.Muon takes 2-D parameters only and works in bfloat16, which is slow on most CPUs.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95):
        super().__init__(parameters, {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self) -> None:  # type: ignore[override]
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue  # the encoder, in the last steps
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = p.grad.lerp(buffer, group["momentum"]).flatten(1)
                size = 0.2 * math.sqrt(max(update.shape))  # the root mean square of an Adam step
                p.add_(self.orthogonal(update).view(p.shape), alpha=-group["lr"] * size)

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
    noise of the steps would drown the good pictures at large λ.
    """
    outer = [model.linear_analysis, model.linear_synthesis, model.analysis[-1], model.synthesis[-1]]
    slow = [p for layer in outer for p in layer.parameters()]
    priors = [p for m in model.modules() if isinstance(m, FactorizedPrior) for p in m.parameters()]
    known = {id(p) for p in (*slow, *priors)}
    inner = [p for p in model.parameters() if id(p) not in known]
    rest = [p for p in inner if p.dim() < 4]
    groups = [{"params": rest, "lr": lr}, {"params": slow, "lr": lr / 20}, {"params": priors, "lr": 2 * lr}]
    adam = torch.optim.Adam(groups, betas=(0.9, 0.98))
    optims: list[torch.optim.Optimizer] = [Muon([p for p in inner if p.dim() == 4], lr), adam]
    for optimizer in optims:
        for group in optimizer.param_groups:
            group["peak"] = group["lr"]
    return optims
