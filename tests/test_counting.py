"""The counting numbers themselves: each operation counts once, as its kind, whatever the other operand is."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from counting import Counted, check_tally, counted, fma, run_counted, unfused, values

from nnlite.kernels.jit import plain
from nnlite.kernels.ops import ADD, DENSE, EXECUTED, FMA, MUL

pytestmark = pytest.mark.kernels

OPERATIONS = [
    (lambda a: a + 3, "add", 5),
    (lambda a: 3 + a, "add", 5),
    (lambda a: a - 3, "add", -1),
    (lambda a: 3 - a, "add", 1),
    (lambda a: -a, "add", -2),
    (lambda a: a * 3, "mul", 6),
    (lambda a: 3 * a, "mul", 6),
    (lambda a: a / 4, "div", 0.5),
    (lambda a: 4 / a, "div", 2),
    (np.exp, "exp", math.exp(2)),
    (np.log, "log", math.log(2)),
    (np.sqrt, "sqrt", math.sqrt(2)),
    (np.tanh, "tanh", math.tanh(2)),
]


@pytest.mark.parametrize(("operation", "kind", "expected"), OPERATIONS)
def test_each_operation_counts_once_as_its_kind(operation, kind, expected):
    counter = Counter()
    result = operation(Counted(2, counter))
    assert counter == {kind: 1}
    assert result.value == pytest.approx(expected, rel=1e-15)
    assert result.counter is counter


@pytest.mark.parametrize("other", [3, 3.0, np.float32(3), np.float64(3), np.int64(3)])
def test_any_number_may_be_the_other_operand_on_either_side(other):
    counter = Counter()
    number = Counted(2, counter)
    results = [number + other, other + number, other - number, number * other, other * number, other / number]
    assert [result.value for result in results] == [5, 5, 1, 6, 6, 1.5]
    assert counter == {"add": 3, "mul": 2, "div": 1}


def test_comparisons_count_as_cmp_and_give_booleans():
    counter = Counter()
    two, three = Counted(2, counter), Counted(3, counter)
    assert [two < three, two <= 2, three > two, two >= 3, two == 2, two != 2] == [True, True, True, False, True, False]
    assert [two.__lt__(2.5), np.float64(0) < two, np.float64(2.5) > two] == [True] * 3
    assert counter == {"cmp": 9}


def test_arrays_count_one_operation_an_element():
    counter = Counter()
    numbers = counted(np.float32([[1, 2, 3], [4, 5, 6]]), counter)
    results = numbers * numbers + 1  # 6 mul, 6 add
    assert values(results).tolist() == [[2, 5, 10], [17, 26, 37]]
    results = numbers[0, 0] * numbers  # 6 mul more
    assert (numbers > 3).tolist() == [[False] * 3, [True] * 3]
    assert counter == {"mul": 12, "add": 6, "cmp": 6}


def test_a_counted_number_never_turns_into_a_float_unseen():
    number = Counted(2, Counter())
    with pytest.raises(TypeError):
        float(number)
    with pytest.raises(TypeError):
        np.zeros(3)[0] = number
    with pytest.raises(TypeError):
        math.exp(number)
    with pytest.raises(TypeError):
        np.float32(number)


def test_fma_counts_every_lane_once_zeros_included():
    counter = Counter()
    vector = counted([1.0, 2.0, 0.0, 0.0], counter)
    result = fma(np.zeros(4), Counted(3, counter), vector)
    assert values(result).tolist() == [3, 6, 0, 0]
    assert values(fma(result, vector, vector)).tolist() == [4, 10, 0, 0]
    assert fma(1.0, 2.0, Counted(3, counter)).value == 7
    assert counter == {"fma": 4 + 4 + 1}


def dot(a, b, out, tally):
    """Three terms from zero: three mul, three add; as claimed below, and not, through the slots of the tally."""
    out[0] = 0
    for i in range(len(a)):
        out[0] += a[i] * b[i]
    tally[DENSE, FMA] += 3
    tally[EXECUTED, MUL] += 3
    tally[EXECUTED, ADD] += 3


def dot_that_forgets_an_add(a, b, out, tally):
    dot(a, b, out, tally)
    tally[EXECUTED, ADD] -= 1


def dot_that_sets_its_tally(a, b, out, tally):
    tally[:] = 0
    dot(a, b, out, tally)


def test_a_run_returns_what_the_numbers_saw_and_leaves_its_arguments():
    a, out = np.ones(3), np.full(1, 7.0)
    seen, tally = run_counted(dot, a, a, out)
    assert seen == {"mul": 3, "add": 3}
    assert tally[EXECUTED].sum() == 6
    assert tally[DENSE].sum() == 3
    assert (a == 1).all()
    assert out == 7


def test_a_wrong_tally_is_noticed():
    arrays = np.ones(3), np.ones(3), np.ones(1)
    check_tally(dot, *arrays, fma=3)
    with pytest.raises(AssertionError):
        check_tally(dot, *arrays, fma=4)
    with pytest.raises(AssertionError):
        check_tally(dot_that_forgets_an_add, *arrays, fma=3)
    with pytest.raises(AssertionError):
        check_tally(dot_that_sets_its_tally, *arrays, fma=3)


def test_an_fma_executes_as_a_mul_and_an_add():
    assert unfused({"fma": 3, "mul": 2, "div": 1}) == {"mul": 5, "add": 3, "div": 1}
    assert unfused({}) == {}


def test_the_plain_form_of_a_plain_function_is_itself():
    assert plain(dot) is dot
