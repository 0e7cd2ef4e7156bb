"""Normalisation per channel, over the batch or over each item."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from weft import _core
from weft._core import Tensor, empty, int64, ones, tensor, zeros
from weft.nn import functional as F
from weft.nn import init
from weft.nn.activation import ReLU
from weft.nn.module import Module
from weft.nn.parameter import Parameter


class _ChannelNorm(Module):
    """Weight and bias of each channel, and running statistics."""

    _ndims: tuple[int, ...] = ()
    _name = ""

    def __init__(
        self,
        num_features: int,
        eps: float,
        momentum: float | None,
        affine: bool,
        track_running_stats: bool,
        device: Any,
        dtype: Any,
        bias: bool,
    ) -> None:
        super().__init__()
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum
        self.affine = affine
        self.track_running_stats = track_running_stats
        self.weight = Parameter(empty(num_features, device=device, dtype=dtype)) if affine else None
        self.bias = Parameter(empty(num_features, device=device, dtype=dtype)) if affine and bias else None
        stats = track_running_stats
        self.register_buffer("running_mean", zeros(num_features, device=device, dtype=dtype) if stats else None)
        self.register_buffer("running_var", ones(num_features, device=device, dtype=dtype) if stats else None)
        self.register_buffer("num_batches_tracked", tensor(0, dtype=int64, device=device) if stats else None)
        self.reset_parameters()

    def reset_running_stats(self) -> None:
        if self.track_running_stats:
            self.running_mean.zero_()
            self.running_var.fill_(1)
            self.num_batches_tracked.zero_()

    def reset_parameters(self) -> None:
        self.reset_running_stats()
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def _check_dims(self, input: Tensor) -> None:
        if input.dim() not in self._ndims:
            expected = " or ".join(f"{n}D" for n in self._ndims)
            raise ValueError(f"[{self._name}] expected {expected} input, got {input.dim()}D input")

    def extra_repr(self) -> str:
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, affine={self.affine}, "
            f"bias={self.bias is not None}, track_running_stats={self.track_running_stats}"
        )


class _BatchNorm(_ChannelNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel.

    In training the statistics are the batch's, and the running ones move by `momentum` (None: cumulative average);
    in evaluation, and under `freeze()`, they are the running ones.
    """

    _name = "batch_norm"

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        return self._normalised(F.batch_norm, input)

    def _fused_with(self, following: Module) -> Callable[[Tensor], Tensor] | None:
        if type(following) is ReLU and type(self).forward is _BatchNorm.forward:
            return partial(self._normalised, _core._batch_norm_relu)
        return None

    def _normalised(self, norm: Callable[..., Tensor], input: Tensor) -> Tensor:
        self._check_dims(input)
        momentum = 0.0 if self.momentum is None else self.momentum
        if self.training and self.track_running_stats:
            self.num_batches_tracked.add_(1)
            if self.momentum is None:
                momentum = 1.0 / float(self.num_batches_tracked)
        return norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or self.running_mean is None,
            momentum,
            self.eps,
        )


class BatchNorm1d(_BatchNorm):
    """Batch normalisation of (N, C) or (N, C, L)."""

    _ndims = (2, 3)


class BatchNorm2d(_BatchNorm):
    """Batch normalisation of (N, C, H, W)."""

    _ndims = (4,)


class BatchNorm3d(_BatchNorm):
    """Batch normalisation of (N, C, D, H, W)."""

    _ndims = (5,)


class _InstanceNorm(_ChannelNorm):
    """y = (x - mean) / sqrt(var + eps) * weight + bias, per channel of each item; without weight and bias by default.

    With track_running_stats evaluation uses the running statistics, which training moves by `momentum`.
    """

    _name = "instance_norm"

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__(num_features, eps, momentum, affine, track_running_stats, device, dtype, bias)

    def forward(self, input: Tensor) -> Tensor:
        self._check_dims(input)
        batched = input.dim() == self._ndims[1]
        channels = input.shape[1 if batched else 0]
        if self.affine and channels != self.num_features:
            raise ValueError(f"[instance_norm] expected {self.num_features} channels, got {channels}")
        y = F.instance_norm(
            input if batched else input.unsqueeze(0),
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training or not self.track_running_stats,
            0.0 if self.momentum is None else self.momentum,
            self.eps,
        )
        return y if batched else y.squeeze(0)


class InstanceNorm1d(_InstanceNorm):
    """Instance normalisation of (N, C, L) or (C, L)."""

    _ndims = (2, 3)


class InstanceNorm2d(_InstanceNorm):
    """Instance normalisation of (N, C, H, W) or (C, H, W)."""

    _ndims = (3, 4)


class InstanceNorm3d(_InstanceNorm):
    """Instance normalisation of (N, C, D, H, W) or (C, D, H, W)."""

    _ndims = (4, 5)
