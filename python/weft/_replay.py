"""What other modules need of recorded steps: below all of them, so that each may be imported first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any

from weft import _core
from weft._core import Tensor


def at_each_replay(method: Callable) -> Callable:
    """For what only Python can do and a step needs each time, such as a schedule: it is called again by every replay.

    Arguments stay what they were. With a tensor among them it is left alone: its value would be read by Python.
    """

    @wraps(method)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not _core._recording() or any(isinstance(a, Tensor) for a in (*args, *kwargs.values())):
            return method(*args, **kwargs)
        return _core._now_and_at_replay(partial(method, *args, **kwargs))

    return run
