"""Elements moved between channels and space, and the grids that grid_sample() reads at."""

from __future__ import annotations

from collections.abc import Sequence

from weft import _core
from weft._core import Tensor


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """[..., C r^2, H, W] to [..., C, H r, W r]."""
    r = _factor("pixel_shuffle", input, upscale_factor, 3)
    *batch, c, h, w = input.shape
    if c % (r * r):
        raise RuntimeError(f"[pixel_shuffle] expected channels divisible by {r * r}, got {c}")
    x = input.reshape(*batch, c // (r * r), r, r, h, w)
    n = len(batch)
    return x.permute(*range(n + 1), n + 3, n + 1, n + 4, n + 2).reshape(*batch, c // (r * r), h * r, w * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """[..., C, H r, W r] to [..., C r^2, H, W]."""
    r = _factor("pixel_unshuffle", input, downscale_factor, 3)
    *batch, c, h, w = input.shape
    if h % r or w % r:
        raise RuntimeError(f"[pixel_unshuffle] expected height and width divisible by {r}, got {h} and {w}")
    x = input.reshape(*batch, c, h // r, r, w // r, r)
    n = len(batch)
    return x.permute(*range(n + 1), n + 2, n + 4, n + 1, n + 3).reshape(*batch, c * r * r, h // r, w // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """[N, C, ...] with the channels (g, C / g) taken as (C / g, g)."""
    g = _factor("channel_shuffle", input, groups, 3)
    n, c, *rest = input.shape
    if c % g:
        raise RuntimeError(f"[channel_shuffle] expected channels divisible by {g}, got {c}")
    return input.reshape(n, g, c // g, *rest).transpose(1, 2).reshape(n, c, *rest)


def _factor(name, x, factor, dims):
    if x.dim() < dims:
        raise RuntimeError(f"[{name}] expected an input of at least {dims} dimensions, got {x.dim()}")
    if factor <= 0:
        raise RuntimeError(f"[{name}] expected a factor above 0, got {factor}")
    return factor


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """The positions at which grid_sample() moves an image of `size` [N, C, H, W] by theta [N, 2, 3]: [N, H, W, 2].

    Likewise [N, C, D, H, W], [N, 3, 4] and [N, D, H, W, 3].
    """
    space = list(size[2:])
    n = len(space)
    if n not in (2, 3):
        raise NotImplementedError(f"[affine_grid] expected a size of 4 or 5 numbers, got {tuple(size)}")
    if tuple(theta.shape) != (size[0], n, n + 1):
        raise ValueError(f"[affine_grid] expected theta of shape {(size[0], n, n + 1)}, got {tuple(theta.shape)}")
    if not theta.is_floating_point():
        raise ValueError(f"[affine_grid] expected theta of a floating dtype, got {theta.dtype}")
    if min(size) <= 0:
        raise ValueError(f"[affine_grid] expected sizes above 0, got {tuple(size)}")
    columns = theta.reshape(size[0], *[1] * n, n, n + 1)
    grid = columns[..., n].expand(size[0], *space, n)
    for axis, length in enumerate(space):
        at = _centres(length, bool(align_corners), theta).reshape(*[-1 if i == axis else 1 for i in range(n)], 1)
        grid = grid + at * columns[..., n - 1 - axis]
    return grid


def _centres(n: int, align_corners: bool, like: Tensor) -> Tensor:
    """The centres of n elements that fill -1 to 1, or whose outermost are at -1 and 1."""
    i = _core.arange(n, dtype=like.dtype, device=like.device)
    return (2 * i - (n - 1)) / (max(n - 1, 1) if align_corners else n)
