"""Windows of images as columns, and back."""

from __future__ import annotations

from weft import _core
from weft._core import Tensor

Size = int | tuple[int, ...]


def unfold(input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """The windows of (N, C, H, W) or (C, H, W) as columns: (N, C * kh * kw, windows)."""
    return _core.im2col(input, kernel_size, dilation, padding, stride)


def fold(
    input: Tensor, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> Tensor:
    """Columns (N, C * kh * kw, windows) or (C * kh * kw, windows) summed into images (N, C, *output_size)."""
    return _core.col2im(input, output_size, kernel_size, dilation, padding, stride)
