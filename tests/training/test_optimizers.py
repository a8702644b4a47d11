import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file
from small_codec import SIZES, small_model

from nctutorial.training.optimizers import Muon, add_up, optimizers


@pytest.mark.parametrize("shape", [(20, 20), (12, 40), (40, 12), (1, 30)])
def test_orthogonal_keeps_the_singular_vectors_and_brings_the_values_near_1(shape):
    torch.manual_seed(0)
    matrix = torch.randn(shape)
    u, s, v = np.linalg.svd(matrix.numpy().astype(float), full_matrices=False)
    core = u.T @ Muon.orthogonal(matrix).numpy() @ v.T
    large = s > 0.05 * s.max()
    assert (np.diag(core)[large] > 0.65).all() and (np.diag(core)[large] < 1.25).all()
    np.testing.assert_allclose(core - np.diag(np.diag(core)), 0, atol=1e-3)
    # and as in its paper, where no product is taken apart
    x = matrix.double() / matrix.double().norm()
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    torch.testing.assert_close(Muon.orthogonal(matrix).double(), x, atol=1e-3, rtol=1e-3)


def test_muon_moves_by_nesterov_momentum_made_orthogonal():
    torch.manual_seed(0)
    p = torch.nn.Parameter(torch.randn(8, 3, 2, 2))
    expected, momentum = p.detach().clone(), torch.zeros(8, 12)
    optimizer = Muon([p, torch.nn.Parameter(torch.zeros(1))], lr=0.1)  # the second rests: it has no gradient
    for _ in range(3):
        p.grad = torch.randn_like(p)
        grad = p.grad.flatten(1)
        momentum = 0.95 * momentum + 0.05 * grad
        update = 0.05 * grad + 0.95 * momentum
        expected -= 0.1 * 0.2 * math.sqrt(12) * Muon.orthogonal(update).view(p.shape)
        optimizer.step()
        torch.testing.assert_close(p.detach(), expected)


@pytest.mark.parametrize("kind", SIZES)
def test_every_parameter_has_one_optimizer(kind):
    model = small_model(kind)
    muon, adam = optimizers(model, 0.01)
    groups = [group["params"] for group in muon.param_groups + adam.param_groups]
    assert sorted(id(p) for group in groups for p in group) == sorted(id(p) for p in model.parameters())
    assert all(p.dim() == 4 for p in groups[0])
    rates = {id(p): group["peak"] for group in muon.param_groups + adam.param_groups for p in group["params"]}
    inner, outer = model.synthesis[2].f[0], model.synthesis[-2]
    assert rates[id(inner.weight)] == 0.01 and rates[id(inner.bias)] == 0.001 == 2 * rates[id(outer.weight)]
    assert rates[id(model.log_gain)] == 0.01


def _of_two(number, folder):
    """One of two processes: what the sum of both, and a step of Muon by both, makes of different gradients."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=number, world_size=2)
    torch.manual_seed(number)
    parameters = [torch.nn.Parameter(torch.zeros(6, 2, 3, 3)), torch.nn.Parameter(torch.zeros(4, 6, 1, 1))]
    for p in parameters:
        p.grad = torch.randn_like(p).contiguous(memory_format=torch.channels_last)
    add_up([p.grad for p in parameters])
    grads = [p.grad.clone() for p in parameters]
    Muon(parameters, 0.1).step()
    tensors = [*grads, *(p.detach() for p in parameters)]
    save_file({str(i): tensor.contiguous() for i, tensor in enumerate(tensors)}, f"{folder}/{number}")
    dist.destroy_process_group()


def test_two_processes_take_the_same_step_as_one(tmp_path):
    torch.multiprocessing.spawn(_of_two, (str(tmp_path),), nprocs=2)
    mine, theirs = (load_file(tmp_path / str(number)) for number in range(2))
    assert all(torch.equal(mine[name], theirs[name]) for name in "0123")
    grads, parameters = [mine["0"], mine["1"]], [mine["2"], mine["3"]]
    drawn = [[], []]
    for each, number in zip(drawn, range(2), strict=True):
        torch.manual_seed(number)
        each += [torch.randn(p.shape) for p in parameters]
    for grad, a, b in zip(grads, *drawn, strict=True):
        torch.testing.assert_close(grad, a + b)
    alone = [torch.nn.Parameter(torch.zeros(p.shape)) for p in parameters]
    for p, grad in zip(alone, grads, strict=True):
        p.grad = grad
    Muon(alone, 0.1).step()
    for p, q in zip(alone, parameters, strict=True):
        torch.testing.assert_close(p.detach(), q)
