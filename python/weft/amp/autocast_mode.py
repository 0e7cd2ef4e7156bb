"""Regions in which products take a lower dtype."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from functools import wraps
from typing import Any

from weft import _core

DEVICES = ("cpu", "cuda")


def is_autocast_available(device_type: str) -> bool:
    """Whether autocast knows the device type: 'cpu' and 'cuda'."""
    return str(device_type).split(":")[0] in DEVICES


class autocast:
    """A region, or a function, whose products take a lower dtype: `with weft.autocast("cpu", dtype=weft.bfloat16):`.

    Matrix products, linear layers, convolutions, attention and what is made of them (einsum, MultiheadAttention …)
    convert floating tensors to `dtype` and return it; they sum in float32. Losses, prod, quantiles, distances and what
    else loses too much in a lower dtype convert to float32. All other operations compute in the dtypes they are given,
    mixed ones promote. float64 and integers are left alone. Parameters stay float32 and so do their gradients; their
    conversions are kept until the outermost region ends or they change.

    Forward and loss belong inside, backward outside. Regions nest, and act on the current thread.

    Args:
        device_type: 'cpu' or 'cuda'. RuntimeError for others.
        dtype: bfloat16 or float16; default get_autocast_dtype(device_type), which is bfloat16 on the CPU. With another
            dtype the region warns and does nothing.
        enabled: False switches autocast off inside.
        cache_enabled: whether conversions of parameters are kept; default as outside.
    """

    def __init__(
        self, device_type: str, dtype: Any = None, enabled: bool = True, cache_enabled: bool | None = None
    ) -> None:
        if not isinstance(device_type, str):
            raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
        if device_type not in DEVICES:
            raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")
        self.device = device_type
        self.fast_dtype = _core.get_autocast_dtype(device_type) if dtype is None else dtype
        if enabled and self.fast_dtype not in (_core.bfloat16, _core.float16):
            warnings.warn(
                f"In {device_type.upper()} autocast, but the target dtype {self.fast_dtype} is not supported. "
                "The dtypes that it supports are weft.bfloat16 and weft.float16.",
                stacklevel=2,
            )
            enabled = False
        self._enabled = enabled
        self._cache_enabled = cache_enabled
        self._before: list[tuple] = []

    def __enter__(self) -> autocast:
        self._before.append(_state(self.device))
        _core.set_autocast_enabled(self.device, self._enabled)
        if self._enabled:
            _core.set_autocast_dtype(self.device, self.fast_dtype)
        if self._cache_enabled is not None:
            _core.set_autocast_cache_enabled(self._cache_enabled)
        _core.autocast_increment_nesting()
        return self

    def __exit__(self, *exception: object) -> None:
        if _core.autocast_decrement_nesting() == 0:
            _core.clear_autocast_cache()
        enabled, dtype, cache = self._before.pop()
        _core.set_autocast_enabled(self.device, enabled)
        _core.set_autocast_dtype(self.device, dtype)
        _core.set_autocast_cache_enabled(cache)

    def __call__(self, function: Callable) -> Callable:
        @wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with autocast(self.device, self.fast_dtype, self._enabled, self._cache_enabled):
                return function(*args, **kwargs)

        return inside


def _state(device: str) -> tuple:
    return _core.is_autocast_enabled(device), _core.get_autocast_dtype(device), _core.is_autocast_cache_enabled()


def as_now() -> Callable[[], ExitStack]:
    """Makes context managers that bring back, elsewhere, the autocast of here and now."""
    states = {device: _state(device) for device in DEVICES}

    def again() -> ExitStack:
        stack = ExitStack()
        for device, (enabled, dtype, cache) in states.items():
            stack.enter_context(autocast(device, dtype, enabled, cache))
        return stack

    return again


def custom_fwd(fwd: Callable | None = None, *, device_type: str, cast_inputs: Any = None) -> Callable:
    """For the forward of an autograd.Function: remembers autocast for custom_bwd.

    cast_inputs: floating tensors are converted to this dtype, and forward runs without autocast, if it is on.
    """
    if fwd is None:
        return lambda f: custom_fwd(f, device_type=device_type, cast_inputs=cast_inputs)

    @wraps(fwd)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._autocast = as_now()
        if cast_inputs is None or not _core.is_autocast_enabled(device_type):
            return fwd(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            ctx._autocast = as_now()
            return fwd(ctx, *_cast(args, cast_inputs), **_cast(kwargs, cast_inputs))

    return decorated


def custom_bwd(bwd: Callable | None = None, *, device_type: str) -> Callable:
    """For the backward of an autograd.Function: runs under the autocast that its forward ran under."""
    if bwd is None:
        return lambda f: custom_bwd(f, device_type=device_type)

    @wraps(bwd)
    def decorated(ctx: Any, *args: Any) -> Any:
        with ctx._autocast():
            return bwd(ctx, *args)

    return decorated


def _cast(value: Any, dtype: Any) -> Any:
    if isinstance(value, _core.Tensor):
        wanted = value.is_floating_point() and value.dtype != _core.float64
        return value.to(dtype) if wanted else value
    if isinstance(value, dict):
        return {k: _cast(v, dtype) for k, v in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return type(value)(_cast(v, dtype) for v in value)
    return value
