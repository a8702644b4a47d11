import math

import numpy as np
import pytest
import torch
from small_codec import SIZES, small_model

from nctutorial.training.optimizers import Muon, optimizers


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
