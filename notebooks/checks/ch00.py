"""Checks of the exercises of chapter 00."""

import math

import numpy as np

from . import exercise


@exercise("0.1")
def ex_0_1(break_even):
    for a, b in (((0.5, 80.0), (1.5, 30.0)), ((0.2, 150.0), (0.6, 60.0)), ((1.5, 30.0), (0.5, 80.0))):
        lam = float(break_even(*a, *b))
        assert lam > 0, (
            f"a price is positive; for {a} and {b} you say {lam:.3g}: which way round do the differences go?"
        )
        slope = abs(a[0] - b[0]) / abs(a[1] - b[1])
        assert not math.isclose(lam, 1 / slope), "that is MSE per bit; λ is bits per unit of MSE, the other way up"
        cost = [r + lam * d for r, d in (a, b)]
        message = f"at your λ of {lam:.3g}, {a} costs {cost[0]:.3f} and {b} costs {cost[1]:.3f}"
        assert math.isclose(*cost, rel_tol=1e-6), message


@exercise("0.2")
def ex_0_2(differences):
    k = np.array([[9, 10, 12, 12], [7, 7, 8, 5], [1, 0, 0, 3]])
    result = np.asarray(differences(k.copy()))
    assert result.shape == k.shape, f"the result has shape {result.shape}, it should be {k.shape} as before"
    assert np.issubdtype(result.dtype, np.integer), "the result should be integers: they are to be coded"
    assert (result[:, 1:] == np.diff(k, axis=1)).all(), (
        f"beyond the first column each entry is k minus its left neighbour; of\n{k}\nyou made\n{result}"
    )
    assert result[0, 0] == 9, f"the very first entry stays, else the decoder cannot begin: 9, not {result[0, 0]}"
    assert (result[1:, 0] == [-2, -6]).all(), f"below the first entry of column 0: [-2, -6], not {result[1:, 0]}"
    one = np.asarray(differences(np.array([[4]])))
    assert one.shape == (1, 1) and one[0, 0] == 4, f"a picture of one block keeps its entry; you made {one}"


@exercise("0.3")
def ex_0_3(step_for):
    for lam in (0.01, 0.06, 0.0007):
        step = float(step_for(lam))
        right = math.sqrt(18 / (lam * math.log(2)))
        assert not math.isclose(step, right / math.sqrt(3), rel_tol=1e-3), "a pixel has three samples: 3 log2 Δ"
        assert not math.isclose(step, right * math.sqrt(math.log(2)), rel_tol=1e-3), (
            "the derivative of log2 Δ is 1 / (Δ ln 2), not 1 / Δ"
        )
        assert not math.isclose(step, right**2, rel_tol=1e-3), "that is Δ²; take the root"
        slope = -3 / (step * math.log(2)) + lam * step / 6
        assert math.isclose(step, right, rel_tol=1e-6), (
            f"for λ = {lam} you say {step:.4g}; there the derivative of the cost is {slope:.2g}, not 0"
        )
