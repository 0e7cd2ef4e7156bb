"""Questions about dtypes, and about tensors as such."""

from __future__ import annotations

from typing import Any

from weft import _core
from weft._core import Tensor
from weft.operations._register import both, function

_BITS = {"float16": (10, 15), "bfloat16": (7, 127), "float32": (23, 127), "float64": (52, 1023)}
_RESOLUTION = {"float16": 1e-3, "bfloat16": 1e-2, "float32": 1e-6, "float64": 1e-15}


@function
class finfo:
    """Limits of a floating dtype (float32): bits, eps, max, min, tiny, smallest_normal, resolution, dtype."""

    def __init__(self, type: Any = None):
        dtype = type or _core.get_default_dtype()
        if dtype.name not in _BITS:
            raise TypeError(f"[finfo] expected a floating dtype, got {dtype}; use iinfo")
        mantissa, exponent = _BITS[dtype.name]
        self.dtype = dtype.name
        self.bits = 8 * dtype.itemsize
        self.eps = 2.0**-mantissa
        self.max = (2 - self.eps) * 2.0**exponent
        self.min = -self.max
        self.tiny = self.smallest_normal = 2.0 ** (1 - exponent)
        self.resolution = _RESOLUTION[dtype.name]

    def __repr__(self):
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{n}={getattr(self, n):g}' for n in names)}, dtype={self.dtype})"


@function
class iinfo:
    """Limits of an integer dtype: bits, max, min, dtype."""

    def __init__(self, type: Any):
        if type.is_floating_point or type == _core.bool:
            raise TypeError(f"[iinfo] expected an integer dtype, got {type}; use finfo")
        self.dtype = type.name
        self.bits = 8 * type.itemsize
        signed = type.is_signed
        self.max = 2 ** (self.bits - signed) - 1
        self.min = -(2 ** (self.bits - 1)) if signed else 0

    def __repr__(self):
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def _category(dtype):
    return 2 if dtype.is_floating_point else int(dtype != _core.bool)


@function
def can_cast(from_: Any, to: Any) -> bool:
    """Whether a result may be stored in a dtype: not a float as an integer, nor a number as a bool."""
    return _category(from_) <= _category(to)


@both
def is_complex(input: Tensor) -> bool:
    """False: there are no complex numbers here."""
    return False


@both
def is_signed(input: Tensor) -> bool:
    """Whether the dtype has negative numbers."""
    return input.dtype.is_signed


@both
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether two tensors have one shape."""
    return input.shape == other.shape


@both
def get_device(input: Tensor) -> int:
    """The index of the GPU, -1 for the CPU."""
    return -1 if input.device.type == "cpu" else input.device.index


@both
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not zero. RuntimeError if there are more, or none."""
    return bool(input)
