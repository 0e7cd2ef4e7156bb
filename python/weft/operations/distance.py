"""Norms and distances between vectors, and the bilinear form. They are functions of nn.functional too."""

from __future__ import annotations

from weft import _core
from weft._core import Tensor
from weft.operations._register import function


def normalize(input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: Tensor | None = None) -> Tensor:
    """x / max(|x|_p, eps) along `dim`."""
    result = input / _core.norm(input, p, dim, keepdim=True).clamp(min=eps)
    return result if out is None else out.copy_(result)


@function
def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """x1 . x2 / (max(|x1|, eps) max(|x2|, eps)) along `dim`; x1 and x2 broadcast."""
    dtype = _core.promote_types(x1.dtype, x2.dtype)
    if not dtype.is_floating_point:
        raise TypeError(f"[cosine_similarity] expected floating tensors, got {x1.dtype} and {x2.dtype}")
    n = max(x1.dim(), x2.dim())
    x1, x2 = (x.to(dtype).reshape([1] * (n - x.dim()) + list(x.shape)) for x in (x1, x2))
    if n and x1.shape[dim] != x2.shape[dim]:  # a size of 1 stretches, and with it the length
        size = max(x1.shape[dim], x2.shape[dim])
        x1, x2 = (x.expand([size if i == dim % n else k for i, k in enumerate(x.shape)]) for x in (x1, x2))
    return (normalize(x1, 2, dim, eps) * normalize(x2, 2, dim, eps)).sum(dim)


@function
def pairwise_distance(x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> Tensor:
    """|x1 - x2 + eps|_p along the last dimension; x1 and x2 broadcast."""
    return _core.norm(x1 - x2 + eps, p, -1, keepdim)


@function
def bilinear(input1: Tensor, input2: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """y[k] = x1 W[k] x2 + b[k]. x1: (*, in1), x2: (*, in2), weight: (out, in1, in2), bias: (out,); y: (*, out)."""
    if weight.dim() != 3 or input1.shape[:-1] != input2.shape[:-1]:
        raise RuntimeError(
            "[bilinear] expected inputs that differ in the last dimension alone and a weight of 3 dimensions, got "
            f"shapes {tuple(input1.shape)}, {tuple(input2.shape)} and {tuple(weight.shape)}"
        )
    out, in1, in2 = weight.shape
    if input1.shape[-1] != in1 or input2.shape[-1] != in2:
        raise RuntimeError(
            f"[bilinear] expected inputs of {in1} and {in2} features, got {input1.shape[-1]} and {input2.shape[-1]}"
        )
    x1, x2 = input1.reshape(-1, in1, 1), input2.reshape(-1, 1, in2)
    y = _core.linear((x1 * x2).flatten(1), weight.reshape(out, in1 * in2), bias)
    return y.reshape(*input1.shape[:-1], out)
