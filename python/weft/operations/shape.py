"""Joining and shaping, as formulas of views and cat."""

from __future__ import annotations

from collections.abc import Sequence

from weft import _core
from weft._core import Tensor
from weft.operations._register import function


@function
def atleast_1d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Each tensor with at least one dimension."""
    return _each(tensors, lambda x: x.reshape(1) if x.dim() == 0 else x)


@function
def atleast_2d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Each tensor with at least two dimensions: (n,) becomes (1, n)."""
    return _each(tensors, lambda x: x.reshape(1, -1) if x.dim() < 2 else x)


def _each(tensors, f):
    if len(tensors) == 1 and isinstance(tensors[0], Sequence):
        tensors = tuple(tensors[0])
    results = tuple(f(x) for x in tensors)
    return results[0] if len(results) == 1 else results


@function
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """hstack() with 0- and 1-dimensional tensors taken as columns."""
    return _core.hstack([x.reshape(x.numel(), 1) if x.dim() < 2 else x for x in tensors])
