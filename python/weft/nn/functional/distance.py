"""Norms and distances between vectors."""

from __future__ import annotations

import math

from weft._core import Tensor


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Tensor:
    """x / max(|x|_p, eps) along `dim`."""
    return input / _norm(input, p, dim).clamp(min=eps)


def _norm(x: Tensor, p: float, dim: int) -> Tensor:
    if p == 2:
        return (x * x).sum(dim, keepdim=True).sqrt()
    if p == 1:
        return x.abs().sum(dim, keepdim=True)
    if math.isinf(p):
        return x.abs().amax(dim, keepdim=True)
    return (x.abs() ** p).sum(dim, keepdim=True) ** (1 / p)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`."""
    return (x1 / _norm(x1, 2, dim).clamp(min=eps) * (x2 / _norm(x2, 2, dim).clamp(min=eps))).sum(dim)
