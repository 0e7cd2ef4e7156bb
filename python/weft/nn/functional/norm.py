"""Norms of single images and over neighbouring channels, as formulas of the core's."""

from __future__ import annotations

import math

from weft import _core
from weft._core import Tensor
from weft.nn.functional.padding import pad
from weft.operations._register import checked


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
    channels = input.shape[1]
    if not use_input_stats:
        if running_mean is None or running_var is None:
            raise ValueError("[instance_norm] expected running_mean and running_var when use_input_stats is False")
        return _core.batch_norm(input, running_mean, running_var, weight, bias, False, momentum, eps)
    if math.prod(input.shape[2:]) == 1:
        raise ValueError(f"[instance_norm] expected more than 1 spatial element, got shape {tuple(input.shape)}")
    if input.numel() == 0 or (running_mean is None and running_var is None):
        return _core.group_norm(input, channels, weight, bias, eps)
    y, mean, variance = _core._group_norm_statistics(input, channels, weight, bias, eps)
    count = math.prod(input.shape[2:])
    for running, now in ((running_mean, mean.mean(0)), (running_var, variance.mean(0) * (count / (count - 1)))):
        if running is not None:
            running.copy_(running + momentum * (now - running))
    return y


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
