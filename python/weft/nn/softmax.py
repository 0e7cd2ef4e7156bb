"""Softmax and its relatives as modules."""

from __future__ import annotations

from weft._core import Tensor
from weft.nn import functional as F
from weft.nn.module import Module


class Softmax(Module):
    """exp(x) / sum(exp(x)) along `dim`, which must be given."""

    _function = "softmax"

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, input: Tensor) -> Tensor:
        if self.dim is None:
            raise ValueError(f"[{self._function}] expected dim, got None: {type(self).__name__}(dim=-1)")
        return getattr(F, self._function)(input, self.dim)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """log(softmax(x)) along `dim`, which must be given."""

    _function = "log_softmax"


class Softmin(Softmax):
    """softmax(-x) along `dim`, which must be given."""

    _function = "softmin"


class Softmax2d(Module):
    """softmax() over the channels of (n, c, h, w) or (c, h, w)."""

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"[softmax2d] expected 3 or 4 dimensions, got shape {tuple(input.shape)}")
        return F.softmax(input, -3)
