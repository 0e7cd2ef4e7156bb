"""Images, sequences and volumes resized along their axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from weft import _core
from weft._core import Tensor

# mode: the rule along one axis, and the number of axes
_MODES = {
    "nearest": ("nearest", (1, 2, 3)),
    "nearest-exact": ("nearest-exact", (1, 2, 3)),
    "linear": ("linear", (1,)),
    "bilinear": ("linear", (2,)),
    "trilinear": ("linear", (3,)),
    "bicubic": ("cubic", (2,)),
    "lanczos": ("lanczos", (2,)),
    "area": ("area", (1, 2, 3)),
}
_INTEGER_MODES = ("nearest", "nearest-exact", "bilinear", "bicubic", "lanczos")
_WITHOUT_CORNERS = ("nearest", "nearest-exact", "area")


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """input [N, C, L], [N, C, H, W] or [N, C, D, H, W] resized to `size`, or by `scale_factor`.

    mode: "nearest" (positions rounded down), "nearest-exact", "linear", "bilinear", "trilinear", "bicubic", "area"
    (means of what an output covers) or, with `antialias`, "lanczos". align_corners: the centres of the outermost
    elements stay where they are, instead of the edges. recompute_scale_factor: positions follow the ratio of the sizes
    and not the factor. antialias: filters before it shrinks; of images.
    """
    axes = input.dim() - 2
    rule = _rule(mode, axes, align_corners, antialias)
    sizes, factors = _sizes(input, size, scale_factor, recompute_scale_factor or mode == "area")
    if recompute_scale_factor and size is not None:
        raise ValueError("[interpolate] recompute_scale_factor needs scale_factor, got size")
    if input.shape[1] == 0 or min(input.shape[2:]) < 1 or min(sizes) < 1:
        raise RuntimeError(f"[interpolate] expected sizes above 0, got {tuple(input.shape)} to {tuple(sizes)}")
    integers = not input.is_floating_point()
    if integers and (input.dtype != _core.uint8 or mode not in _INTEGER_MODES):
        raise NotImplementedError(f"[interpolate] expected a floating input for mode {mode!r}, got {input.dtype}")
    x = input.double() if integers else input if input.dtype == _core.float64 else input.float()
    changed = [a for a in range(axes) if sizes[a] != input.shape[a + 2] or factors[a] not in (0, 1) or antialias]
    for group in _order(input.shape[2:], sizes, changed, integers):
        x = _core._interpolate(
            x,
            group[-1] + 2,
            [sizes[a] for a in group],
            rule,
            bool(align_corners),
            [float(factors[a]) for a in group],
            antialias,
            integers,
        )
        x = (x + 0.5).floor().clamp(0, 255) if integers else x
    return x.to(input.dtype)


def _order(old, new, changed, integers):
    """Groups of axes: the last two together, and what shrinks first. Integers are rounded in PyTorch's order."""
    if integers:
        return [[a] for a in reversed(changed)]
    last = [len(old) - 2, len(old) - 1]
    groups = [[a] for a in changed if a not in last] + [last] if changed[-2:] == last else [[a] for a in changed]
    return sorted(groups, key=lambda g: math.prod(new[a] for a in g) / math.prod(old[a] for a in g))


def _rule(mode, axes, align_corners, antialias):
    if mode not in _MODES or axes not in _MODES[mode][1]:
        allowed = " or ".join(str(n + 2) for n in _MODES.get(mode, (None, (1, 2, 3)))[1])
        raise NotImplementedError(
            f"[interpolate] expected an input of {allowed} dimensions and a mode of {', '.join(_MODES)}, got "
            f"{axes + 2} and {mode!r}"
        )
    if mode in _WITHOUT_CORNERS and align_corners is not None:
        raise ValueError(f"[interpolate] align_corners means nothing for mode {mode!r}")
    if antialias and mode not in ("bilinear", "bicubic", "lanczos"):
        raise ValueError(f"[interpolate] antialias needs mode 'bilinear', 'bicubic' or 'lanczos', got {mode!r}")
    if mode == "lanczos" and (not antialias or align_corners):
        raise ValueError("[interpolate] mode 'lanczos' needs antialias=True and align_corners=False")
    return _MODES[mode][0]


def _sizes(x, size, scale_factor, recompute):
    """The size and the factor of every axis; 0 for a factor that follows from the sizes."""
    if (size is None) == (scale_factor is None):
        raise ValueError(f"[interpolate] expected size or scale_factor, got {size} and {scale_factor}")
    given = scale_factor if size is None else size
    values = list(given) if isinstance(given, Sequence) else [given] * (x.dim() - 2)
    if len(values) != x.dim() - 2:
        raise ValueError(f"[interpolate] expected {x.dim() - 2} values for {tuple(x.shape)}, got {given}")
    if size is not None:
        if any(isinstance(n, float) for n in values):
            raise TypeError(f"[interpolate] expected size to be of ints, got {given}")
        return [int(n) for n in values], [0] * len(values)
    if not all(math.isfinite(factor) for factor in values):
        raise ValueError(f"[interpolate] expected finite scale factors, got {given}")
    sizes = [math.floor(n * factor) for n, factor in zip(x.shape[2:], values, strict=True)]
    return sizes, [0] * len(values) if recompute else values


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """interpolate(), under its older name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """interpolate(mode="nearest")"""
    return interpolate(input, size, scale_factor)


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | Sequence[float] | None = None
) -> Tensor:
    """interpolate(mode="bilinear", align_corners=True)"""
    return interpolate(input, size, scale_factor, "bilinear", True)
