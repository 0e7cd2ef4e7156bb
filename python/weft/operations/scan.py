"""Scans with a function of one's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._register import function


@function
def associative_scan(
    combine_fn: Callable, xs: Any, dim: int, reverse: bool = False, combine_mode: str = "pointwise"
) -> Any:
    """Running results y[t] = combine_fn(y[t - 1], x[t]) along dim of an associative function, with y[0] = x[0].

    xs is a tensor or a tuple, list or dict of tensors of one size along dim (nested, too), and combine_fn(a, b)
    combines two such trees of slices, whatever their size along dim. It is called about 2 log2(n) times on ever shorter
    slices, about 2n elements of work in all (Blelloch 1990), and the result is differentiable where combine_fn is.
    `reverse` runs from the end.
    combine_mode is accepted: there is one.
    """
    if not callable(combine_fn):
        raise TypeError(f"[associative_scan] expected a function, got {type(combine_fn).__name__}")
    if combine_mode not in ("pointwise", "generic"):
        raise ValueError(f"[associative_scan] expected combine_mode 'pointwise' or 'generic', got {combine_mode!r}")
    leaves, build = _flatten(xs)
    if not leaves:
        raise ValueError("[associative_scan] expected at least one tensor")
    ndim = leaves[0].dim()
    if not -ndim <= dim < ndim:
        raise IndexError(f"[associative_scan] dimension out of range: expected {-ndim} to {ndim - 1}, got {dim}")
    dim %= ndim
    sizes = [x.shape[dim] if dim < x.dim() else None for x in leaves]
    if len(set(sizes)) > 1:
        raise ValueError(f"[associative_scan] expected tensors of one size along dim {dim}, got sizes {sizes}")

    def combine(a: list[Tensor], b: list[Tensor]) -> list[Tensor]:
        found, _ = _flatten(combine_fn(build(a), build(b)))
        if [x.shape for x in found] != [x.shape for x in a]:
            raise ValueError(
                f"[associative_scan] combine_fn must return what it is given: got shapes "
                f"{[tuple(x.shape) for x in found]} for {[tuple(x.shape) for x in a]}"
            )
        return found

    leaves = _flip(leaves, dim) if reverse else leaves
    leaves = _scan(combine, leaves, dim) if sizes[0] else leaves
    return build(_flip(leaves, dim) if reverse else leaves)


def _scan(combine: Callable, xs: list[Tensor], dim: int) -> list[Tensor]:
    """Pairs are combined, scanned, and are then every second result; the others are one combination away."""
    n = xs[0].shape[dim]
    if n < 2:
        return xs
    pairs = combine([_every_second(x, dim, 0, n - n % 2) for x in xs], [_every_second(x, dim, 1, n) for x in xs])
    odd = _scan(combine, pairs, dim)
    even = [x.narrow(dim, 0, 1) for x in xs]
    if n > 2:
        before = [y.narrow(dim, 0, (n - 1) // 2) for y in odd]
        rest = combine(before, [_every_second(x, dim, 2, n) for x in xs])
        even = [_core.cat([first, y], dim) for first, y in zip(even, rest, strict=True)]
    return [_interleave(a, b, dim) for a, b in zip(even, odd, strict=True)]


def _flip(xs: list[Tensor], dim: int) -> list[Tensor]:
    backwards = _core.arange(xs[0].shape[dim] - 1, -1, -1, device=xs[0].device)
    return [x.index_select(dim, backwards) for x in xs]


def _every_second(x: Tensor, dim: int, start: int, stop: int) -> Tensor:
    return x[(slice(None),) * dim + (slice(start, stop, 2),)]


def _interleave(a: Tensor, b: Tensor, dim: int) -> Tensor:
    """a[0], b[0], a[1], ...; a may have one more."""
    n = b.shape[dim]
    y = _core.stack([a.narrow(dim, 0, n), b], dim + 1).flatten(dim, dim + 1)
    return y if a.shape[dim] == n else _core.cat([y, a.narrow(dim, n, 1)], dim)


def _flatten(tree: Any) -> tuple[list[Tensor], Callable[[list[Tensor]], Any]]:
    """The tensors of a tree, and how to build such a tree of others."""
    if isinstance(tree, Tensor):
        return [tree], lambda xs: xs[0]
    if isinstance(tree, dict):
        keys, parts = list(tree), list(tree.values())
    elif isinstance(tree, tuple | list):
        keys, parts = None, list(tree)
    else:
        raise TypeError(f"[associative_scan] expected tensors, or tuples, lists and dicts, got {type(tree).__name__}")
    flat = [_flatten(part) for part in parts]
    kind = type(tree)

    def build(xs: list[Tensor]) -> Any:
        built, start = [], 0
        for leaves, build_part in flat:
            built.append(build_part(xs[start : start + len(leaves)]))
            start += len(leaves)
        if keys is not None:
            return dict(zip(keys, built, strict=True))
        return kind._make(built) if hasattr(kind, "_make") else kind(built)

    return [x for leaves, _ in flat for x in leaves], build
