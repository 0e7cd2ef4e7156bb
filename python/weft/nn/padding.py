"""Padding as modules. `padding` is one number for all sides, or (before, after) for each axis from the last one on."""

from __future__ import annotations

from collections.abc import Sequence

from weft._core import Tensor
from weft.nn import functional as F
from weft.nn.module import Module


class _Pad(Module):
    _axes = 1
    _mode = "constant"

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        self.padding = (padding,) * (2 * self._axes) if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != 2 * self._axes:
            raise ValueError(f"{type(self).__name__} expects {2 * self._axes} numbers of padding, got {padding}")

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return f"{self.padding}"


class ConstantPad1d(_Pad):
    """The last axis padded with `value`."""

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class ConstantPad2d(ConstantPad1d):
    """The last two axes padded with `value`."""

    _axes = 2


class ConstantPad3d(ConstantPad1d):
    """The last three axes padded with `value`."""

    _axes = 3


class ZeroPad1d(ConstantPad1d):
    """The last axis padded with 0."""

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    extra_repr = _Pad.extra_repr


class ZeroPad2d(ZeroPad1d):
    """The last two axes padded with 0."""

    _axes = 2


class ZeroPad3d(ZeroPad1d):
    """The last three axes padded with 0."""

    _axes = 3


class ReflectionPad1d(_Pad):
    """The last axis mirrored at its ends, which are not repeated."""

    _mode = "reflect"


class ReflectionPad2d(ReflectionPad1d):
    """The last two axes mirrored at their ends."""

    _axes = 2


class ReflectionPad3d(ReflectionPad1d):
    """The last three axes mirrored at their ends."""

    _axes = 3


class ReplicationPad1d(_Pad):
    """The last axis continued with its ends."""

    _mode = "replicate"


class ReplicationPad2d(ReplicationPad1d):
    """The last two axes continued with their ends."""

    _axes = 2


class ReplicationPad3d(ReplicationPad1d):
    """The last three axes continued with their ends."""

    _axes = 3


class CircularPad1d(_Pad):
    """The last axis continued from its other end."""

    _mode = "circular"


class CircularPad2d(CircularPad1d):
    """The last two axes continued from their other ends."""

    _axes = 2


class CircularPad3d(CircularPad1d):
    """The last three axes continued from their other ends."""

    _axes = 3
