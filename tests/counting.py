"""Numbers that count the operations done to them: what a kernel runs, seen from outside the kernel.

A kernel's plain form does not care what it adds and multiplies. Run on arrays of `Counted`, it leaves in a counter what
it really did, which the kernel's own tally must equal. A counted number does not turn back into a float by itself: an
operation that would escape the count (math.exp, np.float32(...), a store into a float array) raises TypeError.
"""

from __future__ import annotations

import operator
from collections import Counter

import numpy as np

from nnlite.kernels.fast import first_layer, matmul, update
from nnlite.kernels.jit import plain
from nnlite.kernels.ops import DENSE, EXECUTED, KINDS, N_KINDS


def _binary(kind, function):
    def method(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented  # NumPy then goes through the array, element by element
        return self._count(kind, function(self.value, _value(other)))

    return method


def _compare(function):
    def method(self, other):
        if isinstance(other, np.ndarray):
            return NotImplemented
        self.counter["cmp"] += 1
        return bool(function(self.value, _value(other)))

    return method


def _unary(kind, function):
    def method(self):
        return self._count(kind, function(self.value))

    return method


class Counted:
    """A float64 that adds every operation on it to a counter it shares; the other operand may be any number.

    NumPy calls the methods exp, log, sqrt and tanh when it is given an object: np.exp(number) is number.exp().
    """

    __slots__ = ("counter", "value")

    def __init__(self, value, counter):
        self.value = np.float64(value)
        self.counter = counter

    def __repr__(self):
        return f"Counted({self.value})"

    def _count(self, kind, value):
        self.counter[kind] += 1
        return Counted(value, self.counter)

    __add__ = _binary("add", operator.add)
    __radd__ = _binary("add", operator.add)
    __sub__ = _binary("add", operator.sub)
    __rsub__ = _binary("add", lambda value, other: other - value)
    __neg__ = _unary("add", operator.neg)
    __mul__ = _binary("mul", operator.mul)
    __rmul__ = _binary("mul", operator.mul)
    __truediv__ = _binary("div", operator.truediv)
    __rtruediv__ = _binary("div", lambda value, other: other / value)
    __lt__ = _compare(operator.lt)
    __le__ = _compare(operator.le)
    __gt__ = _compare(operator.gt)
    __ge__ = _compare(operator.ge)
    __eq__ = _compare(operator.eq)
    __ne__ = _compare(operator.ne)
    __hash__ = None
    exp = _unary("exp", np.exp)
    log = _unary("log", np.log)
    sqrt = _unary("sqrt", np.sqrt)
    tanh = _unary("tanh", np.tanh)


def _value(number):
    return number.value if isinstance(number, Counted) else np.float64(number)


def counted(array, counter):
    """Return an object array of the same shape and values whose numbers count into `counter`."""
    numbers = np.empty(np.shape(array), object)
    for index, value in np.ndenumerate(array):
        numbers[index] = Counted(value, counter)
    return numbers


def values(numbers):
    """Return the float64 array behind an array of numbers, counted or not."""
    return np.array([_value(number) for number in np.ravel(numbers)]).reshape(np.shape(numbers))


def fma(accumulator, factor, vector):
    """Return accumulator + factor * vector, lane by lane; each lane counts as one fma, a zero or a padding lane too.

    It takes the place of the fast kernels' fma of that signature. Any operand may be a scalar or an array; at least one
    number must be a counted one, which says where to count.
    """
    lanes = np.broadcast(accumulator, factor, vector)
    numbers = [number for operand in (accumulator, factor, vector) for number in np.ravel(operand)]
    counter = next(number.counter for number in numbers if isinstance(number, Counted))
    counter["fma"] += lanes.size
    result = np.empty(lanes.shape, object)
    result.flat = [Counted(_value(a) + _value(b) * _value(c), counter) for a, b, c in lanes]
    return result if lanes.shape else result[()]


def new_tally():
    """Return the counters of one kernel, at zero."""
    return np.zeros((2, N_KINDS), np.int64)


def _counting(argument, counter):
    if isinstance(argument, tuple):
        return type(argument)(*(_counting(part, counter) for part in argument))
    if isinstance(argument, np.ndarray):
        return counted(argument, counter) if argument.dtype.kind == "f" else argument.copy()
    return Counted(argument, counter) if isinstance(argument, float | np.floating) else argument


def by_kind(row):
    """Return a row of a tally as {kind: int}, kinds that did not occur left out."""
    return {kind: int(n) for kind, n in zip(KINDS, row, strict=True) if n}


def run_counted(kernel, *arguments):
    """Run a kernel's plain form on floats that count, alone or in arrays; the arguments themselves stay as they are.

    Returns
    -------
    ({kind: int}, tally) - what the numbers saw, and what the kernel says of itself
    """
    counter = Counter()
    tally = new_tally()
    with np.errstate(all="ignore"):
        plain(kernel)(*[_counting(argument, counter) for argument in arguments], tally)
    return dict(counter), tally


def unfused(dense):
    """Return dense counts with a mul and an add for each fma: what a plain kernel executes."""
    ran = Counter(dense)
    fused = ran.pop("fma", 0)
    ran.update(mul=fused, add=fused)
    return {kind: n for kind, n in ran.items() if n}


def check_tally(kernel, *arguments, **dense):
    """Hold a plain kernel's tally to what it ran, kind by kind, to its closed form `dense` and to its compiled self."""
    seen, tally = run_counted(kernel, *arguments)
    assert by_kind(tally[EXECUTED]) == seen
    assert by_kind(tally[DENSE]) == {kind: n for kind, n in dense.items() if n}
    assert unfused(dense) == seen
    compiled = new_tally() + 1000  # a kernel adds to its tally
    kernel(*[a.copy() if isinstance(a, np.ndarray) else a for a in arguments], compiled)
    np.testing.assert_array_equal(compiled - 1000, tally)


# The fast kernels, with an fma that counts as one


def _minus_fma(accumulator, factor, vector):
    return fma(accumulator, -values(np.asarray(factor, object)), vector)


def count_fast(monkeypatch, kernel, *arguments, n_tallies=1):
    """Run a fast kernel's plain form on counting numbers; the arguments stay as they are.

    Returns
    -------
    (executed as the numbers saw it, executed and dense as the kernel says, summed over its tallies)
    """
    for module in (first_layer, matmul, update):
        monkeypatch.setattr(module, "fma", fma)
    monkeypatch.setattr(update, "fnma", _minus_fma)
    counter, tallies = Counter(), [new_tally() for _ in range(n_tallies)]
    plain(kernel)(*(_counting(part, counter) for part in arguments), *tallies)
    total = sum(tallies)
    return dict(counter), by_kind(total[EXECUTED]), by_kind(total[DENSE])


def check_fast(monkeypatch, kernel, *arguments, n_tallies=1, **dense):
    """Hold a fast kernel's executed count to what its numbers saw, and its dense count to the closed form."""
    seen, executed, says = count_fast(monkeypatch, kernel, *arguments, n_tallies=n_tallies)
    assert executed == seen
    assert says == {kind: n for kind, n in dense.items() if n}
