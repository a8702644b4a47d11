"""Checks of the exercises of chapter 05."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from . import exercise


@exercise("5.1")
def ex_5_1(floor_bpp):
    zero = 0.5 * math.log2(2 * math.pi)  # bits of a symbol 0
    found = float(floor_bpp(32, 8))
    mistakes = [
        (zero * math.log(2) / 2, "that is in nats"),
        (zero * 32, "that is per location; a location covers stride² pixels"),
        (zero * 4, "a location covers stride pixels each way: stride² in all"),
        (zero, "that is one latent; there are 32 for every 8×8 pixels"),
        (zero / 64, "that is one channel; there are 32"),
        (-zero / 2, "the sign is wrong"),
        (0.5 * math.log2(2 * math.pi * math.e) / 2, "that is the entropy of the prior; take its cheapest symbol"),
        (zero / 6, "a pixel is three samples, but rates count pixels"),
    ]
    for value, words in mistakes:
        assert not math.isclose(found, value, rel_tol=5e-3), words
    assert math.isclose(found, zero / 2, rel_tol=5e-3), f"for 32 channels at stride 8 you have {found:.3f}, not 0.663"
    for channels, stride in ((64, 8), (320, 16), (1, 1)):
        expected = zero * channels / stride**2
        assert math.isclose(floor_bpp(channels, stride), expected, rel_tol=5e-3), (
            f"for {channels} channels at stride {stride} the floor is {expected:.3f} bpp"
        )


@exercise("5.2")
def ex_5_2(mixture_pmf):
    weights, means, scales = torch.tensor([[0.7, 0.2, 0.1], [0, 3.5, -6], [0.4, 1.5, 1]])
    k = torch.arange(-45.0, 46)
    found = _pmf(mixture_pmf, k, weights, means, scales)
    expected = _exact_mixture(k, weights, means, scales)
    assert found.min() >= 0, "a probability is negative: where both ends are flipped the difference changes its sign"
    total, missing = found.sum(), expected[(k[:, None] == means).numpy()].sum()
    assert abs(total - (1 - missing)) > 1e-3, (
        f"the probabilities sum to {total:.3f}: at k = 0, the mean of a component, that component is missing. "
        "There the sum of its ends is 0, and the sign of 0 is 0"
    )
    assert not abs(total - 3) < 0.02, "the probabilities sum to 3: the components' weights are missing"
    assert abs(total - 1) < 1e-3, f"the probabilities sum to {total:.3f}; are they masses of intervals of length 1?"
    expected = expected.sum(1)
    middle = np.abs(k.numpy()) < 8
    worst = np.argmax(np.abs(found / expected - 1) * middle)
    assert np.allclose(found[middle], expected[middle], rtol=1e-3, atol=1e-7), (
        f"near the middle the masses are not right: P({k[worst]:.0f}) is {expected[worst]:.4f}, "
        f"not {found[worst]:.4f}; is each the integral of the density from k - 1/2 to k + 1/2?"
    )
    for upper, name in ((k.numpy() > 0, "upper"), (k.numpy() < 0, "lower")):
        assert found[upper].min() > 0, f"in the {name} tail a probability is 0: its symbol could not be coded"
    assert np.allclose(found, expected, rtol=1e-2, atol=0), (
        f"far from the middle the masses are not accurate to 1 %: P(45) is {expected[-1]:.1e}, not {found[-1]:.1e}"
    )
    one = torch.ones(1), torch.tensor([20.0]), torch.tensor([0.8])  # a single component, far from 0
    k = torch.arange(-4.0, 45)
    found, expected = _pmf(mixture_pmf, k, *one), _exact_mixture(k, *one).sum(1)
    assert np.allclose(found, expected, rtol=1e-2, atol=0), (
        "for a single component with its mean at 20 the masses are not accurate to 1 %; "
        "does each component flip where the interval lies right of its own mean?"
    )


def _pmf(mixture_pmf, k, weights, means, scales):
    found = mixture_pmf(k, weights, means, scales)
    assert isinstance(found, Tensor), f"return a tensor, not {type(found).__name__}"
    assert found.shape == k.shape, f"return a tensor of shape {tuple(k.shape)}, not {tuple(found.shape)}"
    return found.double().numpy()


def _exact_mixture(k, weights, means, scales):
    """The weighted masses in double precision, taken in the lower tail: (N, J)."""
    k, weights, means, scales = (value.double().numpy() for value in (k, weights, means, scales))
    below = -np.abs(k[:, None] - means)
    return weights * (_sigmoid((below + 0.5) / scales) - _sigmoid((below - 0.5) / scales))


def _sigmoid(t):
    return 1 / (1 + np.exp(-t))


@exercise("5.3")
def ex_5_3(quantile):
    for name, location, scale, cumulative, inverse in _cumulatives():
        for p in (1e-6, 0.1, 0.5, 0.999):
            calls = []

            def counted(t, location=location, scale=scale, cumulative=cumulative, calls=calls):
                calls.append(t)
                assert len(calls) <= 1000, "1000 values of the cumulative and no end: halve an interval instead"
                return cumulative((t - location) / scale)

            expected = location + scale * inverse(p)
            found = float(quantile(counted, p))
            if abs(found - expected) < 2e-6 + 1e-9 * abs(expected):
                continue
            said = f"the {p:g} quantile of a {name} density around {location:g}, {scale:g} wide, is {expected:.6f}, "
            reached = max(map(abs, calls), default=0)
            if reached < abs(expected):
                hint = f"; you never look beyond ±{reached:g}: can your interval grow?"
            elif abs(found - expected) < 0.5 * abs(expected):
                hint = "; nearly: are there enough halvings?"
            elif math.isclose(found, location + scale * inverse(1 - p), rel_tol=1e-3):
                hint = f", which is that of {1 - p:g}"
            else:
                hint = ""
            raise AssertionError(f"{said}not {found:.6f}{hint}")


def _cumulatives():
    """(name, location, scale, F, its inverse): F(t) is that of the standard density at (t - location) / scale."""
    logistic = (lambda t: 0.5 * (1 + math.tanh(t / 2)), lambda p: math.log(p / (1 - p)))
    cauchy = (lambda t: math.atan2(1, -t) / math.pi, lambda p: -1 / math.tan(math.pi * p))
    gumbel = (lambda t: math.exp(-math.exp(min(-t, 700))), lambda p: -math.log(-math.log(p)))
    for location, scale in ((0, 1), (3, 0.01), (-40, 5), (9000, 300), (0.01, 1e-4)):
        yield "logistic", location, scale, *logistic
    yield "lopsided", 2, 0.5, *gumbel
    yield "heavy-tailed", 0, 0.1, *cauchy
    yield "logistic", 3e6, 20, *logistic
    yield "lopsided", -1e6, 100, *gumbel


@exercise("5.4")
def ex_5_4(own_layer):
    torch.manual_seed(0)
    _check_shapes(own_layer)
    for weight in (1.0, 0.0, -1.0, -4.0):
        for a in (0.0, 1.0, -1.0, 4.0, -4.0, 20.0, -20.0):
            _check_increase(own_layer, weight, a)
    t, (weight, shift, a) = torch.linspace(-3, 3, 61).double().expand(2, -1), _parameters()
    theirs = softplus(weight) @ t + shift
    theirs = theirs + torch.tanh(a) * torch.tanh(theirs)
    assert not torch.allclose(own_layer(t, weight, shift, a), theirs), "that is the chapter's own layer: build another"
    _check_bend(own_layer)
    _check_gradients(own_layer)


def _parameters(outputs: int = 3, inputs: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    weight, shift, a = (torch.randn(outputs, n, dtype=torch.float64) for n in (inputs, 1, 1))
    return weight, shift, a


def _check_shapes(own_layer: Callable) -> None:
    for channels in ((), (5,)):
        weight, shift, a, t = (torch.randn(*channels, *size) for size in ((3, 2), (3, 1), (3, 1), (2, 7)))
        found = own_layer(t, weight, shift, a)
        assert isinstance(found, Tensor), f"return a tensor, not {type(found).__name__}"
        given = ", ".join(str(tuple(tensor.shape)) for tensor in (t, weight, shift, a))
        assert found.shape == (*channels, 3, 7), (
            f"for t, weight, shift and a of shapes {given} return {(*channels, 3, 7)}, not {tuple(found.shape)}"
        )


def _check_increase(own_layer: Callable, weight: float, a: float) -> None:
    """One input runs from -5 to 5, and further out, while the other stands still."""
    given = f"with weights {weight:g} and a = {a:g}"
    weights, shift, bend = torch.full((3, 2), weight), torch.tensor([[-0.5], [0.0], [1.3]]), torch.full((3, 1), a)
    for moving in range(2):
        t = torch.full((2, 1001), 0.4, dtype=torch.float64)
        t[moving] = torch.linspace(-5, 5, 1001)
        found = own_layer(t, weights.double(), shift.double(), bend.double())
        assert found.isfinite().all(), f"{given} an output is not finite"
        steps = found.diff()
        assert not (steps == 0).all(), (
            f"{given} the outputs stay the same when input {moving} moves: each weight must become positive, "
            "whatever number it is"
        )
        at = tuple((steps == steps.min()).nonzero()[0])
        where = f"{given} output {at[0]} {{}} as input {moving} goes up past {t[moving, at[1]]:.1f}"
        assert steps.min() >= 0, where.format("goes down") + (
            ": a weight must become positive, whatever number it is"
            if weight < 0 and (steps < 0).all()
            else ": the slope of the bend must stay above 0"
        )
        assert steps.min() > 0, where.format("stays the same")
        if abs(a) <= 1:
            t[moving] = torch.linspace(-1e4, 1e4, 1001)
            ends = own_layer(t, weights.double(), shift.double(), bend.double())[:, [0, 100, 900, 1000]]
            assert (ends[:, 1] - ends[:, 0]).min() > 1e-3 and (ends[:, 3] - ends[:, 2]).min() > 1e-3, (
                f"{given} an output hardly moves as input {moving} goes from 8,000 to 10,000, or on the other side: "
                "if it has a bound, the cumulative never reaches 0 or 1"
            )


def _check_bend(own_layer: Callable) -> None:
    t = torch.linspace(-3, 3, 61, dtype=torch.float64)[None]
    one = torch.ones(1, 1, dtype=torch.float64)
    curves = [own_layer(t, one, 0 * one, a * one)[0] for a in (-1.5, -0.5, 0.5, 1.5)]
    assert not all(torch.allclose(curve, curves[0], atol=1e-6) for curve in curves), "a changes nothing"
    bent = max(curve.diff().diff().abs().max().item() for curve in curves)
    assert bent > 1e-5, "whatever a is, the layer is a straight line: all such priors are logistic"


def _check_gradients(own_layer: Callable) -> None:
    names = ("weight", "shift", "a")
    parameters = [torch.zeros(size, dtype=torch.float64, requires_grad=True) for size in ((3, 2), (3, 1), (3, 1))]
    for start in ("at weight 0 and a = 0", "at a place drawn at random"):
        t = torch.randn(2, 50, dtype=torch.float64)
        found = own_layer(t, *parameters)
        assert found.requires_grad, "no gradient gets through; is there a detach, or numpy, on the way?"
        gradients = torch.autograd.grad((found * torch.randn_like(found)).sum(), parameters, allow_unused=True)
        for name, gradient in zip(names, gradients, strict=True):
            assert gradient is not None, f"no gradient reaches {name}: is it used?"
            assert gradient.isfinite().all(), f"{start} a gradient of {name} is not finite"
            assert (gradient != 0).all(), f"{start} a gradient of {name} is 0: from there it could not learn"
        parameters = [parameter.requires_grad_() for parameter in _parameters()]
