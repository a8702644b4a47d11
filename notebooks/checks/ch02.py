"""Checks of chapter 02's exercises. Each prints a verdict; none raises."""

import numpy as np
import torch
from scipy.stats import norm

from . import exercise


@exercise("2.1")
def ex_2_1(integer_error):
    n = np.arange(-2520, 2520)  # a multiple of every step below: each remainder occurs equally often
    for step in (5, 7, 3, 4, 8, 10, 2, 9, 1):
        enumerated = np.square(n - np.round(n / step) * step).mean()
        found = float(integer_error(step))
        if abs(found - enumerated) < 0.002 * enumerated + 1e-9:  # enough for long lists that end within a bin
            continue
        assert not np.isclose(found, step**2 / 12), (
            f"step²/12 is the law for real numbers; for integers and a step of {step} it is {enumerated:.4g}"
        )
        assert not np.isclose(found, enumerated * (step - 1)), f"divide by the {step} integers of a bin, not by fewer"
        if step % 2 == 0:
            assert not np.isclose(found, (step**2 - 1) / 12), (
                f"that is right for odd steps; with a step of {step} one integer of each bin is halfway, off by step/2"
            )
        raise AssertionError(
            f"for step {step} it gives {found:.4g}, but rounding the integers -2520 to 2519 leaves a mean square of "
            f"{enumerated:.4g}; write down the errors of one bin for an odd and for an even step"
        )


@exercise("2.2")
def ex_2_2(gap_to_shannon):
    v = np.linspace(-9, 9, 100_001)
    weight = norm.pdf(v) / norm.pdf(v).sum()
    for step in (1, 1.5, 4, 0.25):
        p = np.diff(norm.cdf((np.arange(-80, 82) - 0.5) * step))
        bits = -np.sum(p[p > 0] * np.log2(p[p > 0]))
        squares = np.square(np.round(v / step) * step - v)
        true = bits - 0.5 * np.log2(1 / np.sum(weight * squares))
        found = float(gap_to_shannon(step))
        if abs(found - true) < 0.01:
            continue
        assert abs(found - true * np.log(2)) > 0.003, "this looks like nats: use the logarithm to base 2"
        assert abs(found - bits) > 0.003, "that is H alone; subtract what Shannon's limit asks for the same error"
        assert abs(found - 0.2546) > 0.003, f"that is the gap for fine steps; at step {step} it is another"
        assert abs(found - (2 * true - bits)) > 0.003, "Shannon's limit begins with ½: it is ½ log2(1 / error)"
        assert abs(found + true) > 0.003, "the sign: H is above Shannon's limit, so the difference is positive"
        assert abs(found - bits + 0.5 * np.log2(12 / step**2)) > 0.003, (
            f"step²/12 holds for fine steps; at step {step} the mean square error is {np.sum(weight * squares):.3f}"
        )
        for reach in (1, 2, 3, 4):
            inner = np.abs(v) <= reach
            for total in (1, weight[inner].sum()):
                cut = bits - 0.5 * np.log2(total / np.sum((weight * squares)[inner]))
                assert abs(found - cut) > 0.003, (
                    f"your error looks only at numbers up to {reach}; at step {step} those beyond count, too"
                )
        assert step != 0.25, (
            f"at coarser steps it is right, at step {step} it gives {found:.3f} and not {true:.3f} bit; do your "
            f"integers reach far enough? 10 steps of {step} are only {10 * step} standard deviations"
        )
        raise AssertionError(
            f"at step {step} it gives {found:.3f} bit; {bits:.3f} bits are spent for an error of "
            f"{np.sum(weight * squares):.4f}, for which Shannon's limit is {bits - true:.3f}"
        )


def soft_round(y, alpha):
    middle = torch.floor(y) + 0.5
    return middle + torch.tanh(alpha * (y - middle)) / (2 * np.tanh(alpha / 2))


@exercise("2.3")
def ex_2_3(soft_round_inverse):
    y = torch.linspace(-2.45, 2.45, 99, dtype=torch.float64).reshape(9, 11)
    for alpha in (4.0, 0.5, 12.0):
        s = soft_round(y, alpha)
        back = soft_round_inverse(s, alpha)
        assert torch.is_tensor(back) and back.shape == y.shape, "the result must be a tensor of the argument's shape"
        wrong = ~torch.isclose(back.double(), y, rtol=0, atol=1e-3)  # so loose that a tanh in float32 will do
        if not wrong.any():
            continue
        assert not torch.allclose(back, s), "this returns s as it is"
        assert (wrong & (y > 0)).any(), (
            "it is right for positive numbers and wrong below 0; the middle of -0.3 is -0.5: floor(-0.3) is -1"
        )
        assert not torch.allclose(soft_round(s, alpha), back), "this rounds softly once more; the inverse goes back"
        i = (back - y).abs().nan_to_num(torch.inf).argmax()
        raise AssertionError(
            f"with alpha = {alpha:g}, y = {y.flatten()[i]:.4f} becomes {s.flatten()[i]:.4f}, and your inverse makes "
            f"{back.flatten()[i]:.4f} of that"
        )


@exercise("2.4")
def ex_2_4(ste_deadzone):
    y = (torch.arange(-338, 342) + 0.37) / 100  # no border is hit
    for delta in (0.0, 0.1, 0.3):
        answer = ste_deadzone(y.clone(), delta)
        assert torch.is_tensor(answer) and answer.shape == y.shape, "the result must be a tensor of y's shape"
        k = torch.sign(y) * torch.floor(y.abs() + 0.5 - delta)
        if not torch.allclose(answer.detach(), k, atol=1e-4):
            _explain_deadzone(y, answer.detach(), k, delta)
        y_grad = y.clone().requires_grad_()
        answer = ste_deadzone(y_grad, delta)
        assert answer.requires_grad, "the integers are right, but they have no gradient at all: too much is detached"
        weight = torch.linspace(0.5, 1.5, len(y))
        (slope,) = torch.autograd.grad((weight * answer).sum(), y_grad)
        slope = slope / weight
        assert (slope != 0).any(), "the integers are right, but their gradient is 0, that of the staircase"
        assert not torch.allclose(slope, -torch.ones_like(y)), (
            "the integers are right, but the gradient is -1: of the two y in y + (k - y), detach the other one"
        )
        inside = y.abs() < 0.5 + delta
        assert torch.allclose(slope, torch.ones_like(y), atol=1e-4), (
            f"the integers are right, but the gradient is {slope[inside].min():.2f} to {slope[inside].max():.2f} where "
            f"k = 0 and {slope[~inside].min():.2f} to {slope[~inside].max():.2f} elsewhere, and not 1 everywhere"
        )


def _explain_deadzone(y, answer, k, delta):
    assert not torch.allclose(answer, y), "forward it returns y; it must return integers"
    assert torch.allclose(answer, answer.round(), atol=1e-4), "forward the result must be integers"
    assert delta > 0, "without a dead zone (delta = 0) it must be plain rounding"
    assert not torch.allclose(answer, y.round(), atol=1e-4), "this is plain rounding; delta plays no part"
    assert not torch.allclose(answer, torch.sign(y) * torch.floor(y.abs() + 0.5 + delta), atol=1e-4), (
        "the borders move inwards; they are to move outwards"
    )
    zero = y.abs() < 0.5 + delta
    assert (answer[zero] == 0).all(), f"what lies within 1/2 + delta of 0 must give 0; with delta = {delta} it does not"
    assert not torch.allclose(answer, torch.where(zero, 0, y.round()), atol=1e-4), (
        "0 is right, but the other borders move outwards as well: k > 0 begins at k - 1/2 + delta"
    )
    i = (answer - k).abs().argmax()
    raise AssertionError(f"with delta = {delta}, y = {y[i]:.2f} becomes {answer[i]:.0f}, and not {k[i]:.0f}")
