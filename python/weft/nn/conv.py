"""Convolutions and transposed convolutions of signals (N, C, L), images (N, C, H, W) and volumes (N, C, D, H, W)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

from weft import _core
from weft._core import Tensor, empty
from weft.nn import functional as F
from weft.nn import init
from weft.nn.activation import ReLU
from weft.nn.module import Module
from weft.nn.parameter import Parameter

Size = int | tuple[int, ...]


def _tuple(value: Size, n: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * n


class _Conv(Module):
    """weight and bias are U(-k, k) with k = 1/sqrt(in_channels / groups * kernel elements)."""

    _dims = 2
    _transposed = False

    def _setup(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size | str,
        output_padding: Size,
        groups: int,
        bias: bool,
        dilation: Size,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups != 0:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups != 0:
            raise ValueError("out_channels must be divisible by groups")
        if isinstance(padding, str) and padding not in ("same", "valid"):
            raise ValueError(f"Invalid padding string {padding!r}, should be one of 'same', 'valid'")
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(f"padding_mode must be zeros, reflect, replicate or circular, got {padding_mode!r}")
        n = self._dims
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _tuple(kernel_size, n)
        self.stride = _tuple(stride, n)
        self.padding = padding if isinstance(padding, str) else _tuple(padding, n)
        self.dilation = _tuple(dilation, n)
        self.output_padding = _tuple(output_padding, n)
        self.groups = groups
        self.padding_mode = padding_mode
        if padding == "same" and any(s != 1 for s in self.stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
        first, second = (in_channels, out_channels) if self._transposed else (out_channels, in_channels)
        self.weight = Parameter(empty(first, second // groups, *self.kernel_size, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_channels, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._fans(self.weight)
            if fan_in:
                init.uniform_(self.bias, -1 / math.sqrt(fan_in), 1 / math.sqrt(fan_in))

    def _edges(self) -> list[int]:
        """What F.pad needs for a padding mode other than zeros: (before, after) from the last axis on."""
        edges = []
        for i in reversed(range(self._dims)):
            if self.padding == "same":
                total = self.dilation[i] * (self.kernel_size[i] - 1)
                edges += [total // 2, total - total // 2]
            else:
                edges += [0, 0] if self.padding == "valid" else [self.padding[i]] * 2
        return edges

    def extra_repr(self) -> str:
        n = self._dims
        parts = [f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"]
        if self.padding != (0,) * n:
            parts.append(f"padding={self.padding}")
        if self.dilation != (1,) * n:
            parts.append(f"dilation={self.dilation}")
        if self.output_padding != (0,) * n:
            parts.append(f"output_padding={self.output_padding}")
        if self.groups != 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.padding_mode != "zeros":
            parts.append(f"padding_mode={self.padding_mode}")
        return ", ".join(parts)


class _ConvNd(_Conv):
    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._setup(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            0,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        return self._convolved(getattr(F, f"conv{self._dims}d"), input)

    def _fused_with(self, following: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor] | None:
        if type(following) is ReLU and type(self).forward is _ConvNd.forward:
            return partial(self._convolved, getattr(_core, f"_conv{self._dims}d_relu"))
        return None

    def _convolved(self, conv: Callable[..., Tensor], input: Tensor) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input, padding = F.pad(input, self._edges(), mode=self.padding_mode), 0
        return conv(input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_ConvNd):
    """(N, C, L) -> (N, out_channels, L'). weight: (out_channels, in_channels / groups, k)."""

    _dims = 1


class Conv2d(_ConvNd):
    """(N, C, H, W) -> (N, out_channels, H', W'). weight: (out_channels, in_channels / groups, kh, kw)."""


class Conv3d(_ConvNd):
    """(N, C, D, H, W) -> (N, out_channels, D', H', W'). weight: (out_channels, in_channels / groups, kd, kh, kw)."""

    _dims = 3


class _ConvTranspose(_Conv):
    _transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        self._setup(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            bias,
            dilation,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: list[int] | None = None) -> Tensor:
        output_padding = self.output_padding if output_size is None else self._output_padding(input, output_size)
        conv = getattr(F, f"conv_transpose{self._dims}d")
        return conv(
            input, self.weight, self.bias, self.stride, self.padding, output_padding, self.groups, self.dilation
        )

    def _output_padding(self, input: Tensor, output_size: list[int]) -> tuple[int, ...]:
        """What must be added to the smallest output to reach `output_size`: less than one stride."""
        wanted = tuple(output_size)[-self._dims :]
        sizes = tuple(input.shape)[-self._dims :]
        result = []
        for i, (want, size) in enumerate(zip(wanted, sizes, strict=True)):
            least = (size - 1) * self.stride[i] - 2 * self.padding[i] + self.dilation[i] * (self.kernel_size[i] - 1) + 1
            if not 0 <= want - least < self.stride[i]:
                raise ValueError(
                    f"[conv_transpose{self._dims}d] output size {list(wanted)}: dimension {i} must be from {least} to "
                    f"{least + self.stride[i] - 1} for input {list(sizes)}"
                )
            result.append(want - least)
        return tuple(result)


class ConvTranspose1d(_ConvTranspose):
    """(N, C, L) -> (N, out_channels, L'): the gradient of Conv1d by its input.

    weight: (in_channels, out_channels / groups, k).
    """

    _dims = 1


class ConvTranspose2d(_ConvTranspose):
    """(N, C, H, W) -> (N, out_channels, H', W'): the gradient of Conv2d by its input.

    weight: (in_channels, out_channels / groups, kh, kw).
    """


class ConvTranspose3d(_ConvTranspose):
    """(N, C, D, H, W) -> (N, out_channels, D', H', W'): the gradient of Conv3d by its input.

    weight: (in_channels, out_channels / groups, kd, kh, kw).
    """

    _dims = 3
