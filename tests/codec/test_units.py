import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nctutorial.codec import units
from nctutorial.codec.units import LAM_LAST, LAM_MAX, LAM_MIN

GRID = np.geomspace(LAM_MIN, LAM_MAX, LAM_LAST + 1)


def test_lams_lie_on_a_geometric_grid():
    np.testing.assert_allclose([units.lam_at(i) for i in range(LAM_LAST + 1)], GRID, rtol=1e-12)
    assert [units.lam_index(lam) for lam in GRID] == list(range(LAM_LAST + 1))


@given(st.floats(LAM_MIN, LAM_MAX))
def test_lam_index_is_the_nearest(lam):
    distance = np.abs(np.log(GRID / lam))
    assert distance[units.lam_index(lam)] <= distance.min() + 1e-12


@pytest.mark.parametrize("lam", [0, -0.01, 0.0009, 0.07, math.inf, math.nan])
def test_a_lam_out_of_range_is_an_error(lam):
    with pytest.raises(ValueError, match="between 0.001 and 0.06"):
        units.lam_index(lam)


def test_a_lam_is_named_by_the_shortest_number_that_means_it():
    texts = [units.lam_text(i) for i in range(LAM_LAST + 1)]
    assert [units.lam_index(float(text)) for text in texts] == list(range(LAM_LAST + 1))
    assert max(map(len, texts)) == 8 and [units.lam_text(units.lam_index(lam)) for lam in (0.01, 0.06)] == [
        "0.01",
        "0.06",
    ]


def test_place_of_is_the_position_on_the_grid():
    places = units.place_of(torch.from_numpy(GRID).view(1, -1))
    np.testing.assert_allclose(places[0].numpy(), np.arange(LAM_LAST + 1) / LAM_LAST, atol=1e-12)


def test_nodes_are_every_64th_lam_of_the_grid():
    np.testing.assert_allclose(units.node_lams(torch.device("cpu")).numpy(), GRID[::64], rtol=1e-6)


@given(st.integers(0, LAM_LAST), st.integers(0, 2**32))
def test_between_nodes_is_exact(index, seed):
    nodes = np.random.default_rng(seed).integers(1, 2**30, (units.NODES, 3)).astype(np.int32)
    place = Fraction(index * (units.NODES - 1), LAM_LAST)
    left = min(math.floor(place), units.NODES - 2)
    low, high = nodes[left].tolist(), nodes[left + 1].tolist()
    expected = [math.floor(a + (b - a) * (place - left)) for a, b in zip(low, high, strict=True)]
    assert units.between_nodes(nodes, index).tolist() == expected
