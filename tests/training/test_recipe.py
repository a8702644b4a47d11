import numpy as np
import pytest

from nctutorial.codec.rounding import HARD
from nctutorial.training.recipe import Recipe


@pytest.mark.parametrize("steps, decoder_steps", [(150, 120), (12, 2), (5, 0)])
def test_the_learning_rate_falls_over_two_thirds_of_each_phase(steps, decoder_steps):
    recipe = Recipe(steps=steps, decoder_steps=decoder_steps)
    rates = [recipe.at(step)[1] for step in range(steps)]
    phases = (steps - decoder_steps, decoder_steps)
    np.testing.assert_allclose(rates, [min(1, (i + 1) / 100, 1.5 * (n - i) / n) for n in phases for i in range(n)])


def test_random_rounding_cools_and_ends_in_rounding_while_the_encoder_rests():
    recipe = Recipe(steps=12, decoder_steps=2, rounding="random")
    learns, _, roundings = zip(*map(recipe.at, range(12)), strict=True)
    assert learns == (True,) * 10 + (False,) * 2 and roundings[10:] == (HARD, HARD)
    temperatures = [rounding.temperature for rounding in roundings[:10]]
    np.testing.assert_allclose(temperatures, [max(0.35 * min(1, 1.5 * (1 - i / 10)), 0.1) for i in range(10)])
    assert {rounding.kind for rounding in roundings[:10]} == {"random"}


@pytest.mark.parametrize(
    "option, message",
    [({"rounding": "dither"}, "noise or random, not dither"), ({"crop": 100}, "multiple of 16, not 100")],
)
def test_a_recipe_that_cannot_be_followed(option, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**option)
