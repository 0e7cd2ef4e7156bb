"""Elements and blocks put together in every way."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from weft import _core
from weft._core import Tensor
from weft.operations._register import function


@function
def block_diag(*tensors: Tensor) -> Tensor:
    """A matrix with the given ones on its diagonal and 0 elsewhere; vectors are rows."""
    blocks = [x.reshape(1, -1) if x.dim() < 2 else x for x in tensors]
    if any(x.dim() > 2 for x in blocks):
        raise ValueError(f"[block_diag] expected at most 2 dimensions, got {[tuple(x.shape) for x in tensors]}")
    if not blocks:
        return _core.empty(1, 0)
    dtype, device = reduce(_core.promote_types, (x.dtype for x in blocks)), blocks[0].device
    columns = sum(x.shape[1] for x in blocks)
    rows, before = [], 0
    for x in blocks:
        after = columns - before - x.shape[1]
        left, right = (_core.zeros(x.shape[0], n, dtype=dtype, device=device) for n in (before, after))
        rows.append(_core.cat([left, x.to(dtype), right], 1))
        before += x.shape[1]
    return _core.cat(rows, 0)


@function
def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Every choice of one element of each vector, a row each, the last changing fastest; one vector as it is."""
    tensors = tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], Sequence) else tensors
    if not tensors or any(x.dim() != 1 for x in tensors):
        raise RuntimeError(f"[cartesian_prod] expected vectors, got shapes {[tuple(x.shape) for x in tensors]}")
    if len(tensors) == 1:
        return tensors[0]
    shape = [x.shape[0] for x in tensors]
    grids = [x.reshape([-1 if i == k else 1 for i in range(len(shape))]).expand(shape) for k, x in enumerate(tensors)]
    return _core.stack([g.reshape(-1) for g in grids], 1)


@function
def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Every choice of r elements of a vector in its order, a row each."""
    if input.dim() != 1:
        raise RuntimeError(f"[combinations] expected a vector, got shape {tuple(input.shape)}")
    if r < 0:
        raise RuntimeError(f"[combinations] expected r >= 0, got {r}")
    if r == 0:
        return _core.empty(0, dtype=input.dtype, device=input.device)
    n = input.shape[0]
    places = _core.arange(n, device=input.device)
    chosen = places.reshape(n, 1)
    for _ in range(r - 1):  # every choice so far with every place from its last one on
        last = chosen[:, -1:]
        fits = places >= last if with_replacement else places > last
        rows = _core.arange(len(chosen), device=input.device).reshape(-1, 1).expand(fits.shape)[fits]
        chosen = _core.cat([chosen[rows], places.expand(fits.shape)[fits].reshape(-1, 1)], 1)
    return input[chosen]
