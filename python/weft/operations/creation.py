"""New tensors whose values are short formulas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._register import function, method


def _finish(x, requires_grad):
    return x.requires_grad_() if requires_grad else x


@function
def logspace(
    start: float,
    end: float,
    steps: int,
    base: float = 10.0,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """base ** x for `steps` evenly spaced x from start to end, both included."""
    dtype = dtype or _core.get_default_dtype()
    if not dtype.is_floating_point:  # PyTorch takes whole exponents here
        if not (math.isfinite(start) and math.isfinite(end)):
            raise ValueError(f"[logspace] expected finite bounds, got {start} and {end}")
        start, end = int(start), int(end)
    exponents = _core.linspace(start, end, steps, dtype=_core.float64)
    return _finish((float(base) ** exponents).to(dtype).to(device or "cpu"), requires_grad)


@function
def scalar_tensor(value: float, *, dtype: Any = None, device: Any = None, requires_grad: bool = False) -> Tensor:
    """A tensor without dimensions; float32 unless given."""
    return _core.full((), value, dtype=dtype or _core.get_default_dtype(), device=device, requires_grad=requires_grad)


@function
def empty_strided(
    size: Sequence[int], stride: Sequence[int], *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """A new tensor with these sizes and strides; its values are not set."""
    if len(size) != len(stride):
        raise RuntimeError(f"[empty_strided] expected as many strides as sizes, got {tuple(size)} and {tuple(stride)}")
    empty = any(n == 0 for n in size)
    room = 0 if empty else 1 + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    return _finish(_core.empty(room, dtype=dtype, device=device).as_strided(size, stride).detach(), requires_grad)


@method
def new_empty_strided(
    self: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """empty_strided() with the tensor's dtype and device, unless given."""
    return empty_strided(
        size, stride, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
    )


@method
def new_full(
    self: Tensor,
    size: Sequence[int],
    fill_value: float,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """full() with the tensor's dtype and device, unless given."""
    return _core.full(
        size, fill_value, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad
    )


@method
def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """tensor() with the tensor's dtype and device, unless given; always a copy."""
    return _core.tensor(data, dtype=dtype or self.dtype, device=device or self.device, requires_grad=requires_grad)


@function
def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None, requires_grad: bool = False
) -> Tensor:
    """A tensor of numbers, nested sequences, an array or a tensor; copies only where it must or `copy` says so.

    copy=False: ValueError where the memory cannot be shared.
    """
    x = _core.as_tensor(obj, dtype=dtype, device=device)
    if copy is False and not _shares(x, obj):
        raise ValueError("[asarray] cannot share this memory; copy is False")
    x = x.detach().clone() if copy else x.detach() if x.requires_grad and not requires_grad else x
    return _finish(x, requires_grad)


def _shares(x, obj):
    if isinstance(obj, Tensor):
        return x.data_ptr() == obj.data_ptr()
    interface = getattr(obj, "__array_interface__", None)
    return interface is not None and interface["data"][0] == x.data_ptr()


def _triangle_indices(upper, row, col, offset, dtype, device):
    if row < 0 or col < 0:
        raise RuntimeError(f"[{'triu' if upper else 'tril'}_indices] sizes must not be negative, got {row} and {col}")
    distance = _core.arange(col, device=device) - _core.arange(row, device=device).unsqueeze(1)
    inside = distance >= offset if upper else distance <= offset
    return inside.nonzero().t().contiguous().to(dtype)


@function
def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = _core.int64, device: Any = None) -> Tensor:
    """Rows and columns of the lower triangle of a matrix, (2, n)."""
    return _triangle_indices(False, row, col, offset, dtype, device)


@function
def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = _core.int64, device: Any = None) -> Tensor:
    """Rows and columns of the upper triangle of a matrix, (2, n)."""
    return _triangle_indices(True, row, col, offset, dtype, device)
