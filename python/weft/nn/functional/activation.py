"""Activations that take `inplace`, or are compositions."""

from __future__ import annotations

from typing import Any

from weft import _core
from weft._core import Tensor


def _in_place(input: Tensor, result: Tensor, inplace: bool) -> Tensor:
    return input.copy_(result) if inplace else result


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
