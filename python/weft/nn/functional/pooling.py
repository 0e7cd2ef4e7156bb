"""Pools that are formulas of the core's, and max pools that always return where the maxima are.

Where a name ends in 1d, 2d or 3d the input is (N, C, *spatial) or (C, *spatial) with so many spatial dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._register import in_float32

Size = int | tuple[int, ...]


def per_axis(name: str, what: str, value: Any, n: int) -> tuple:
    """A number for each of n axes."""
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * n
    if len(values) == 1:
        values *= n
    if len(values) != n:
        raise ValueError(f"[{name}] expected {what} to be one number or {n}, got {values}")
    return values


def _max_pool_with_indices(pool: Callable) -> Callable:
    def with_indices(
        input: Tensor,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> tuple[Tensor, Tensor]:
        return pool(input, kernel_size, stride, padding, dilation, ceil_mode, True)

    return _named(with_indices, pool)


def _adaptive_max_pool_with_indices(pool: Callable) -> Callable:
    def with_indices(input: Tensor, output_size: Any, return_indices: bool = False) -> tuple[Tensor, Tensor]:
        return pool(input, output_size, True)

    return _named(with_indices, pool)


def _named(with_indices: Callable, pool: Callable) -> Callable:
    with_indices.__name__ = with_indices.__qualname__ = f"{pool.__name__}_with_indices"
    with_indices.__doc__ = f"{pool.__name__}() with return_indices=True."
    return with_indices


max_pool1d_with_indices = _max_pool_with_indices(_core.max_pool1d)
max_pool2d_with_indices = _max_pool_with_indices(_core.max_pool2d)
max_pool3d_with_indices = _max_pool_with_indices(_core.max_pool3d)
adaptive_max_pool1d_with_indices = _adaptive_max_pool_with_indices(_core.adaptive_max_pool1d)
adaptive_max_pool2d_with_indices = _adaptive_max_pool_with_indices(_core.adaptive_max_pool2d)
adaptive_max_pool3d_with_indices = _adaptive_max_pool_with_indices(_core.adaptive_max_pool3d)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: int, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x^norm_type)^(1 / norm_type) over windows of (N, C, L) or (C, L)."""
    return _lp_pool(_core.avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x^norm_type)^(1 / norm_type) over windows of (N, C, H, W) or (C, H, W)."""
    return _lp_pool(_core.avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """(sum of x^norm_type)^(1 / norm_type) over windows of (N, C, D, H, W) or (C, D, H, W)."""
    return _lp_pool(_core.avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


def _lp_pool(average, n, input, norm_type, kernel_size, stride, ceil_mode):
    """Negative sums, of odd powers, count as 0's sign times their size, as in PyTorch."""
    if norm_type == 0:
        raise ValueError("[lp_pool] expected a norm_type other than 0")
    window = math.prod(per_axis("lp_pool", "kernel_size", kernel_size, n))
    mean = average(input**norm_type, kernel_size, stride, 0, ceil_mode)
    return ((mean.sign() * mean.abs().relu()) * window) ** (1 / norm_type)


def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: tuple[int, ...] | None = None,
) -> Tensor:
    """Values put back where max_pool1d() with return_indices found them, zeros elsewhere.

    output_size: the size before the pool, where kernel, stride and padding leave it open.
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: tuple[int, ...] | None = None,
) -> Tensor:
    """Values put back where max_pool2d() with return_indices found them; see max_unpool1d()."""
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    output_size: tuple[int, ...] | None = None,
) -> Tensor:
    """Values put back where max_pool3d() with return_indices found them; see max_unpool1d()."""
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


def _max_unpool(n, input, indices, kernel_size, stride, padding, output_size):
    name = f"max_unpool{n}d"
    kernel = per_axis(name, "kernel_size", kernel_size, n)
    strides = per_axis(name, "stride", kernel if stride is None else stride, n)
    pad = per_axis(name, "padding", padding, n)
    if input.dim() not in (n + 1, n + 2) or 0 in input.shape[1:]:
        raise ValueError(
            f"[{name}] expected an input of {n + 1} or {n + 2} dimensions without an empty one behind the batch, "
            f"got shape {tuple(input.shape)}"
        )
    if indices.dtype != _core.int64 or indices.shape != input.shape:
        raise ValueError(
            f"[{name}] expected int64 indices of shape {tuple(input.shape)}, got {indices.dtype} of shape "
            f"{tuple(indices.shape)}"
        )
    if min(strides) <= 0:
        raise ValueError(f"[{name}] expected a stride above 0, got {strides}")
    size = _unpooled_size(name, n, input, kernel, strides, pad, output_size)
    lead = tuple(input.shape[:-n])
    canvas = _core.zeros(*lead, math.prod(size), dtype=input.dtype, device=input.device)
    if canvas.numel() == 0:
        return canvas.reshape(*lead, *size)
    return canvas.scatter(-1, indices.flatten(-n), input.flatten(-n)).reshape(*lead, *size)


def _unpooled_size(name, n, input, kernel, stride, padding, output_size):
    least = [(input.shape[i - n] - 1) * stride[i] - 2 * padding[i] + kernel[i] for i in range(n)]
    if output_size is None:
        size = tuple(least)
    else:
        size = tuple(output_size)[-n:]
        if len(output_size) not in (n, n + 2) or any(abs(size[i] - least[i]) >= stride[i] for i in range(n)):
            raise ValueError(
                f"[{name}] expected an output_size within one stride of {tuple(least)}, got {tuple(output_size)}"
            )
    if min(size) <= 0:
        raise ValueError(f"[{name}] the output would have shape {size}")
    return size


@in_float32
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | tuple[float, ...] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest value of windows whose distances vary at random (Graham, 2014): (N, C, H, W) or (C, H, W).

    The output has `output_size`, or `output_ratio` times the input's size.
    """
    return _fractional_max_pool(2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: float | tuple[float, ...] | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The largest value of windows at random distances of (N, C, D, H, W) or (C, D, H, W); see the 2-d one."""
    return _fractional_max_pool(3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples)


def fractional_max_pool2d_with_indices(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """fractional_max_pool2d() with return_indices=True."""
    return fractional_max_pool2d(*args, **{**kwargs, "return_indices": True})


def fractional_max_pool3d_with_indices(*args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
    """fractional_max_pool3d() with return_indices=True."""
    return fractional_max_pool3d(*args, **{**kwargs, "return_indices": True})


def _fractional_max_pool(n, input, kernel_size, output_size, output_ratio, return_indices, samples):
    """The windows side by side, axis after axis, then an ordinary pool."""
    name = f"fractional_max_pool{n}d"
    if input.dim() not in (n + 1, n + 2):
        raise ValueError(f"[{name}] expected {n + 1} or {n + 2} dimensions, got shape {tuple(input.shape)}")
    kernel = per_axis(name, "kernel_size", kernel_size, n)
    sizes = tuple(input.shape[-n:])
    outputs = _fractional_outputs(name, n, sizes, output_size, output_ratio)
    if any(o < 1 or k < 1 or o + k - 1 > size for o, k, size in zip(outputs, kernel, sizes, strict=True)):
        raise ValueError(f"[{name}] {outputs} windows of {kernel} do not fit size {sizes}")
    x = input if input.dim() == n + 2 else input.unsqueeze(0)
    if samples is None:
        samples = _core.rand(*x.shape[:2], n, dtype=x.dtype, device=x.device)
    if tuple(samples.shape) != (*x.shape[:2], n):
        raise ValueError(f"[{name}] expected samples of shape {(*x.shape[:2], n)}, got {tuple(samples.shape)}")
    places = []
    for i in range(n):
        order = i if n == 3 else n - 1 - i  # PyTorch draws the columns of an image first
        places.append(_windows(samples[..., order], sizes[i], outputs[i], kernel[i]))
        axis = 2 + i
        length = outputs[i] * kernel[i]
        index = places[i].reshape(*x.shape[:2], *(length if j == i else 1 for j in range(n)))
        x = x.gather(axis, index.expand(*x.shape[:axis], length, *x.shape[axis + 1 :]))
    pool = _core.max_pool2d if n == 2 else _core.max_pool3d
    y, where = pool(x, kernel, return_indices=True)
    y = y if input.dim() == n + 2 else y.squeeze(0)
    if not return_indices:
        return y
    where = _original_index(where, places, sizes)
    return y, where if input.dim() == n + 2 else where.squeeze(0)


def _fractional_outputs(name, n, sizes, output_size, output_ratio):
    if (output_size is None) == (output_ratio is None):
        raise ValueError(f"[{name}] expected either output_size or output_ratio")
    if output_size is not None:
        return per_axis(name, "output_size", output_size, n)
    ratio = per_axis(name, "output_ratio", output_ratio, n)
    if not all(0 < r < 1 for r in ratio):
        raise ValueError(f"[{name}] expected an output_ratio between 0 and 1, got {output_ratio}")
    return tuple(int(size * r) for size, r in zip(sizes, ratio, strict=True))


def _windows(sample: Tensor, size: int, outputs: int, kernel: int) -> Tensor:
    """Positions of the windows on one axis, one window after another: (N, C) -> (N, C, outputs * kernel)."""
    starts = _core.full((*sample.shape, 1), size - kernel, dtype=_core.int64, device=sample.device)
    if outputs > 1:
        alpha = (size - kernel) / (outputs - 1)
        u = sample.unsqueeze(-1)
        steps = _core.arange(outputs - 1, device=sample.device).to(sample.dtype)
        first = ((steps + u) * alpha).to(_core.int64) - (u * alpha).to(_core.int64)
        starts = _core.cat([first, starts], -1)
    return (starts.unsqueeze(-1) + _core.arange(kernel, device=sample.device)).flatten(-2)


def _original_index(where: Tensor, places: list[Tensor], sizes: tuple[int, ...]) -> Tensor:
    """Positions among the windows side by side, as positions in the input."""
    rest, at, scale = where.flatten(2), 0, 1
    for place, size in zip(reversed(places), reversed(sizes), strict=True):
        length = place.shape[-1]
        at = at + place.gather(2, rest % length) * scale
        rest = rest // length
        scale *= size
    return at.reshape(where.shape)
