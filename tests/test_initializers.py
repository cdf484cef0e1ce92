"""Initial values: bounds, moments, order of drawing, one generator only."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nnlite.initializers import INITIALIZERS
from nnlite.mlp import MLP

N_IN, N_OUT = 300, 200
# Standard deviation of a uniform draw in +-b is b / sqrt(3).
SPREAD = {
    "fan_in_uniform": 1 / math.sqrt(300) / math.sqrt(3),
    "he_normal": math.sqrt(2 / 300),
    "glorot_uniform": math.sqrt(6 / 500) / math.sqrt(3),
    "normal_0.01": 0.01,
}
BOUND = {"fan_in_uniform": 1 / math.sqrt(300), "glorot_uniform": math.sqrt(6 / 500)}


@pytest.mark.parametrize("name", SPREAD)
def test_weights_have_the_promised_bound_and_spread(name):
    weight, bias = INITIALIZERS[name](N_IN, N_OUT, np.random.default_rng(1))
    assert (weight.shape, bias.shape) == ((N_IN, N_OUT), (N_OUT,))
    assert np.abs(weight).max() <= BOUND.get(name, math.inf)
    # 60,000 draws: the mean lies within 5 standard errors of 0, the deviation within 2% of its value
    assert abs(weight.mean()) < 5 * SPREAD[name] / math.sqrt(weight.size)
    assert weight.std() == pytest.approx(SPREAD[name], rel=0.02)


def test_a_narrow_layer_tells_its_inputs_from_its_outputs():
    rng = np.random.default_rng(2)
    # +-sqrt(6 / (1 + 5)) = +-1, almost reached by one of 2000 x 5 draws
    draws = np.concatenate([INITIALIZERS["glorot_uniform"](1, 5, rng)[0] for _ in range(2000)])
    assert 0.99 < np.abs(draws).max() <= 1
    # variance 2 / 2 = 1 over 2 x 4000 draws
    draws = np.concatenate([INITIALIZERS["he_normal"](2, 4, rng)[0] for _ in range(1000)])
    assert draws.std() == pytest.approx(1, rel=0.05)


def test_every_initializer_is_tested_here():
    assert set(SPREAD) == set(INITIALIZERS)


def test_the_bias_is_drawn_like_the_weight_or_is_zero():
    rng = np.random.default_rng(1)
    _, bias = INITIALIZERS["fan_in_uniform"](4, 1000, rng)
    assert 0.49 < np.abs(bias).max() <= 0.5  # 1 / sqrt(4)
    for name in ("he_normal", "glorot_uniform", "normal_0.01"):
        assert (INITIALIZERS[name](4, 3, rng)[1] == np.zeros(3)).all()


@pytest.mark.parametrize("name", SPREAD)
def test_a_seed_fixes_a_network_drawn_layer_by_layer_weight_then_bias(name):
    mlp = MLP((5, 4, 3), np.random.default_rng(9), initializer=name, dtype=np.float64)
    rng = np.random.default_rng(9)
    expected = [*INITIALIZERS[name](5, 4, rng), *INITIALIZERS[name](4, 3, rng)]
    for parameter, value in zip(mlp.parameters(), expected, strict=True):
        np.testing.assert_array_equal(parameter, value)
    rounded = MLP((5, 4, 3), np.random.default_rng(9), initializer=name, dtype=np.float32)
    for parameter, value in zip(rounded.parameters(), expected, strict=True):
        np.testing.assert_array_equal(parameter, value.astype(np.float32))


def test_the_first_values_of_a_seed_never_change():
    # default_rng(0).random() begins 0.6369616873214543, 0.2697867137638703: 2 u - 1 times the bound 1 / sqrt(1)
    weight, bias = INITIALIZERS["fan_in_uniform"](1, 1, np.random.default_rng(0))
    assert weight[0, 0] == pytest.approx(2 * 0.6369616873214543 - 1, rel=1e-15)
    assert bias[0] == pytest.approx(2 * 0.2697867137638703 - 1, rel=1e-15)
