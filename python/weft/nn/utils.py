"""Gradient clipping, and parameters as one vector."""

from __future__ import annotations

import math
from collections.abc import Iterable

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad


def _grads(parameters: Tensor | Iterable[Tensor]) -> list[Tensor]:
    parameters = [parameters] if isinstance(parameters, Tensor) else parameters
    return [p.grad for p in parameters if p.grad is not None]


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, norm_type: float = 2.0, error_if_nonfinite: bool = False
) -> Tensor:
    """Scales all gradients together so that their norm is at most max_norm. Returns the norm they had."""
    grads = _grads(parameters)
    norm_type = float(norm_type)
    if not grads:
        return _core.tensor(0.0)
    with no_grad():
        if norm_type == 2.0 and all(g.dtype == grads[0].dtype and g.device == grads[0].device for g in grads):
            total = _core.grad_norm(grads)
        elif norm_type == math.inf:
            total = _core.stack([g.abs().max().float() for g in grads]).max()
        else:
            total = sum((g.float().abs() ** norm_type).sum() for g in grads) ** (1.0 / norm_type)
        if error_if_nonfinite and not math.isfinite(float(total)):
            raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` is non-finite")
        scale = float(max_norm) / (total + 1e-6)
        for g in _by_dtype(grads):
            _core.scale_(g, scale.clamp(max=1.0))
    return total


def _by_dtype(tensors: list[Tensor]) -> Iterable[list[Tensor]]:
    lists: dict = {}
    for t in tensors:
        lists.setdefault((t.dtype, t.device), []).append(t)
    return lists.values()


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float) -> None:
    """Keeps every gradient element between -clip_value and clip_value."""
    with no_grad():
        for g in _grads(parameters):
            g.clamp_(-float(clip_value), float(clip_value))


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters flattened and joined."""
    return _core.cat([p.reshape(-1) for p in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Copies a vector back into the parameters."""
    parameters = list(parameters)
    total = sum(p.numel() for p in parameters)
    if vec.dim() != 1 or vec.numel() != total:
        raise ValueError(f"[vector_to_parameters] expected a vector of {total} elements, got {tuple(vec.shape)}")
    start = 0
    with no_grad():
        for p in parameters:
            p.copy_(vec[start : start + p.numel()].reshape(p.shape))
            start += p.numel()
