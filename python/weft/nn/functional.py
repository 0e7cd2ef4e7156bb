"""Operations on tensors without state: those of the core under PyTorch's names, and short compositions of them."""

from __future__ import annotations

import math
from typing import Any

from weft import _core
from weft._core import (
    Tensor,
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cross_entropy,
    dropout,
    embedding,
    gelu,
    huber_loss,
    kl_div,
    l1_loss,
    layer_norm,
    linear,
    logsigmoid,
    max_pool1d,
    max_pool2d,
    mse_loss,
    nll_loss,
    one_hot,
    scaled_dot_product_attention,
    sigmoid,
    smooth_l1_loss,
    softplus,
    tanh,
)


def _in_place(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return input.copy_(result) if inplace else result


# Activations


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return input.relu_() if inplace else _core.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return _in_place(input, _core.relu6(input), inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Self-normalising ELU (Klambauer et al., 2017)."""
    return _in_place(input, _core.selu(input), inplace)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)"""
    return _in_place(input, _core.silu(input), inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))"""
    return _in_place(input, _core.mish(input), inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6"""
    return _in_place(input, _core.hardsigmoid(input), inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x)"""
    return _in_place(input, _core.hardswish(input), inplace)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """x where positive, else negative_slope * x."""
    return _in_place(input, _core.leaky_relu(input, negative_slope), inplace)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """x where positive, else alpha * (exp(x) - 1)."""
    return _in_place(input, _core.elu(input, alpha), inplace)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))"""
    return _in_place(input, _core.elu(input / alpha) * alpha, inplace)


def hardtanh(input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> Tensor:
    """x kept between min_val and max_val."""
    return _in_place(input, _core.hardtanh(input, min_val, max_val), inplace)


def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """x where positive, else weight * x; one weight, or one per channel (dimension 1)."""
    n = weight.numel()
    channels = input.shape[1] if input.dim() > 1 else 1
    if weight.dim() != 1 or n not in (1, channels):
        raise ValueError(f"[prelu] expected 1 or {channels} weights, got shape {tuple(weight.shape)}")
    if n > 1:
        weight = weight.reshape(n, *[1] * (input.dim() - 2))
    return _core.where(input > 0, input, weight * input)


def softsign(input: Tensor) -> Tensor:
    """x / (1 + |x|)"""
    return input / (input.abs() + 1)


def tanhshrink(input: Tensor) -> Tensor:
    """x - tanh(x)"""
    return input - input.tanh()


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """a * sigmoid(b), where a and b are the halves of x along `dim`."""
    if input.shape[dim] % 2:
        raise ValueError(f"[glu] expected an even size in dimension {dim}, got {input.shape[dim]}")
    a, b = input.chunk(2, dim)
    return a * b.sigmoid()


def _dim_needed(name: str, dim: int | None) -> int:
    if dim is None:
        raise ValueError(f"[{name}] expected dim, got None")
    return dim


def softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`, which must be given."""
    return _core.softmax(input, _dim_needed("softmax", dim), dtype)


def log_softmax(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """log(softmax(x)) along `dim`, which must be given."""
    return _core.log_softmax(input, _dim_needed("log_softmax", dim), dtype)


def softmin(input: Tensor, dim: int | None = None, dtype: Any = None) -> Tensor:
    """softmax(-x) along `dim`, which must be given."""
    return softmax(-input, dim, dtype)


# Shapes and distances


def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """Adds (before, after) elements per axis, given from the last axis on; negative counts cut.

    mode: "constant" (with `value`, 0 by default), "reflect", "replicate" or "circular".
    """
    pad = tuple(pad)
    if len(pad) % 2 or len(pad) > 2 * input.dim():
        raise ValueError(f"[pad] expected two numbers for each of up to {input.dim()} axes, got {pad}")
    if mode != "constant" and value:
        raise ValueError(f"[pad] mode {mode!r} takes no value")
    for i in range(0, len(pad), 2):
        axis = input.dim() - 1 - i // 2
        if pad[i] or pad[i + 1]:
            input = _pad_axis(input, axis, pad[i], pad[i + 1], mode, value or 0.0)
    return input


def _pad_axis(x: Tensor, axis: int, before: int, after: int, mode: str, value: float) -> Tensor:
    n = x.shape[axis]
    if before < 0 or after < 0:
        if n + min(before, 0) + min(after, 0) < 0:
            raise ValueError(f"[pad] cannot cut {-before} and {-after} from size {n}")
        x = x.narrow(axis, max(-before, 0), n + min(before, 0) + min(after, 0))
        before, after, n = max(before, 0), max(after, 0), x.shape[axis]
    if mode == "constant":
        edges = []
        for count in (before, after):
            shape = list(x.shape)
            shape[axis] = count
            edges.append(_core.full(shape, value, dtype=x.dtype, device=x.device))
        return _core.cat([edges[0], x, edges[1]], axis)
    limits = {"reflect": n - 1, "replicate": math.inf if n else -1, "circular": n}
    if mode not in limits:
        raise ValueError(f"[pad] mode is 'constant', 'reflect', 'replicate' or 'circular', got {mode!r}")
    if max(before, after) > limits[mode]:
        raise ValueError(f"[pad] {mode} padding by {(before, after)} does not fit size {n}")
    where = [_source(i, n, mode) for i in range(-before, n + after)]
    return x.index_select(axis, _core.tensor(where, device=x.device))


def _source(i: int, n: int, mode: str) -> int:
    if mode == "circular":
        return i % n
    if mode == "replicate":
        return min(max(i, 0), n - 1)
    return -i if i < 0 else 2 * (n - 1) - i if i >= n else i


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


__all__ = [
    "adaptive_avg_pool1d",
    "adaptive_avg_pool2d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "avg_pool1d",
    "avg_pool2d",
    "batch_norm",
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "celu",
    "conv1d",
    "conv2d",
    "conv_transpose1d",
    "conv_transpose2d",
    "cosine_similarity",
    "cross_entropy",
    "dropout",
    "elu",
    "embedding",
    "gelu",
    "glu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "huber_loss",
    "kl_div",
    "l1_loss",
    "layer_norm",
    "leaky_relu",
    "linear",
    "log_softmax",
    "logsigmoid",
    "max_pool1d",
    "max_pool2d",
    "mish",
    "mse_loss",
    "nll_loss",
    "normalize",
    "one_hot",
    "pad",
    "prelu",
    "relu",
    "relu6",
    "scaled_dot_product_attention",
    "selu",
    "sigmoid",
    "silu",
    "smooth_l1_loss",
    "softmax",
    "softmin",
    "softplus",
    "softsign",
    "tanh",
    "tanhshrink",
]
