"""Activations that are formulas of the core's, and functions or methods outside weft.nn.functional too."""

from __future__ import annotations

from weft import _core
from weft._core import Tensor
from weft.operations._register import function


@function
def rrelu(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False, inplace: bool = False
) -> Tensor:
    """x where positive, else a * x, a random from [lower, upper] in training, their mean otherwise.

    https://arxiv.org/abs/1505.00853
    """
    if lower > upper:
        raise ValueError(f"[rrelu] expected lower <= upper, got {lower} and {upper}")
    if not training:
        return _core.leaky_relu(input, (lower + upper) / 2, inplace)
    slope = _core.empty_like(input.detach()).uniform_(lower, upper).masked_fill_(input.detach() > 0, 1.0)
    return input.mul_(slope) if inplace else input * slope


@function
def rrelu_(input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False) -> Tensor:
    """rrelu() in place."""
    return rrelu(input, lower, upper, training, inplace=True)
