"""Norms over groups of channels, single images and neighbouring channels, as formulas of the fused norms."""

from __future__ import annotations

import math

from weft import _core
from weft._core import Tensor
from weft.nn.functional.padding import pad
from weft.operations._register import checked


def _affine(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """x * weight + bias, per channel (dimension 1)."""
    column = (-1, *(1,) * (x.dim() - 2))
    if weight is not None and bias is not None:
        return _core.addcmul(bias.reshape(column), x, weight.reshape(column))
    if weight is not None:
        return x * weight.reshape(column)
    return x if bias is None else x + bias.reshape(column)


def group_norm(
    input: Tensor, num_groups: int, weight: Tensor | None = None, bias: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Mean 0 and variance 1 for each of `num_groups` groups of channels of (N, C, *), then weight and bias (C,)."""
    if input.dim() < 2:
        raise ValueError(f"[group_norm] expected at least 2 dimensions, got shape {tuple(input.shape)}")
    n, channels = input.shape[:2]
    if num_groups <= 0 or channels % num_groups:
        raise ValueError(f"[group_norm] expected channels divisible by num_groups, got {channels} and {num_groups}")
    for t in (weight, bias):
        if t is not None and tuple(t.shape) != (channels,):
            raise ValueError(f"[group_norm] expected weight and bias of shape {(channels,)}, got {tuple(t.shape)}")
    length = channels // num_groups * math.prod(input.shape[2:])
    x = _core.layer_norm(input.reshape(n, num_groups, length), (length,), eps=eps).reshape(input.shape)
    return _affine(x, weight, bias).to(input.dtype)


@checked
def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Mean 0 and variance 1 for each channel of each item of (N, C, *), then weight and bias (C,).

    The statistics are the input's, which also move the running ones, or, without use_input_stats, the running ones.
    """
    if input.dim() < 2:
        raise ValueError(f"[instance_norm] expected at least 2 dimensions, got shape {tuple(input.shape)}")
    n, channels = input.shape[:2]
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ValueError("[instance_norm] expected running_mean and running_var when use_input_stats is False")
        return _core.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(input.shape[2:]) == 1:
        raise ValueError(f"[instance_norm] expected more than 1 spatial element, got shape {tuple(input.shape)}")
    if input.numel() == 0:
        return _affine(input, weight, bias)
    running = [_repeated(t, n) for t in (running_mean, running_var)]
    weights = [_repeated(t, n) for t in (weight, bias)]
    rows = input.reshape(1, n * channels, *input.shape[2:])
    y = _core.batch_norm(rows, *running, *weights, True, momentum, eps).reshape(input.shape)
    for kept, moved in zip((running_mean, running_var), running, strict=True):
        if kept is not None:
            kept.copy_(moved.reshape(n, channels).mean(0))
    return y


def _repeated(x: Tensor | None, n: int) -> Tensor | None:
    return None if x is None else x.unsqueeze(0).expand(n, x.shape[0]).reshape(-1)


def local_response_norm(input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Tensor:
    """x / (k + alpha * mean(x^2))^beta, where the mean is over `size` neighbouring channels, zeros beyond the ends."""
    if input.dim() < 3:
        raise ValueError(f"[local_response_norm] expected at least 3 dimensions, got shape {tuple(input.shape)}")
    if input.numel() == 0:
        return input
    n, channels = input.shape[:2]
    squares = (input * input).reshape(n, 1, channels, -1)
    mean = _core.avg_pool2d(pad(squares, (0, 0, size // 2, (size - 1) // 2)), (size, 1), 1)
    return input / (mean.reshape(input.shape) * alpha + k) ** beta
