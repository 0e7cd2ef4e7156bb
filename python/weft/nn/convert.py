"""What `load_state_dict` and `to` accept."""

from __future__ import annotations

from typing import Any

import numpy as np

from weft._core import Tensor, as_tensor
from weft._core import dtype as dtype_type


def to_tensor(key: str, value: Any) -> Tensor:
    """A tensor, an array, a number, or another library's tensor that offers `.numpy()`."""
    if isinstance(value, Tensor):
        return value.detach()
    if not isinstance(value, (np.ndarray, np.generic, int, float, list)) and hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    try:
        return as_tensor(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"[load_state_dict] {key}: expected a tensor or array, got {type(value).__name__}") from error


def parse_to(*args: Any, **kwargs: Any) -> tuple[Any, Any, Any]:
    """Device, dtype and memory format, each None where it is not given."""
    device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
    memory_format = kwargs.pop("memory_format", None)
    kwargs.pop("non_blocking", None)
    if kwargs:
        raise TypeError(f"[Module.to] unexpected argument {next(iter(kwargs))!r}")
    for arg in args:
        if isinstance(arg, Tensor):
            device, dtype = arg.device, arg.dtype
        elif isinstance(arg, dtype_type):
            dtype = arg
        elif isinstance(arg, bool):
            pass  # non_blocking
        elif arg is not None:
            device = arg
    return device, dtype, memory_format
