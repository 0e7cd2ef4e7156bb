"""Linear algebra."""

from __future__ import annotations

from weft._core import Tensor
from weft.operations.product import cross_along


def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """Cross products along `dim`, of size 3; the other dimensions broadcast."""
    return cross_along("linalg.cross", input, other, dim)
