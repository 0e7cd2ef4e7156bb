"""Parameter: a tensor that a module owns and an optimizer changes."""

from __future__ import annotations

from weft._core import Tensor, _make_subclass, empty


class Parameter(Tensor):
    """A leaf tensor over the memory of `data`. As an attribute of a Module it appears in `parameters()`."""

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        if data is None:
            data = empty(0)
        if not isinstance(data, Tensor):
            raise TypeError(f"[Parameter] expected a Tensor, got {type(data).__name__}")
        return _make_subclass(cls, data, requires_grad)
