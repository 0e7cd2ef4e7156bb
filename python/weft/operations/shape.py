"""Joining, splitting and shaping, as formulas of views and cat."""

from __future__ import annotations

import math
from collections.abc import Sequence

from weft import _core
from weft._core import Tensor
from weft._size import Size
from weft.operations._register import both, function, method


def _unpack(tensors):
    """f(a, b) and f([a, b])."""
    return tuple(tensors[0]) if len(tensors) == 1 and isinstance(tensors[0], list | tuple) else tensors


def _each(tensors, f):
    results = tuple(f(x) for x in _unpack(tensors))
    return results[0] if len(tensors) == 1 and isinstance(tensors[0], Tensor) else results


@function
def atleast_1d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Each tensor with at least one dimension."""
    return _each(tensors, lambda x: x.reshape(1) if x.dim() == 0 else x)


@function
def atleast_2d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Each tensor with at least two dimensions: (n,) becomes (1, n)."""
    return _each(tensors, lambda x: x.reshape(1, -1) if x.dim() < 2 else x)


@function
def atleast_3d(*tensors: Tensor) -> Tensor | tuple[Tensor, ...]:
    """Each tensor with at least three dimensions: (n,) becomes (1, n, 1), (n, m) becomes (n, m, 1)."""
    return _each(tensors, lambda x: x.reshape(1, -1, 1) if x.dim() < 2 else x.unsqueeze(-1) if x.dim() == 2 else x)


@function
def column_stack(tensors: Sequence[Tensor]) -> Tensor:
    """hstack() with 0- and 1-dimensional tensors taken as columns."""
    return _core.hstack([x.reshape(x.numel(), 1) if x.dim() < 2 else x for x in tensors])


@function
def dstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joins along the third dimension, after atleast_3d."""
    return _core.cat(list(atleast_3d(list(tensors))), 2)


@function
def row_stack(tensors: Sequence[Tensor]) -> Tensor:
    """vstack() by another name."""
    return _core.vstack(tensors)


@function
def broadcast_shapes(*shapes: Sequence[int] | int) -> Size:
    """The shape to which all of these broadcast."""
    shapes = [(s,) if isinstance(s, int) else tuple(s) for s in shapes]
    if any(n < 0 for s in shapes for n in s):
        raise RuntimeError(f"[broadcast_shapes] a size must not be negative, got {shapes}")
    result = [1] * max((len(s) for s in shapes), default=0)
    for shape in shapes:
        for d in range(-len(shape), 0):
            if shape[d] not in (1, result[d]) and result[d] != 1:
                raise RuntimeError(f"[broadcast_shapes] the shapes {shapes} do not broadcast")
            result[d] = shape[d] if result[d] == 1 else result[d]
    return Size(result)


@function
def broadcast_tensors(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors expanded to one shape; views."""
    tensors = _unpack(tensors)
    shape = broadcast_shapes(*(x.shape for x in tensors))
    return tuple(x.expand(shape) for x in tensors)


@function
def meshgrid(*tensors: Tensor, indexing: str = "ij") -> tuple[Tensor, ...]:
    """Coordinates of a grid: result k has the elements of tensor k along dimension k; views.

    indexing "xy" swaps the first two dimensions.
    """
    tensors = _unpack(tensors)
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f"[meshgrid] indexing is 'ij' or 'xy', got {indexing!r}")
    if not tensors:
        raise RuntimeError("[meshgrid] expected at least one tensor")
    if any(x.dim() > 1 for x in tensors):
        raise RuntimeError("[meshgrid] expected tensors of up to one dimension")
    if any((x.dtype, x.device) != (tensors[0].dtype, tensors[0].device) for x in tensors):
        raise RuntimeError("[meshgrid] expected tensors of one dtype on one device")
    n = len(tensors)
    grid = [x.reshape([-1 if d == k else 1 for d in range(n)]) for k, x in enumerate(tensors)]
    grid = broadcast_tensors(*grid)
    return tuple(x.transpose(0, 1) for x in grid) if indexing == "xy" and n > 1 else grid


@method
def sum_to_size(self: Tensor, *size: int) -> Tensor:
    """Sums over the dimensions that broadcasting `size` to the tensor's shape would repeat."""
    size = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    lead = self.dim() - len(size)
    if lead < 0 or any(n not in (1, m) for n, m in zip(size, self.shape[lead:], strict=True)):
        raise RuntimeError(f"[sum_to_size] {tuple(size)} does not broadcast to the tensor's shape {tuple(self.shape)}")
    if not size:
        return self.sum()
    dims = [*range(lead), *(lead + d for d, n in enumerate(size) if n == 1 != self.shape[lead + d])]
    return self.sum(dims).reshape(size) if dims else self


@both
def diag(input: Tensor, diagonal: int = 0) -> Tensor:
    """A matrix with a vector on its diagonal, or the diagonal of a matrix."""
    if input.dim() not in (1, 2):
        raise RuntimeError(f"[diag] expected 1 or 2 dimensions, got {input.dim()}")
    return _core.diag_embed(input, diagonal) if input.dim() == 1 else _core.diagonal(input, diagonal).clone()


@both
def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """A matrix with all elements on its diagonal."""
    return _core.diag_embed(input.reshape(-1), offset)


@method
def fill_diagonal_(self: Tensor, fill_value: float, wrap: bool = False) -> Tensor:
    """Sets the main diagonal (of all dimensions, which must then be equal); wrap: again below a tall matrix."""
    if self.dim() < 2 or (self.dim() > 2 and len(set(self.shape)) > 1):
        raise RuntimeError(f"[fill_diagonal_] expected a matrix or equal sizes, got {tuple(self.shape)}")
    rows, cols = self.shape[0], self.shape[1]
    if self.dim() == 2 and wrap and rows > cols:
        for start in range(0, rows, cols + 1):
            self.narrow(0, start, min(cols, rows - start)).diagonal().fill_(fill_value)
        return self
    self.as_strided((min(self.shape),), (sum(self.stride()),)).fill_(fill_value)
    return self


@both
def fliplr(input: Tensor) -> Tensor:
    """The second dimension reversed."""
    if input.dim() < 2:
        raise RuntimeError(f"[fliplr] expected at least 2 dimensions, got {input.dim()}")
    return input.flip(1)


@both
def flipud(input: Tensor) -> Tensor:
    """The first dimension reversed."""
    if input.dim() < 1:
        raise RuntimeError("[flipud] expected at least one dimension")
    return input.flip(0)


@both
def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Turned k times by 90 degrees, from the first towards the second of two dimensions."""
    n = input.dim()
    if len(dims) != 2 or n < 2:
        raise RuntimeError(f"[rot90] expected two of at least two dimensions, got {tuple(dims)} of {n}")
    if not all(-n <= d < n for d in dims):
        raise RuntimeError(f"[rot90] dimension out of range: expected {-n} to {n - 1}, got {tuple(dims)}")
    if dims[0] % n == dims[1] % n:
        raise RuntimeError(f"[rot90] expected two different dimensions, got {tuple(dims)}")
    if k % 4 == 2:
        return input.flip(dims)
    if k % 4 == 1:
        return input.flip(dims[1]).transpose(*dims)
    return input.transpose(*dims).flip(dims[1]) if k % 4 else input.clone()


@both
def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Elements moved on by `shifts` along `dims`, the last ones to the front; flattened meanwhile without dims."""
    shifts = [shifts] if isinstance(shifts, int) else list(shifts)
    if dims is None or (not isinstance(dims, int) and not len(dims)):
        if len(shifts) != 1:
            raise RuntimeError(f"[roll] expected one shift where no dims are given, got {shifts}")
        return roll(input.reshape(-1), shifts, 0).reshape(input.shape)
    dims = [dims] if isinstance(dims, int) else list(dims)
    if not shifts or len(shifts) != len(dims):
        raise RuntimeError(f"[roll] expected as many shifts as dims, got {shifts} and {dims}")
    result = input
    for shift, dim in zip(shifts, dims, strict=True):
        if input.dim() == 0:
            raise IndexError("[roll] a tensor without dimensions has none to roll along")
        n = input.size(dim)
        at = -shift % n if n else 0
        if at:
            result = _core.cat([result.narrow(dim, at, n - at), result.narrow(dim, 0, at)], dim)
    return result.clone() if result is input else result


@method
def repeat(self: Tensor, *sizes: int) -> Tensor:
    """Repeated sizes[d] times along dimension d; further sizes at the front make new dimensions."""
    sizes = tuple(sizes[0]) if len(sizes) == 1 and not isinstance(sizes[0], int) else sizes
    lead = len(sizes) - self.dim()
    if lead < 0 or any(n < 0 for n in sizes):
        raise RuntimeError(f"[repeat] expected {self.dim()} or more sizes that are not negative, got {sizes}")
    result = self.reshape([1] * lead + list(self.shape))
    for d in reversed(range(len(sizes))):
        if sizes[d] != 1:
            shape = list(result.shape)
            outer, inner = math.prod(shape[:d]), math.prod(shape[d:])
            shape[d] *= sizes[d]
            result = result.reshape(outer, 1, inner).expand(outer, sizes[d], inner).reshape(shape)
    return result.clone() if all(n == 1 for n in sizes) else result


@both
def tile(input: Tensor, *dims: int) -> Tensor:
    """repeat() with ones in front of `dims` where those are too few."""
    dims = tuple(dims[0]) if len(dims) == 1 and not isinstance(dims[0], int) else dims
    return input.repeat((1,) * (input.dim() - len(dims)) + tuple(dims))


def _split_along(name, dim, least):
    def split(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
        if input.dim() < least:
            raise RuntimeError(f"[{name}] expected at least {least} dimensions, got {input.dim()}")
        along = 0 if name == "hsplit" and input.dim() == 1 else dim
        n = input.shape[along]
        if isinstance(indices_or_sections, int) and (indices_or_sections < 1 or n % indices_or_sections):
            raise RuntimeError(f"[{name}] cannot split size {n} of dimension {along} into {indices_or_sections} parts")
        return input.tensor_split(indices_or_sections, along)

    split.__name__ = name
    split.__doc__ = f"tensor_split() along dimension {dim}, into equal parts or before each of the indices; views."
    return both(split)


hsplit = _split_along("hsplit", 1, 1)
vsplit = _split_along("vsplit", 0, 2)
dsplit = _split_along("dsplit", 2, 3)
