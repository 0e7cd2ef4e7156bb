"""The p-norm along dimensions, with the gradient that PyTorch gives it where it is 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

from weft._core import Tensor


def p_norm(x: Tensor, p: float, dim: int | Sequence[int], keepdim: bool = False) -> Tensor:
    """(sum |x|^p)^(1/p); p = 0 counts what is not 0, inf and -inf are the greatest and the smallest |x|.

    The gradient of a norm that is 0 is 0.
    """
    if math.isinf(p):
        return (x.abs().amax if p > 0 else x.abs().amin)(dim, keepdim=keepdim)
    if p == 0:
        return (x != 0).to(x.dtype).sum(dim, keepdim=keepdim)
    if p == 1:
        return x.abs().sum(dim, keepdim=keepdim)
    if p == 2:
        return _root((x * x).sum(dim, keepdim=keepdim), 2)
    # Against overflow, lengths are counted in units of the greatest; the gradient does not depend on the unit.
    size = x.detach().abs()
    unit = size.amax(dim, keepdim=True) if x.numel() else size.sum(dim, keepdim=True)
    unit = unit.masked_fill((unit == 0) | (unit == math.inf), 1)
    parts = x.abs() / unit
    if p < 1:
        zero = parts == 0  # where the slope of the power is infinite
        powers = (parts.masked_fill(zero, 1) ** p).masked_fill(zero, 0 if p > 0 else math.inf)
    else:
        powers = parts**p
    return _root(powers.sum(dim, keepdim=keepdim), p) * (unit if keepdim else unit.sum(dim))


def _root(total: Tensor, p: float) -> Tensor:
    zero = total == 0
    safe = total.masked_fill(zero, 1)
    return (safe.sqrt() if p == 2 else safe ** (1 / p)).masked_fill(zero, 0)
