"""How a Python function becomes an operation: weft.f, Tensor.f, or both."""

from collections.abc import Callable
from functools import wraps

from weft import _core
from weft._core import Tensor

FUNCTIONS: dict[str, Callable] = {}


def checked(f: Callable) -> Callable:
    """f, once, with a TypeError where it looked for a tensor and found something else."""
    if hasattr(f, "__wrapped__"):
        return f

    @wraps(f)
    def call(*args, **kwargs):
        try:
            return f(*args, **kwargs)
        except AttributeError as error:
            if isinstance(error.obj, Tensor):
                raise
            raise TypeError(f"[{f.__name__}] expected a tensor, got {error.obj!r}") from error

    return call


def function(f: Callable) -> Callable:
    """weft.f"""
    FUNCTIONS[f.__name__] = f = checked(f)
    return f


def method(f: Callable) -> Callable:
    """Tensor.f, with the tensor as the first argument."""
    f = checked(f)
    setattr(Tensor, f.__name__, f)
    return f


def both(f: Callable) -> Callable:
    """weft.f and Tensor.f."""
    return method(function(f))


def _casting(convert: Callable[[Tensor], Tensor]) -> Callable[[Callable], Callable]:
    def decorate(f: Callable) -> Callable:
        def cast(value):
            return convert(value) if isinstance(value, Tensor) else value

        @wraps(f)
        def call(*args, **kwargs):
            if _core._autocast_active():
                args, kwargs = map(cast, args), {name: cast(value) for name, value in kwargs.items()}
            return f(*args, **kwargs)

        del call.__wrapped__  # `checked` goes by it
        return call

    return decorate


in_float32 = _casting(_core._autocast_float32)  # under autocast, tensors of a lower dtype are converted first
in_lower_dtype = _casting(_core._autocast_lower)  # as products are
