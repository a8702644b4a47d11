import numpy as np
import pytest

from nctutorial.training.recipe import Recipe


def test_the_learning_rate_warms_up_is_flat_and_falls_to_0_twice():
    recipe = Recipe()
    parts = [0, 0.005, 0.01, 0.3, 0.6, 0.7, 0.85 - 1e-9, 0.85, 0.925, 1]
    rates = [recipe.at(part).rate for part in parts]
    np.testing.assert_allclose(rates, [0, 0.5, 1, 1, 1, 0.6, 0, 0.35, 0.175, 0], atol=1e-6)


def test_stages():
    recipe = Recipe(batch=6, crop=128)
    sizes = [recipe.at(part)[:2] for part in (0, 0.1, 0.7, 0.9)]
    assert sizes == [(12, 64), (6, 96), (6, 128), (6, 128)]
    assert {recipe.at(part, large=True)[:2] for part in (0, 0.1, 0.7, 0.9)} == {(6, 128)}
    assert [recipe.at(part).joint for part in (0, 0.8, 0.86)] == [True, True, False]


def test_progress_goes_by_steps_or_by_the_clock():
    assert Recipe(steps=200).progress(50, 1e9) == 0.25
    assert Recipe(steps=200, budget=2).progress(1000, 30) == 0.25
    assert Recipe(steps=0).progress(0, 0) == 1 and Recipe(budget=1).progress(0, 61) == 1


def test_a_crop_that_the_stages_cannot_divide():
    with pytest.raises(ValueError, match="multiple of 64, not 100"):
        Recipe(crop=100)
