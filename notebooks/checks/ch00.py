"""Checks of the exercises of chapter 00."""

import math

import numpy as np

from . import exercise

CURVES = (  # rates and distortions: convex; with a second point that never wins; the first one in another order
    ((3.0, 2.0, 1.2, 0.8), (5.0, 15.0, 40.0, 90.0)),
    ((2.0, 1.6, 0.8, 0.5), (10.0, 20.0, 30.0, 60.0)),
    ((1.2, 3.0, 0.8, 2.0), (40.0, 5.0, 90.0, 15.0)),
)


@exercise("0.1")
def ex_0_1(lam_range):
    for R, D in CURVES:
        for i in range(4):
            answer = np.asarray(lam_range(np.array(R), np.array(D), i), float)
            assert answer.shape == (2,), f"two numbers are wanted, (lowest, highest); you return {answer}"
            _check_range(*answer.tolist(), R, D, i)


def _check_range(low, high, R, D, i):
    limits = {j: (R[j] - R[i]) / (D[i] - D[j]) for j in range(4) if j != i}
    lowest = max((limit for j, limit in limits.items() if D[j] > D[i]), default=0)
    highest = min((limit for j, limit in limits.items() if D[j] < D[i]), default=math.inf)
    if math.isclose(low, lowest, rel_tol=1e-6, abs_tol=1e-12) and math.isclose(high, highest, rel_tol=1e-6):
        return
    where = f"for point {i} of R = {R}, D = {D} you say ({low:.4g}, {high:.4g}): "
    assert not (math.isclose(low, highest) and math.isclose(high, lowest)), where + "the two are the wrong way round"
    inverse = [1 / limit for limit in limits.values()]
    assert not any(math.isclose(limit, wrong) for limit in (low, high) for wrong in inverse), (
        where + "a limit is in MSE per bit; λ is in bits per unit of MSE, the other way up"
    )
    assert lowest > 0 or low == 0, where + "no point has more error, so nothing sets a lowest λ: it is 0"
    assert highest < math.inf or high == math.inf, where + "no point has less error, so the highest λ is np.inf"
    assert low >= 0 and high >= 0, where + "a price is not negative; which way round do the differences go?"
    if lowest > highest:
        raise AssertionError(
            where + f"this point wins for no λ; against the others its limits are {lowest:.4g} and {highest:.4g}"
        )
    lam = next((limit for limit in (low, high) if 0 < limit < math.inf and not lowest <= limit <= highest), None)
    if lam is not None:
        rival = min(range(4), key=lambda j: R[j] + lam * D[j])
        cost, less = (R[j] + lam * D[j] for j in (i, rival))
        raise AssertionError(
            where + f"at λ = {lam:.4g} it costs {cost:.3f}, but point {rival} only {less:.3f}; did you ask all points?"
        )
    raise AssertionError(where + "the point still wins somewhat outside these limits")


@exercise("0.2")
def ex_0_2(differences):
    k = np.array([[9, 10, 12, 12], [7, 7, 8, 5], [1, 0, 0, 3]])
    given = k.copy()
    result = np.asarray(differences(given))
    assert result.shape == k.shape, f"the result has shape {result.shape}, it should be {k.shape} as before"
    assert np.issubdtype(result.dtype, np.integer), "the result should be integers: they are to be coded"
    assert (result[:, 1:] == np.diff(k, axis=1)).all(), (
        f"beyond the first column each entry is k minus its left neighbour; of\n{k}\nyou made\n{result}"
    )
    assert result[0, 0] == 9, f"the very first entry stays, else the decoder cannot begin: 9, not {result[0, 0]}"
    assert (result[1:, 0] == [-2, -6]).all(), f"below the first entry of column 0: [-2, -6], not {result[1:, 0]}"
    assert (given == k).all(), "the differences are right, but your function has changed its argument: work on a copy"
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
        assert step > 0, f"a step is positive; for λ = {lam} you say {step:.4g}"
        slope = -3 / (step * math.log(2)) + lam * step / 6
        assert math.isclose(step, right, rel_tol=1e-6), (
            f"for λ = {lam} you say {step:.4g}; there the derivative of the cost is {slope:.2g}, not 0"
        )


@exercise("0.4")
def ex_0_4(choose):
    symbols = np.array([0, 1, -1, 2, -2, 3, -3])
    bits = np.array([0.5, 3.2, 3.3, 5.4, 5.6, 7.5, 7.3])
    y = np.linspace(-3.4, 3.4, 681)  # in steps
    _check_choice(choose, 2.84 * y, 2.84, symbols, bits, 3.0)  # here each mistake below makes another choice
    _check_choice(choose, 40 * y, 40.0, symbols, bits, 0.0162)
    _check_choice(choose, 40 * y, 40.0, symbols, 8 * bits, 0.0162)  # 0 is so cheap that it wins beyond its neighbours


def _check_choice(choose, y, step, symbols, bits, lam):
    answer = np.asarray(choose(y.copy(), step, symbols.copy(), bits.copy(), lam))
    assert answer.shape == y.shape, f"one integer for each coefficient: the shape is {answer.shape}, not {y.shape}"
    error = y[:, None] - step * symbols
    mistakes = {
        "this is the nearest integer; its price plays no part": error**2,
        "this is the cheapest integer; its error plays no part": bits + 0 * error,
        "the error counts three times too much: D is a mean over 3N samples, R is bits over N pixels": (
            bits + lam * error**2
        ),
        "the error is to be squared": bits + lam * np.abs(error) / 3,
        "the error is y - Δ k, that of the coefficient, not that of y / Δ": bits + lam * (error / step) ** 2 / 3,
        "λ is the price of an error, not of a bit": lam * bits + error**2 / 3,
    }
    cost = bits + lam * error**2 / 3
    chosen = answer[:, None] == symbols
    if not chosen.any(axis=1).all():
        indices = np.argmin(cost, axis=1)
        assert not (answer == indices).all(), "these are places in `symbols`; return the symbols that stand there"
        first = answer[~chosen.any(axis=1)][0]
        raise AssertionError(f"{first} is none of the symbols {symbols}")
    paid = np.where(chosen, cost, 0).sum(axis=1)
    if (paid <= cost.min(axis=1) + 1e-9).all():
        return
    for mistake, other in mistakes.items():
        assert not (answer == symbols[np.argmin(other, axis=1)]).all(), mistake
    i = np.argmax(paid - cost.min(axis=1))
    best = symbols[np.argmin(cost[i])]
    raise AssertionError(
        f"for y = {y[i]:.1f}, step {step:g} and λ = {lam:g} your {answer[i]} adds {paid[i]:.2f} to N L, "
        f"and {best} adds only {cost[i].min():.2f}"
    )
