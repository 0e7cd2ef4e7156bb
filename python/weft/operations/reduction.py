"""Sums that skip NaN, running results in place, norms of differences: formulas of the core's reductions and scans."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from weft import _core
from weft._core import Tensor, dtype
from weft.operations._register import both, function, in_float32, method


@both
def nansum(
    input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """Sum over `dim` (all by default) with NaN counted as 0."""
    numbers = input.masked_fill(input.isnan(), 0) if input.is_floating_point() else input
    return numbers.sum(dim, keepdim, dtype=dtype)


@both
def nanmean(
    input: Tensor, dim: int | Sequence[int] | None = None, keepdim: bool = False, *, dtype: dtype | None = None
) -> Tensor:
    """Mean over `dim` (all by default) of the elements that are not NaN; NaN where there are none."""
    if not input.is_floating_point():
        raise RuntimeError(f"[nanmean] expected a floating dtype, got {input.dtype}")
    count = input.isnan().logical_not().sum(dim, keepdim)
    return nansum(input, dim, keepdim, dtype=dtype) / count


class aminmax_result(NamedTuple):
    min: Tensor
    max: Tensor


@both
def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False) -> aminmax_result:
    """(min, max) over `dim`, or over all elements; the gradients are shared evenly among equals."""
    if dim is None and input.numel() == 0:
        raise RuntimeError(f"[aminmax] expected at least one element, got shape {list(input.shape)}")
    axes = () if dim is None else dim
    return aminmax_result(input.amin(axes, keepdim), input.amax(axes, keepdim))


@both
@in_float32
def trace(input: Tensor) -> Tensor:
    """Sum of the diagonal of a matrix."""
    if input.dim() != 2:
        raise RuntimeError(f"[trace] expected a matrix, got shape {list(input.shape)}")
    i = _core.arange(min(input.shape), device=input.device)
    return input[i, i].sum()


@both
def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """The p-norm of input - other, broadcast against each other."""
    return (input - other).norm(p)


@both
def msort(input: Tensor) -> Tensor:
    """The elements in order along the first dimension."""
    return input.sort(0).values


@method
def cumsum_(self: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
    """cumsum() in place."""
    return self.copy_(self.cumsum(dim, dtype=dtype))


@method
def cumprod_(self: Tensor, dim: int, *, dtype: dtype | None = None) -> Tensor:
    """cumprod() in place."""
    return self.copy_(self.clone().cumprod(dim, dtype=dtype))


@both
def diff(
    input: Tensor, n: int = 1, dim: int = -1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Tensor:
    """n times the differences of neighbours along dim, after joining `prepend` and `append`; of bools, whether they
    differ."""
    if input.dim() == 0:
        raise RuntimeError("[diff] expected at least one dimension")
    if n < 0:
        raise RuntimeError(f"[diff] expected n of at least 0, got {n}")
    if n == 0:
        return input.clone()
    parts = [x for x in (prepend, input, append) if x is not None]
    for x in parts:
        if x.dim() != input.dim():
            raise RuntimeError(f"[diff] expected {input.dim()} dimensions to join, got {x.dim()}")
    x = _core.cat(parts, dim) if len(parts) > 1 else input
    for _ in range(min(n, x.shape[dim])):
        left, right = _neighbours(x, dim)
        x = left.ne(right) if x.dtype is _core.bool else right - left
    return x


def _neighbours(x: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """All along dim but the last, and all but the first."""
    n = max(x.shape[dim] - 1, 0)
    return x.narrow(dim, 0, n), x.narrow(dim, min(1, x.shape[dim]), n)


@function
def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The integral along dim by the trapezoidal rule, over points x (one dimension, or broadcast to y) or steps dx."""
    return _areas("trapezoid", y, x, dx, dim).sum(dim)


@function
def trapz(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """trapezoid()."""
    return trapezoid(y, x, dx=dx, dim=dim)


@function
def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1, dim: int = -1) -> Tensor:
    """The running integral along dim by the trapezoidal rule, one shorter than y; see trapezoid()."""
    return _areas("cumulative_trapezoid", y, x, dx, dim).cumsum(dim)


def _areas(op, y, x, dx, dim):
    if _core.bool in (y.dtype, None if x is None else x.dtype):
        raise RuntimeError(f"[{op}] expected numbers, got bool")
    left, right = _neighbours(y, dim)
    if x is None:
        return (left + right) * (dx / 2)
    dim %= y.dim()
    if x.dim() == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(f"[{op}] expected x of {y.shape[dim]} points, got {x.shape[0]}")
        x = x.reshape([-1 if d == dim else 1 for d in range(y.dim())])
    elif x.dim() < y.dim():
        x = x.reshape([1] * (y.dim() - x.dim()) + list(x.shape))
    begin, end = _neighbours(x, dim)
    return (end - begin) * (left + right) / 2
