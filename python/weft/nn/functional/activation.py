"""Activations that take `inplace`, or are compositions."""

from __future__ import annotations

from typing import Any

from weft import _core
from weft._core import Tensor


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """max(x, 0)"""
    return _core.relu(input, inplace)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x, 0), 6)"""
    return _core.relu6(input, inplace)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """Self-normalising ELU (Klambauer et al., 2017)."""
    return _core.selu(input, inplace)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """x * sigmoid(x)"""
    return _core.silu(input, inplace)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * tanh(softplus(x))"""
    return _core.mish(input, inplace)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """min(max(x + 3, 0), 6) / 6"""
    return _core.hardsigmoid(input, inplace)


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """x * hardsigmoid(x)"""
    return _core.hardswish(input, inplace)


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
