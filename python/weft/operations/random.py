"""Random numbers of further distributions, made of uniform and normal ones. No gradient flows through them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad
from weft.operations._register import both, function, method


def _uniform(x, generator):
    """In (0, 1], in x's shape and at least single precision."""
    return 1 - _core.rand(*x.shape, dtype=_wide(x), device=x.device, generator=generator)


def _wide(x):
    return _core.float64 if x.dtype == _core.float64 else _core.float32


def _floating(name, x):
    if not x.is_floating_point():
        raise RuntimeError(f"[{name}] expected a tensor of a floating dtype, got {x.dtype}")


@method
def exponential_(self: Tensor, lambd: float = 1, *, generator: Any = None) -> Tensor:
    """Fills with numbers of density lambd * exp(-lambd * x)."""
    _floating("exponential_", self)
    if not lambd > 0:
        raise RuntimeError(f"[exponential_] expected lambd > 0, got {lambd}")
    return self.copy_(_uniform(self, generator).log() / -lambd)


@method
def cauchy_(self: Tensor, median: float = 0, sigma: float = 1, *, generator: Any = None) -> Tensor:
    """Fills with numbers of the Cauchy distribution."""
    _floating("cauchy_", self)
    if not sigma > 0:
        raise RuntimeError(f"[cauchy_] expected sigma > 0, got {sigma}")
    turn = (_uniform(self, generator) - 0.5) * math.pi
    return self.copy_(turn.sin() / turn.cos() * sigma + median)


@method
def log_normal_(self: Tensor, mean: float = 1, std: float = 2, *, generator: Any = None) -> Tensor:
    """Fills with exponentials of normal numbers of this mean and deviation."""
    _floating("log_normal_", self)
    if not std > 0:
        raise RuntimeError(f"[log_normal_] expected std > 0, got {std}")
    z = _core.empty(*self.shape, dtype=_wide(self), device=self.device)
    return self.copy_(z.normal_(mean, std, generator=generator).exp())


@method
def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fills with the number of trials up to the first success, each of probability p."""
    if self.dtype == _core.bool:
        raise RuntimeError("[geometric_] expected a tensor of numbers, got bool")
    if not 0 < p < 1:
        raise RuntimeError(f"[geometric_] expected p between 0 and 1, got {p}")
    return self.copy_((_uniform(self, generator).log() / math.log1p(-p)).ceil().clamp(min=1))


@both
def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Numbers of events where the input says how many to expect."""
    _floating("poisson", input)
    if input.numel() and not bool((input >= 0).all()):
        raise RuntimeError("[poisson] expected rates that are not negative")
    with no_grad():
        rate = input.double().reshape(-1)
        return _poisson(rate, generator).reshape(input.shape).to(input.dtype)


def _poisson(rate, generator):
    """By counting unit exponential times below rates up to 64; larger ones split in halves, which add up."""
    if rate.numel() and float(rate.max()) > 64:
        return _poisson(rate / 2, generator) + _poisson(rate / 2, generator)
    count, time = _core.zeros_like(rate), _core.zeros_like(rate).exponential_(generator=generator)
    while bool((time <= rate).any()):
        count += time <= rate
        time += _core.zeros_like(rate).exponential_(generator=generator)
    return count


@function
def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Normal numbers of this mean and deviation, each a number or a tensor; of a size, where both are numbers."""
    if size is not None:
        x = _core.empty(size, dtype=dtype, device=device).normal_(mean, std, generator=generator)
        return x.requires_grad_(requires_grad)
    tensors = [t for t in (mean, std) if isinstance(t, Tensor)]
    if not tensors:
        raise TypeError("[normal] expected a tensor as mean or std, or a size")
    if isinstance(std, Tensor):
        if std.numel() and not bool((std >= 0).all()):
            raise RuntimeError("[normal] expected every std >= 0")
    elif not std >= 0:
        raise RuntimeError(f"[normal] expected std >= 0, got {std}")
    with no_grad():
        model = mean * std  # of the result's shape and dtype
        z = _core.empty_like(model).normal_(generator=generator)
        return z * std + mean


@function
def randint_like(
    input: Tensor,
    low: int,
    high: int | None = None,
    *,
    generator: Any = None,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Integers from low (0) up to, not including, high, in the shape and dtype of the input."""
    low, high = (0, low) if high is None else (low, high)
    x = _core.randint(
        int(low), int(high), input.shape, generator=generator, dtype=dtype or input.dtype, device=device or input.device
    )
    return x.requires_grad_(requires_grad) if requires_grad else x
