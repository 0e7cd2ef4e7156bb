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


def _elements(t: Tensor) -> Tensor:
    """Those that can be other than zero."""
    return t.values() if t.is_sparse else t


def get_total_norm(
    tensors: Tensor | Iterable[Tensor],
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """The norm of all tensors together, as if they were one vector: float32, the second norm summed in float64.

    error_if_nonfinite: RuntimeError where it is nan or infinite. There is one implementation, whatever foreach says.
    """
    tensors = [_elements(t) for t in ([tensors] if isinstance(tensors, Tensor) else tensors)]
    norm_type = float(norm_type)
    if not tensors:
        return _core.tensor(0.0)
    with no_grad():
        if norm_type == 2.0:
            total = _core._clip_scale(tensors)[0]
        elif norm_type == math.inf:
            total = _core.stack([t.abs().max().float() for t in tensors if t.numel()] or [_core.tensor(0.0)]).max()
        else:
            total = sum((t.float().abs() ** norm_type).sum() for t in tensors) ** (1.0 / norm_type)
    if error_if_nonfinite and not math.isfinite(float(total)):
        raise RuntimeError(f"The total norm of order {norm_type} for gradients from `parameters` is non-finite")
    return total


def clip_grads_with_norm_(
    parameters: Tensor | Iterable[Tensor], max_norm: float, total_norm: Tensor, foreach: bool | None = None
) -> None:
    """Multiplies all gradients by min(1, max_norm / (total_norm + 1e-6))."""
    with no_grad():
        _core._scale_(_grads(parameters), (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0).float())


def clip_grad_norm_(
    parameters: Tensor | Iterable[Tensor],
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach: bool | None = None,
) -> Tensor:
    """Scales all gradients together so that their norm is at most max_norm. Returns the norm they had.

    An optimizer does it on the fly, without writing the gradients: optimizer.step(max_norm=…).
    """
    parameters = [parameters] if isinstance(parameters, Tensor) else list(parameters)
    total = get_total_norm(_grads(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total)
    return total


def clip_grad_value_(parameters: Tensor | Iterable[Tensor], clip_value: float, foreach: bool | None = None) -> None:
    """Keeps every gradient element between -clip_value and clip_value."""
    with no_grad():
        for g in _grads(parameters):
            _elements(g).clamp_(-float(clip_value), float(clip_value))


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
