"""Elementwise functions, as formulas of the core's."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._register import FUNCTIONS, both, function


def _kind(x: Tensor) -> int:
    return 2 if x.is_floating_point() else int(x.dtype != _core.bool)


def _store(name: str, target: Tensor, result: Tensor) -> Tensor:
    if _kind(result) > _kind(target) or result.shape != target.shape:
        got, has = (f"dtype {x.dtype} and shape {tuple(x.shape)}" for x in (result, target))
        raise RuntimeError(f"[{name}] a result of {got} does not fit a tensor of {has}")
    return target.copy_(result)


def _in_place(f: Callable) -> Callable:
    """weft.f_ and Tensor.f_ too: x becomes f(x)."""

    @wraps(f)
    def change(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return _store(change.__name__, input, f(input.clone(), *args, **kwargs))  # backward may read what changes here

    change.__name__ = change.__qualname__ = f.__name__ + "_"
    both(change)
    return f


def _out(f: Callable) -> Callable:
    """The keyword out, a tensor for the result."""

    @wraps(f)
    def g(*args: Any, out: Tensor | None = None, **kwargs: Any) -> Tensor:
        result = f(*args, **kwargs)
        if out is None:
            return result
        if result.requires_grad:
            raise RuntimeError(f"[{f.__name__}] out= is not recorded on the tape; use weft.no_grad()")
        return _store(f.__name__, out, result)

    return g


def _need_tensors(name: str, *operands: Any) -> None:
    for x in operands:
        if not isinstance(x, Tensor):
            raise TypeError(f"[{name}] expected tensors, got {type(x).__name__}")


@_in_place
@both
@_out
def deg2rad(input: Tensor) -> Tensor:
    """Degrees as radians."""
    return input * (math.pi / 180)


@_in_place
@both
@_out
def rad2deg(input: Tensor) -> Tensor:
    """Radians as degrees."""
    return input * (180 / math.pi)


@_in_place
@both
@_out
def sinc(input: Tensor) -> Tensor:
    """sin(pi x) / (pi x), 1 at 0."""
    if input.is_floating_point() and input.itemsize < 4:
        return sinc(input.float()).to(input.dtype)
    zero = input == 0
    angle = _core.where(zero, 1.0, input * math.pi)
    return _core.where(zero, 1.0, angle.sin() / angle)


@_in_place
@both
@_out
def heaviside(input: Tensor, values: Tensor) -> Tensor:
    """0 below zero, 1 above, `values` at it."""
    _need_tensors("heaviside", input, values)
    if input.dtype != values.dtype:
        raise RuntimeError(f"[heaviside] expected tensors of one dtype, got {input.dtype} and {values.dtype}")
    return _core.where(input == 0, values, (input > 0).to(input.dtype))


@_in_place
@both
@_out
def lcm(input: Tensor, other: Tensor) -> Tensor:
    """The least common multiple; 0 where one is 0."""
    divisor = _core.gcd(input, other)
    return (input // divisor.masked_fill(divisor == 0, 1) * other).abs()


@_in_place
@both
@_out
def ldexp(input: Tensor, other: Tensor) -> Tensor:
    """input * 2^other"""
    _need_tensors("ldexp", input, other)
    # 2^other itself may overflow where the result does not.
    half = (other / 2).floor().clamp(-1100, 1100)
    result = input * 2.0**half * 2.0 ** (other - half)
    keeps = input.is_floating_point() and not other.is_floating_point()
    return result.to(input.dtype) if keeps else result


@function
@_out
def float_power(input: Tensor | float, exponent: Tensor | float) -> Tensor:
    """input^exponent in float64."""
    if not isinstance(input, Tensor) and not isinstance(exponent, Tensor):
        raise TypeError("[float_power] expected a tensor, got two numbers")
    return _core.pow(_as_double(input), _as_double(exponent))


def _as_double(x: Tensor | float) -> Tensor | float:
    return x.to(_core.float64) if isinstance(x, Tensor) else float(x)


def _float_power_(input: Tensor, exponent: Tensor | float) -> Tensor:
    """float_power() of a float64 tensor in place."""
    if input.dtype != _core.float64:
        raise RuntimeError(f"[float_power_] expected a float64 tensor, got {input.dtype}")
    return input.pow_(_as_double(exponent))


@both
@_out
def isposinf(input: Tensor) -> Tensor:
    """Where x is infinity."""
    return input == math.inf


@both
@_out
def isneginf(input: Tensor) -> Tensor:
    """Where x is minus infinity."""
    return input == -math.inf


@both
def isreal(input: Tensor) -> Tensor:
    """True everywhere: there are no complex numbers."""
    return _core.ones_like(input, dtype=_core.bool)


def _round(self: Tensor, ndigits: int | None = None) -> Tensor:
    """round(x), round(x, 2)"""
    return self.round(decimals=ndigits or 0)


Tensor.float_power = float_power
Tensor.float_power_ = _float_power_
Tensor.__round__ = _round
# Python 2's names of operators, which PyTorch keeps.
Tensor.__div__, Tensor.__idiv__, Tensor.__rdiv__ = Tensor.__truediv__, Tensor.__itruediv__, Tensor.__rtruediv__
Tensor.__nonzero__, Tensor.__long__ = Tensor.__bool__, Tensor.__int__
for _name in ("gcd_", "xlogy_"):
    FUNCTIONS[_name] = getattr(Tensor, _name)
