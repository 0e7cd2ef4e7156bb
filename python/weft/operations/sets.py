"""Distinct elements and membership."""

from __future__ import annotations

from weft import _core
from weft._core import Tensor
from weft.operations._register import both, function


@both
def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """The distinct elements in order, or the distinct slices along dim; on request with where each element is among
    them, and how often each comes."""
    rows = _rows(input, dim)
    if dim is None:
        rows, order = rows.sort()
    else:
        order = _core._row_order(rows)
        rows = rows[order]
    return _runs(input, rows, order, dim, return_inverse, return_counts)


@both
def unique_consecutive(
    input: Tensor, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Tensor | tuple[Tensor, ...]:
    """unique() of runs: the first of every run of equal elements or slices."""
    rows = _rows(input, dim)
    order = _core.arange(rows.shape[0], device=input.device)
    return _runs(input, rows, order, dim, return_inverse, return_counts)


def _rows(x: Tensor, dim: int | None) -> Tensor:
    """The things compared: elements [n], or slices [n, elements]."""
    if dim is None:
        return x.detach().reshape(-1)
    if x.dim() == 0:
        raise IndexError(f"[unique] expected dim=None for a tensor of no dimensions, got {dim}")
    rows = x.detach().movedim(dim, 0)
    if rows.numel() == 0 and rows.shape[0]:
        raise RuntimeError(f"[unique] expected slices with elements, got shape {list(x.shape)}")
    return rows.reshape(rows.shape[0], -1) if rows.numel() else rows.reshape(0, 1)


def _runs(x, rows, order, dim, return_inverse, return_counts):
    n = rows.shape[0]
    first = _core.ones(n, dtype=_core.bool, device=x.device)
    if n > 1:
        changed = rows[1:] != rows[:-1]
        first[1:] = changed.any(1) if changed.dim() > 1 else changed
    if dim is None:
        results = [rows[first]]
    else:
        results = [x.detach().index_select(dim, order[first])]
    group = first.cumsum(0) - 1
    if return_inverse:
        inverse = _core.empty_like(group).scatter(0, order, group)
        results.append(inverse.reshape(x.shape) if dim is None else inverse)
    if return_counts:
        counts = _core.zeros(results[0].shape[dim or 0], dtype=_core.int64, device=x.device)
        results.append(counts.scatter_add(0, group, _core.ones_like(group)))
    return results[0] if len(results) == 1 else tuple(results)


@function
def isin(
    elements: Tensor | float, test_elements: Tensor | float, *, assume_unique: bool = False, invert: bool = False
) -> Tensor:
    """Whether each element is among the test elements; with invert, whether it is not."""
    tensors = [x for x in (elements, test_elements) if isinstance(x, Tensor)]
    if not tensors:
        raise TypeError("[isin] expected a tensor for elements or test_elements")
    x, tests = (
        t if isinstance(t, Tensor) else _core.tensor(t, device=tensors[0].device) for t in (elements, test_elements)
    )
    if x.numel() == 0 or tests.numel() == 0:
        return _core.full(x.shape, invert, dtype=_core.bool, device=x.device)
    common = _core.promote_types(x.dtype, tests.dtype)
    x, tests = x.detach().to(common), tests.detach().to(common).reshape(-1).sort().values
    found = tests[_core.searchsorted(tests, x).clamp(max=tests.numel() - 1)] == x
    return found.logical_not() if invert else found
