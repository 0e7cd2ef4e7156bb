"""Max, average, power-average and fractional pooling over one to three dimensions, and the way back from max."""

from __future__ import annotations

from typing import Any

from weft._core import Tensor
from weft.nn import functional as F
from weft.nn.module import Module

Size = int | tuple[int, ...]


class _MaxPool(Module):
    _function = ""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Any:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            ceil_mode=self.ceil_mode,
            return_indices=self.return_indices,
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPool):
    """(N, C, L) -> (N, C, L'): the largest value of each window."""

    _function = "max_pool1d"


class MaxPool2d(_MaxPool):
    """(N, C, H, W) -> (N, C, H', W'): the largest value of each window."""

    _function = "max_pool2d"


class MaxPool3d(_MaxPool):
    """(N, C, D, H, W) -> (N, C, D', H', W'): the largest value of each window."""

    _function = "max_pool3d"


class AvgPool1d(Module):
    """(N, C, L) -> (N, C, L'): the mean of each window."""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _one(kernel_size)
        self.stride = _one(kernel_size if stride is None else stride)
        self.padding = _one(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        return F.avg_pool1d(input, self.kernel_size, self.stride, self.padding, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


def _one(value: Size, n: int = 1) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple | list) else (value,) * n


class _AvgPool(Module):
    _function = ""

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        return getattr(F, self._function)(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPool):
    """(N, C, H, W) -> (N, C, H', W'): the mean of each window, or its sum over `divisor_override`."""

    _function = "avg_pool2d"


class AvgPool3d(_AvgPool):
    """(N, C, D, H, W) -> (N, C, D', H', W'): the mean of each window, or its sum over `divisor_override`."""

    _function = "avg_pool3d"


class _MaxUnpool(Module):
    _dims = 0

    def __init__(self, kernel_size: Size, stride: Size | None = None, padding: Size = 0) -> None:
        super().__init__()
        self.kernel_size = _one(kernel_size, self._dims)
        self.stride = self.kernel_size if stride is None else _one(stride, self._dims)
        self.padding = _one(padding, self._dims)

    def forward(self, input: Tensor, indices: Tensor, output_size: tuple[int, ...] | None = None) -> Tensor:
        unpool = getattr(F, f"max_unpool{self._dims}d")
        return unpool(input, indices, self.kernel_size, self.stride, self.padding, output_size)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpool):
    """(N, C, L) and the indices of MaxPool1d -> (N, C, L'): zeros except where the maxima were."""

    _dims = 1


class MaxUnpool2d(_MaxUnpool):
    """(N, C, H, W) and the indices of MaxPool2d -> (N, C, H', W'): zeros except where the maxima were."""

    _dims = 2


class MaxUnpool3d(_MaxUnpool):
    """(N, C, D, H, W) and the indices of MaxPool3d -> (N, C, D', H', W'): zeros except where the maxima were."""

    _dims = 3


class _LPPool(Module):
    _function = ""

    def __init__(
        self, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        pool = getattr(F, self._function)
        return pool(input, float(self.norm_type), self.kernel_size, self.stride, self.ceil_mode)

    def extra_repr(self) -> str:
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPool):
    """(N, C, L) -> (N, C, L'): (sum of x^norm_type)^(1 / norm_type) of each window."""

    _function = "lp_pool1d"


class LPPool2d(_LPPool):
    """(N, C, H, W) -> (N, C, H', W'): (sum of x^norm_type)^(1 / norm_type) of each window."""

    _function = "lp_pool2d"


class LPPool3d(_LPPool):
    """(N, C, D, H, W) -> (N, C, D', H', W'): (sum of x^norm_type)^(1 / norm_type) of each window."""

    _function = "lp_pool3d"


class _FractionalMaxPool(Module):
    _dims = 0

    def __init__(
        self,
        kernel_size: Size,
        output_size: Size | None = None,
        output_ratio: float | tuple[float, ...] | None = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        if (output_size is None) == (output_ratio is None):
            raise ValueError(f"[{type(self).__name__}] expected either output_size or output_ratio")
        self.kernel_size = _one(kernel_size, self._dims)
        self.output_size = None if output_size is None else _one(output_size, self._dims)
        self.output_ratio = None if output_ratio is None else _one(output_ratio, self._dims)
        if self.output_ratio is not None and not all(0 < ratio < 1 for ratio in self.output_ratio):
            raise ValueError(f"[{type(self).__name__}] expected output_ratio between 0 and 1, got {output_ratio}")
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)

    def forward(self, input: Tensor) -> Any:
        pool = getattr(F, f"fractional_max_pool{self._dims}d")
        return pool(
            input, self.kernel_size, self.output_size, self.output_ratio, self.return_indices, self._random_samples
        )


class FractionalMaxPool2d(_FractionalMaxPool):
    """(N, C, H, W) -> (N, C, *output_size): the largest values of windows at random distances (Graham, 2014)."""

    _dims = 2


class FractionalMaxPool3d(_FractionalMaxPool):
    """(N, C, D, H, W) -> (N, C, *output_size): the largest values of windows at random distances."""

    _dims = 3
