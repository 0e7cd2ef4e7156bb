"""Norms of vectors and matrices and cross products, as in torch.linalg. Spectral and nuclear norms, which need singular
values, are not here."""

from __future__ import annotations

from collections.abc import Sequence

from weft import _core
from weft._core import Tensor, dtype
from weft.operations.product import cross_along

__all__ = ["cross", "matrix_norm", "norm", "vector_norm"]


def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """sum(|x|^ord)^(1/ord) over `dim` (all by default); inf and -inf: the largest and smallest |x|; 0: how many
    are not 0."""
    if isinstance(ord, str):
        raise TypeError(f"[linalg.vector_norm] expected a number for ord, got {ord!r}")
    if not x.is_floating_point():
        raise RuntimeError(f"[linalg.vector_norm] expected a floating dtype, got {x.dtype}")
    if dtype is not None and not _widens(x.dtype, dtype):
        raise RuntimeError(f"[linalg.vector_norm] {x.dtype} does not fit into dtype {dtype}")
    axes = range(x.dim()) if dim is None or dim == () else [dim] if isinstance(dim, int) else dim
    if (ord < 0 or ord == float("inf")) and any(x.shape[d] == 0 for d in axes if x.dim()):
        raise RuntimeError(f"[linalg.vector_norm] the norm of order {ord} of nothing is not defined")
    return _core.norm(x, ord, dim, keepdim, dtype=dtype)


def _widens(of, to):
    return _core.promote_types(of, to) is to


def matrix_norm(
    A: Tensor,
    ord: float | str = "fro",
    dim: Sequence[int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """Norm of the matrices in dimensions `dim`: 'fro', or the largest (inf, 1) or smallest (-inf, -1) sum of absolute
    values of a row (inf) or column (1)."""
    rows, columns = _two_axes(A, dim)
    if not A.is_floating_point():
        raise RuntimeError(f"[linalg.matrix_norm] expected a floating dtype, got {A.dtype}")
    if ord == "fro":
        return vector_norm(A, 2, (rows, columns), keepdim, dtype=dtype)
    if ord == "nuc" or (not isinstance(ord, str) and abs(ord) == 2):
        raise NotImplementedError(
            f"[linalg.matrix_norm] order {ord!r} needs singular values, which Weft does not compute"
        )
    if isinstance(ord, str) or abs(ord) not in (1, float("inf")):
        raise RuntimeError(f"[linalg.matrix_norm] expected ord 'fro', 1, -1, inf or -inf, got {ord!r}")
    added, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
    sums = vector_norm(A, 1, added, True, dtype=dtype)
    if ord < 0:
        result = sums.amin(kept, True)
    else:
        result = sums.amax(kept, True) if A.shape[kept] else sums.sum(kept, True)
    if keepdim:
        return result
    return result.squeeze(max(rows, columns)).squeeze(min(rows, columns))


def _two_axes(A, dim):
    if A.dim() < 2:
        raise RuntimeError(f"[linalg.matrix_norm] expected at least two dimensions, got shape {list(A.shape)}")
    if isinstance(dim, int) or len(dim) != 2:
        raise RuntimeError(f"[linalg.matrix_norm] expected two dimensions in dim, got {dim}")
    for d in dim:
        if not -A.dim() <= d < A.dim():
            raise IndexError(
                f"[linalg.matrix_norm] dimension out of range: expected {-A.dim()} to {A.dim() - 1}, got {d}"
            )
    rows, columns = (d % A.dim() for d in dim)
    if rows == columns:
        raise RuntimeError(f"[linalg.matrix_norm] expected two different dimensions, got {dim}")
    return rows, columns


def norm(
    A: Tensor,
    ord: float | str | None = None,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: dtype | None = None,
) -> Tensor:
    """vector_norm() over one dimension, matrix_norm() over two; without ord the 2-norm of all elements of `dim`."""
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if dim is None:
        if A.dim() not in (1, 2):
            raise RuntimeError(f"[linalg.norm] expected one or two dimensions, or dim=, got shape {list(A.shape)}")
        dim = (0, 1) if A.dim() == 2 else 0
    elif not isinstance(dim, int) and len(dim) == 1:
        dim = dim[0]
    if isinstance(dim, int):
        return vector_norm(A, ord, dim, keepdim, dtype=dtype)
    return matrix_norm(A, ord, dim, keepdim, dtype=dtype)


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Cross products along `dim`, of size 3; the other dimensions broadcast."""
    return cross_along("linalg.cross", input, other, dim)
