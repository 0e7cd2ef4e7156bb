"""Reading and writing by index, as formulas of the core's gather, scatter and index_put."""

from __future__ import annotations

import math
import numbers

from weft import _core
from weft._core import Tensor
from weft.operations._register import both, function, method
from weft.operations.dtypes import iinfo
from weft.operations.shape import broadcast_shapes

_REDUCTIONS = ("sum", "prod", "mean", "amax", "amin")


@both
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """The input combined with the elements of src that an index along dim sends to each place.

    reduce: "sum", "prod", "mean", "amax" or "amin". include_self=False: places that get any forget what they held.
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"[scatter_reduce] reduce is one of {', '.join(_REDUCTIONS)}, got {reduce!r}")
    start = input if include_self else input.scatter(dim, index, _core.full_like(src, _neutral(reduce, input.dtype)))
    if reduce != "mean":
        return _core._scatter_combined(start, dim, index, src, reduce)
    total = start.scatter_add(dim, index, src)
    ones = _core.ones_like(src, requires_grad=False)
    count = _core.ones_like(input) if include_self else _core.zeros_like(input)
    count = count.scatter_add(dim, index, ones).clamp(min=1)
    return total / count if input.is_floating_point() else total.div(count, rounding_mode="floor")


@method
def scatter_reduce_(
    self: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """scatter_reduce() in place."""
    return self.copy_(scatter_reduce(self.clone(), dim, index, src, reduce, include_self=include_self))


def _neutral(reduce, dtype):
    """What a reduction begins with."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.is_floating_point:
        return -math.inf if reduce == "amax" else math.inf
    limits = iinfo(dtype) if dtype != _core.bool else None
    if reduce == "amax":
        return limits.min if limits else False
    return limits.max if limits else True


@method
def put_(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """put() in place."""
    return self.copy_(self.put(index, source, accumulate))


@both
def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """The input with the first elements of source, in order, where a mask is true."""
    if mask.dtype != _core.bool:
        raise RuntimeError(f"[masked_scatter] expected a mask of bool, got {mask.dtype}")
    if source.dtype != input.dtype:
        raise RuntimeError(f"[masked_scatter] expected source of the input's dtype {input.dtype}, got {source.dtype}")
    shape = broadcast_shapes(input.shape, mask.shape)
    at = mask.expand(shape).reshape(-1).nonzero().squeeze(1)
    if source.numel() < at.numel():
        raise RuntimeError(f"[masked_scatter] expected at least {at.numel()} elements of source, got {source.numel()}")
    return input.expand(shape).put(at, source.reshape(-1)[: at.numel()])


@method
def masked_scatter_(self: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """masked_scatter() in place."""
    return self.copy_(masked_scatter(self, mask, source))


@both
def repeat_interleave(
    input: Tensor, repeats: Tensor | int | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Each slice along dim (each element, without dim) repeated, all as often or each as `repeats` says.

    repeat_interleave(repeats) alone gives the indices. output_size is the sum of repeats, where that is known.
    """
    if repeats is None:
        return _repeated_indices(input, output_size)
    if dim is None:
        input, dim = input.reshape(-1), 0
    if input.dim() == 0:
        input = input.reshape(1)
    n = input.size(dim)
    if isinstance(repeats, numbers.Integral):
        if repeats < 0:
            raise RuntimeError(f"[repeat_interleave] repeats must not be negative, got {repeats}")
        dim %= input.dim()
        shape = list(input.shape)
        outer, inner = math.prod(shape[: dim + 1]), math.prod(shape[dim + 1 :])
        shape[dim] *= repeats
        return input.reshape(outer, 1, inner).expand(outer, repeats, inner).reshape(shape)
    repeats = _core.as_tensor(repeats, device=input.device).reshape(-1)
    if repeats.numel() not in (1, n):
        raise RuntimeError(f"[repeat_interleave] expected {n} repeats, one a slice, got {repeats.numel()}")
    return input.index_select(dim, _repeated_indices(repeats.expand(n), output_size))


def _repeated_indices(repeats, output_size):
    """Index i, repeats[i] times: a running sum of marks at the ends of the stretches."""
    if repeats.dtype not in (_core.int64, _core.int32) or repeats.dim() != 1:
        raise RuntimeError(
            f"[repeat_interleave] expected repeats of one dimension and int64 or int32, got {repeats.dtype} of "
            f"{tuple(repeats.shape)}"
        )
    if repeats.numel() and int(repeats.min()) < 0:
        raise RuntimeError("[repeat_interleave] repeats must not be negative")
    ends = repeats.cpu().cumsum(0)  # the host must know the total
    total = int(ends[-1]) if repeats.numel() else 0
    if output_size is not None and output_size != total:
        raise RuntimeError(f"[repeat_interleave] output_size is {output_size}, the repeats sum to {total}")
    marks = _core.zeros(total + 1, dtype=_core.int64).index_add(0, ends, _core.ones_like(ends))
    return marks.cumsum(0)[:total].to(device=repeats.device, dtype=repeats.dtype)


@function
def fill(input: Tensor, value: Tensor | float) -> Tensor:
    """A tensor like the input with one value everywhere."""
    return input.clone().fill_(value)


@method
def tril_(self: Tensor, diagonal: int = 0) -> Tensor:
    """tril() in place."""
    return self.copy_(self.tril(diagonal))


@method
def triu_(self: Tensor, diagonal: int = 0) -> Tensor:
    """triu() in place."""
    return self.copy_(self.triu(diagonal))


@method
def __contains__(self: Tensor, element: Tensor | float) -> bool:
    """Whether any element equals this one."""
    return bool((self == element).any())


@method
def __reversed__(self: Tensor) -> Tensor:
    """The first dimension reversed."""
    return self.flip(0) if self.dim() else self


@method
def apply_(self: Tensor, callable) -> Tensor:
    """Each element replaced by a Python function of it, one by one: slow, and on the CPU alone."""
    return _mapped(self, callable)


@method
def map_(self: Tensor, tensor: Tensor, callable) -> Tensor:
    """Each element replaced by a Python function of it and of another tensor's: slow, and on the CPU alone."""
    return _mapped(self, callable, tensor.expand(self.shape))


def _mapped(x, function, *others):
    if x.device.type != "cpu":
        raise TypeError("[apply_] a Python function reaches CPU tensors alone; use .cpu()")
    if x.requires_grad:
        raise RuntimeError("[apply_] a Python function has no gradient; use detach()")
    values = (t.reshape(-1).tolist() for t in (x, *others))
    results = [function(*v) for v in zip(*values, strict=True)]
    return x.copy_(_core.tensor(results, dtype=x.dtype).reshape(x.shape))
