"""How a Python function becomes an operation: weft.f, Tensor.f, or both."""

from collections.abc import Callable

from weft._core import Tensor

FUNCTIONS: dict[str, Callable] = {}


def function(f: Callable) -> Callable:
    """weft.f"""
    FUNCTIONS[f.__name__] = f
    return f


def method(f: Callable) -> Callable:
    """Tensor.f, with the tensor as the first argument."""
    setattr(Tensor, f.__name__, f)
    return f


def both(f: Callable) -> Callable:
    """weft.f and Tensor.f."""
    return method(function(f))
