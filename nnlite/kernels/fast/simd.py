"""Explicit SIMD for numba: a type of n float32 lanes, and the few operations the fast kernels need.

A kernel written with these says which machine operations run: no fastmath, no contraction, the same bits on every CPU
with fma, and a tally that is exact down to the padding lanes. LLVM spreads a wide vector over the registers there are
(16 lanes are two of AVX2's) and adds, multiplies or fuses nothing that the source does not name. A CPU without fma
multiplies and adds instead, and rounds twice; a kernel's tally says fma all the same, and `compiled` books what ran.

Every operation is a plain Python function on NumPy arrays, for whose calls numba is told the instructions. So the same
kernel runs compiled, with NUMBA_DISABLE_JIT=1, and on numbers that count their own operations. (Plain Python rounds an
fma twice; compiled code rounds it once.) The lane count is a literal or a module constant. Offsets are taken as they
are: neither a negative index nor the end of an array is tested, which in these loops cost more than the fma (numba's
array[i] tests i < 0 because Python's negative indices wrap around). Arrays are one-dimensional and C-contiguous.
"""

from __future__ import annotations

import inspect

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.datamodel.models import PrimitiveModel
from numba.core.typing import signature
from numba.extending import lower_builtin, register_jitable, register_model, type_callable

from ..dispatcher import OPTIONS
from .target import has_fma

_FLOAT = ir.FloatType()
_INT32 = ir.IntType(32)


inlined = register_jitable(forceinline=True, **OPTIONS)
"""Decorates a part of kernels: a plain function compiled into its callers, where a call would cost as much as a row."""


def at(array, offset):
    """array[offset], any type of element, without the test for a negative index."""
    return array[offset]


def put(array, offset, value):
    """array[offset] = value, without the test for a negative index; value has the array's type."""
    array[offset] = value


def prefetch(array, offset):
    """Ask for the cache line of array[offset], to be there when it is read; it changes nothing but the time."""


def load(array, offset, n):
    """The n lanes array[offset:offset + n]; n is a literal."""
    return array[offset : offset + n].copy()


def store(array, offset, vector):
    """array[offset:offset + n] = vector."""
    array[offset : offset + len(vector)] = vector


def lowest_bit(mask):
    """The number of the lowest bit set in a uint64 that is not zero."""
    return (int(mask) & -int(mask)).bit_length() - 1


def bit_count(mask):
    """The number of bits set in a uint64."""
    return int(mask).bit_count()


def splat(value, n):
    """The n lanes (value, value, ...); value is float32, n a literal."""
    return np.array([value] * n)


def fma(accumulator, factor, vector):
    """accumulator + factor * vector, rounded once when compiled for a CPU with fma; factor is a float32 or a vector."""
    return accumulator + vector * factor


def fnma(accumulator, factor, vector):
    """accumulator - factor * vector, rounded as fma: it is one, of the negated factor."""
    return accumulator - vector * factor


def add(a, b):
    """a + b."""
    return a + b


def mul(a, b):
    """a * b."""
    return a * b


def div(a, b):
    """a / b."""
    return a / b


def sqrt(a):
    """The square root, correctly rounded."""
    return np.sqrt(a)


def maximum(a, b):
    """a where a > b, else b: what AVX's max does, so that a b which is not a number passes through."""
    return np.where(a > b, a, b)


def where_positive(test, a):
    """a where test > 0, else zero: one compare a lane."""
    return np.where(test > 0, a, np.zeros_like(a))


class _Vector(types.Type):
    """numba's type of n lanes of float32."""

    def __init__(self, n):
        self.n = n
        super().__init__(name=f"Vector({n} x float32)")


@register_model(_Vector)
class _VectorModel(PrimitiveModel):
    def __init__(self, manager, vector):
        super().__init__(manager, vector, _lanes(vector.n))


def _lanes(n):
    return ir.VectorType(_FLOAT, n)


def _compiles(function, typer):
    """Decorate what a call to `function` compiles to; `typer` gives its signature from the types of its arguments.

    Instructions, not an overload: numba compiles each overload as a function of its own, which took most of the time.
    """

    def typed(*args):
        return typer(*args)

    typed.pysig = inspect.signature(function)
    type_callable(function)(lambda context: typed)
    return lower_builtin(function, types.VarArg(types.Any))


def _address(context, builder, array_type, array, offset):
    """A pointer to array[offset]: one address computation, no test."""
    return builder.gep(context.make_array(array_type)(context, builder, array).data, [offset])


def _address_of_lanes(context, builder, array_type, array, offset, n):
    return builder.bitcast(_address(context, builder, array_type, array, offset), _lanes(n).as_pointer())


def _broadcast(builder, scalar, n):
    undefined = ir.Constant(_lanes(n), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(_INT32, n), [0] * n))


@_compiles(at, lambda array, offset: signature(array.dtype, array, types.intp))
def _at(context, builder, call, args):
    return builder.load(_address(context, builder, call.args[0], *args))


@_compiles(put, lambda array, offset, value: signature(types.void, array, types.intp, array.dtype))
def _put(context, builder, call, args):
    builder.store(args[2], _address(context, builder, call.args[0], *args[:2]))
    return context.get_dummy_value()


@_compiles(prefetch, lambda array, offset: signature(types.void, array, types.intp))
def _prefetch(context, builder, call, args):
    where = builder.bitcast(_address(context, builder, call.args[0], *args), ir.IntType(8).as_pointer())
    function_type = ir.FunctionType(ir.VoidType(), [where.type, _INT32, _INT32, _INT32])
    function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0i8")
    builder.call(function, [where, _INT32(0), _INT32(3), _INT32(1)])  # to read, into every cache, data
    return context.get_dummy_value()


def _load_type(array, offset, n):
    # None where n is not literal: numba then asks again with the literal types.
    return signature(_Vector(n.literal_value), array, types.intp, n) if isinstance(n, types.IntegerLiteral) else None


@_compiles(load, _load_type)
def _load(context, builder, call, args):
    vector = builder.load(_address_of_lanes(context, builder, call.args[0], *args[:2], call.return_type.n))
    vector.align = 4  # the address of a float32 promises no more
    return vector


@_compiles(store, lambda array, offset, vector: signature(types.void, array, types.intp, vector))
def _store(context, builder, call, args):
    where = _address_of_lanes(context, builder, call.args[0], *args[:2], call.args[2].n)
    builder.store(args[2], where).align = 4
    return context.get_dummy_value()


def _splat_type(value, n):
    return signature(_Vector(n.literal_value), types.float32, n) if isinstance(n, types.IntegerLiteral) else None


@_compiles(splat, _splat_type)
def _splat(context, builder, call, args):
    return _broadcast(builder, args[0], call.return_type.n)


@_compiles(lowest_bit, lambda mask: signature(types.intp, types.uint64))
def _lowest_bit(context, builder, call, args):
    return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))


@_compiles(bit_count, lambda mask: signature(types.intp, types.uint64))
def _bit_count(context, builder, call, args):
    return builder.ctpop(args[0])


def _elementwise(*operands):
    """The signature of an operation on lanes, in which scalars become float32."""
    vector = next(operand for operand in operands if isinstance(operand, _Vector))
    return signature(vector, *(operand if isinstance(operand, _Vector) else types.float32 for operand in operands))


def _compiles_to(function, build):
    """Let calls to `function` compile to what `build` makes of equally wide vectors."""

    @_compiles(function, _elementwise)
    def lowered(context, builder, call, args):
        n = call.return_type.n
        wide = [
            a if kind == call.return_type else _broadcast(builder, a, n)
            for kind, a in zip(call.args, args, strict=True)
        ]
        return build(builder, *wide)


def _call(builder, name, *operands):
    kind = operands[0].type
    function_type = ir.FunctionType(kind, [kind] * len(operands))
    function = cgutils.get_or_insert_function(builder.module, function_type, f"llvm.{name}.v{kind.count}f32")
    return builder.call(function, operands)


def _multiply_add(builder, factor, a, total):
    # Without the instruction LLVM calls the C library for each lane, and a step takes twelve times as long.
    if has_fma():
        return _call(builder, "fma", factor, a, total)
    return builder.fadd(builder.fmul(factor, a), total)


def _where_greater(builder, a, b, then, otherwise):
    return builder.select(builder.fcmp_ordered(">", a, b), then, otherwise)


def _zero(vector):
    return ir.Constant(vector.type, None)


_compiles_to(fma, lambda builder, total, factor, a: _multiply_add(builder, factor, a, total))
_compiles_to(fnma, lambda builder, total, factor, a: _multiply_add(builder, builder.fneg(factor), a, total))
_compiles_to(add, lambda builder, a, b: builder.fadd(a, b))
_compiles_to(mul, lambda builder, a, b: builder.fmul(a, b))
_compiles_to(div, lambda builder, a, b: builder.fdiv(a, b))
_compiles_to(sqrt, lambda builder, a: _call(builder, "sqrt", a))
_compiles_to(maximum, lambda builder, a, b: _where_greater(builder, a, b, a, b))
_compiles_to(where_positive, lambda builder, test, a: _where_greater(builder, test, _zero(test), a, _zero(test)))
