"""Products of vectors, matrices and tensors, as formulas of the core's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import reduce

from weft import _core
from weft._core import Tensor
from weft.operations._register import both, function, in_lower_dtype, method


def _shapes(op: str, expected: str, *tensors: Tensor) -> RuntimeError:
    got = " and ".join(str(tuple(x.shape)) for x in tensors)
    return RuntimeError(f"[{op}] expected {expected}, got shapes {got}")


@both
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * mat @ vec. mat: (n, m), vec: (m,); `input` broadcasts to (n,). beta = 0 ignores it."""
    if mat.dim() != 2 or vec.dim() != 1 or input.dim() > 1:
        raise _shapes("addmv", "at most a vector, a matrix and a vector", input, mat, vec)
    column = input.unsqueeze(1) if input.dim() else input
    return _core.addmm(column, mat, vec.unsqueeze(1), beta=beta, alpha=alpha).squeeze(1)


@both
@in_lower_dtype
def addbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * the sum of all batch1[i] @ batch2[i].

    batch1: (b, n, m), batch2: (b, m, p); `input` broadcasts to (n, p), and beta = 0 ignores it.
    """
    if batch1.dim() != 3 or batch2.dim() != 3 or batch1.shape[0] != batch2.shape[0]:
        raise _shapes("addbmm", "two batches of as many matrices", batch1, batch2)
    (b, n, m), (_, k, p) = batch1.shape, batch2.shape
    if m != k:
        raise _shapes("addbmm", "matrices that can be multiplied", batch1, batch2)
    side_by_side = batch1.transpose(0, 1).reshape(n, b * m)  # one long sum
    return _core.addmm(input, side_by_side, batch2.reshape(b * m, p), beta=beta, alpha=alpha)


@both
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2); `input` broadcasts to (n, m), and beta = 0 ignores it.

    Of bools the sum is "or" and the product "and".
    """
    product = _core.outer(vec1, vec2)
    dtype = reduce(_core.promote_types, (x.dtype for x in (input, vec1, vec2)))
    input = input.expand(product.shape)
    if not dtype.is_floating_point and (isinstance(beta, float) or isinstance(alpha, float)):
        raise RuntimeError(f"[addr] expected beta and alpha to be ints for {dtype}, got {beta} and {alpha}")
    if dtype == _core.bool:
        return (product & bool(alpha)) | (input & bool(beta))
    product = product.to(dtype) if alpha == 1 else product.to(dtype) * alpha
    if beta == 0:
        return product
    return product + (input if beta == 1 else input * beta)


def _in_place(f):
    def change(self, *args, **kwargs):
        return self.copy_(_shaped(f"{f.__name__}_", self, f(self, *args, **kwargs)))

    change.__name__ = f"{f.__name__}_"
    change.__doc__ = f"{f.__name__}() in place."
    return method(change)


def _shaped(op: str, x: Tensor, y: Tensor) -> Tensor:
    if x.shape != y.shape:
        raise RuntimeError(f"[{op}] expected a tensor of the result's shape {tuple(y.shape)}, got {tuple(x.shape)}")
    return y


for _f in (_core.addmm, _core.baddbmm, addmv, addbmm, addr):
    _in_place(_f)


@both
def inner(input: Tensor, other: Tensor) -> Tensor:
    """Sums of products along the last dimensions: (*a, k) and (*b, k) give (*a, *b). A number multiplies."""
    if input.dim() == 0 or other.dim() == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise _shapes("inner", "last dimensions of one size", input, other)
    return tensordot(input, other, dims=([-1], [-1]))


@both
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The sum of the products of two vectors."""
    return _core.dot(input, other)


@both
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """outer() under its older name."""
    return _core.outer(input, vec2)


@both
def kron(input: Tensor, other: Tensor) -> Tensor:
    """Kronecker product: every element of `input` times all of `other`, as blocks."""
    n = max(input.dim(), other.dim())
    a, b = ([1] * (n - x.dim()) + list(x.shape) for x in (input, other))
    wide = input.reshape([s for i in a for s in (i, 1)]) * other.reshape([s for i in b for s in (1, i)])
    return wide.reshape([i * j for i, j in zip(a, b, strict=True)])


@function
def tensordot(a: Tensor, b: Tensor, dims: int | Sequence[Sequence[int]] | Tensor = 2) -> Tensor:
    """Sums of products over several dimensions: the last `dims` of a with the first of b, or dims = (of a, of b)."""
    if isinstance(dims, Tensor):
        dims = dims.item() if dims.numel() == 1 else dims.tolist()
    if isinstance(dims, int):
        if not 0 <= dims <= min(a.dim(), b.dim()):
            raise RuntimeError(f"[tensordot] expected dims from 0 to {min(a.dim(), b.dim())}, got {dims}")
        dims = list(range(a.dim() - dims, a.dim())), list(range(dims))
    of_a, of_b = ([_axis("tensordot", d, x.dim()) for d in ds] for ds, x in zip(dims, (a, b), strict=True))
    if len(of_a) != len(of_b) or len({*of_a}) != len(of_a) or len({*of_b}) != len(of_b):
        raise RuntimeError(f"[tensordot] expected as many different dimensions of either tensor, got {dims}")
    for i, j in zip(of_a, of_b, strict=True):
        if a.shape[i] != b.shape[j]:  # size 1 stretches
            if a.shape[i] == 1:
                b = b.sum(j, keepdim=True, dtype=b.dtype)
            elif b.shape[j] == 1:
                a = a.sum(i, keepdim=True, dtype=a.dtype)
            else:
                raise _shapes("tensordot", f"equal sizes of dimensions {i} and {j}", a, b)
    free_a = [d for d in range(a.dim()) if d not in of_a]
    free_b = [d for d in range(b.dim()) if d not in of_b]
    rows, columns = [a.shape[d] for d in free_a], [b.shape[d] for d in free_b]
    length = math.prod(a.shape[d] for d in of_a)
    left = _permuted(a, free_a + of_a).reshape(math.prod(rows), length)
    right = _permuted(b, of_b + free_b).reshape(length, math.prod(columns))
    return _core.mm(left, right).reshape(rows + columns)


def _permuted(x: Tensor, order: list[int]) -> Tensor:
    return x if order == [*range(x.dim())] else x.permute(order)


def _axis(op: str, dim: int, n: int) -> int:
    if not -n <= dim < n:
        raise IndexError(f"[{op}] dimension out of range: expected {-n} to {n - 1}, got {dim}")
    return dim % n


@function
def chain_matmul(*matrices: Tensor) -> Tensor:
    """The product of matrices, in the order that costs the fewest multiplications."""
    matrices = tuple(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], Sequence) else matrices
    if not matrices or any(x.dim() != 2 for x in matrices):
        raise _shapes("chain_matmul", "one or more matrices", *matrices)
    if len(matrices) == 1:
        return matrices[0]
    sizes = [matrices[0].shape[0], *(x.shape[1] for x in matrices)]
    cost = {(i, i): (0, i) for i in range(len(matrices))}  # (first, last): multiplications, last of the left part
    for length in range(1, len(matrices)):
        for i in range(len(matrices) - length):
            j = i + length
            cost[i, j] = min(
                (cost[i, k][0] + cost[k + 1, j][0] + sizes[i] * sizes[k + 1] * sizes[j + 1], k) for k in range(i, j)
            )

    def product(i, j):
        k = cost[i, j][1]
        return matrices[i] if i == j else product(i, k) @ product(k + 1, j)

    return product(0, len(matrices) - 1)


@both
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """Cross products along `dim`, of size 3; by default the first dimension of that size."""
    if dim is None:
        dim = next((d for d, n in enumerate(input.shape) if n == 3), None)
        if dim is None:
            raise _shapes("cross", "a dimension of size 3", input)
        if input.dim() != other.dim():
            raise _shapes("cross", "as many dimensions of either tensor", input, other)
    return cross_along("cross", input, other, dim)


def cross_along(op: str, a: Tensor, b: Tensor, dim: int) -> Tensor:
    """cross() and linalg.cross(), with the dimension known."""
    if a.dim() != b.dim():
        raise _shapes(op, "as many dimensions of either tensor", a, b)
    dim = _axis(op, dim, a.dim())
    if a.shape[dim] != 3 or b.shape[dim] != 3:
        raise _shapes(op, f"size 3 of dimension {dim}", a, b)
    next_one, one_after = (_core.tensor(order, device=a.device) for order in ([1, 2, 0], [2, 0, 1]))
    return a.index_select(dim, next_one) * b.index_select(dim, one_after) - a.index_select(
        dim, one_after
    ) * b.index_select(dim, next_one)


@both
def renorm(input: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """Every slice along `dim` whose p-norm is above maxnorm is scaled down to it."""
    if input.dim() < 2:
        raise _shapes("renorm", "at least 2 dimensions", input)
    if p <= 0 or maxnorm < 0:
        raise RuntimeError(f"[renorm] expected p > 0 and maxnorm >= 0, got {p} and {maxnorm}")
    dim = _axis("renorm", dim, input.dim())
    wide = input.float() if input.dtype in (_core.float16, _core.bfloat16) else input
    norm = _core.norm(wide, p, [d for d in range(input.dim()) if d != dim], keepdim=True)
    scale = _core.where(norm > maxnorm, maxnorm / (norm + 1e-7), _core.ones_like(norm))
    return (wide * scale).to(input.dtype)


@method
def renorm_(self: Tensor, p: float, dim: int, maxnorm: float) -> Tensor:
    """renorm() in place."""
    before = self.clone() if self.requires_grad else self  # which the gradient needs
    return self.copy_(renorm(before, p, dim, maxnorm))
