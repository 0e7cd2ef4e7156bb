"""Affine and bilinear maps, and the identity."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from weft import _core
from weft._core import Tensor, empty
from weft.nn import functional as F
from weft.nn import init
from weft.nn.activation import GELU, ReLU, SiLU
from weft.nn.module import Module
from weft.nn.parameter import Parameter


class Identity(Module):
    """Returns its input; takes and ignores any arguments."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """y = x W^T + b. x: (*, in_features); y: (*, out_features).

    weight: (out_features, in_features), bias: (out_features), both U(-k, k) with k = 1/sqrt(in_features).
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def _fused_with(self, following: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor] | None:
        act = _epilogue(following) if type(self).forward is Linear.forward else None
        if act is None:
            return None
        return lambda input: _core.linear_act(input, self.weight, self.bias, act)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


_FUNCTIONS = ((F.relu, "relu"), (_core.relu, "relu"), (F.gelu, "gelu"), (F.silu, "silu"))


def _epilogue(act: Callable[[Tensor], Tensor]) -> str | None:
    """An activation, a module or a function, as linear_act calls it; None if it does not know it."""
    if type(act) is ReLU:
        return "relu"
    if type(act) is GELU:
        return {"none": "gelu", "tanh": "gelu_tanh"}.get(act.approximate)
    if type(act) is SiLU:
        return "silu"
    return next((name for function, name in _FUNCTIONS if act is function), None)


class Bilinear(Module):
    """y[k] = x1^T W[k] x2 + b[k]. x1: (*, in1_features), x2: (*, in2_features); y: (*, out_features).

    weight: (out_features, in1_features, in2_features), bias: (out_features), both U(-k, k), k = 1/sqrt(in1_features).
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"[Bilinear] expected in1_features > 0, got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        self.weight = Parameter(empty(out_features, in1_features, in2_features, device=device, dtype=dtype))
        self.bias = Parameter(empty(out_features, device=device, dtype=dtype)) if bias else None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        bound = 1 / math.sqrt(self.weight.shape[1])
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )
