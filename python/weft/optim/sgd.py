"""Stochastic gradient descent, plain and averaged."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.optim.optimizer import FusedOptimizer, check_options, not_differentiable


class SGD(FusedOptimizer):
    """p -= lr * b, where b = momentum * b + (1 - dampening) * g and g = grad + weight_decay * p.

    Nesterov's form uses g + momentum * b. The first b is g. Without momentum and weight_decay it takes sparse
    gradients, and changes the rows that they have.
    """

    _rule = "sgd"
    _counted = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov, "maximize": maximize})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("momentum_buffer",) if group["momentum"] else ()

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {name: group[name] for name in ("momentum", "dampening", "nesterov")}

    def _not_sparse(self, group: dict[str, Any]) -> str:
        if group["momentum"]:
            return "momentum option is not compatible with sparse gradients"
        return "weight_decay option is not compatible with sparse gradients" if group["weight_decay"] else ""


class ASGD(FusedOptimizer):
    """p = p * (1 - lambd * eta) - eta * g, with the average of p over the steps after t0 in state["ax"].

    eta falls from lr as lr / (1 + lambd * lr * step) ** alpha. Polyak and Juditsky, 1992.
    """

    _rule = "asgd"
    _scalars = ("step", "eta", "mu")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr, weight_decay=weight_decay)
        options = {"lr": lr, "lambd": lambd, "alpha": alpha, "t0": t0, "weight_decay": weight_decay}
        super().__init__(params, {**options, "maximize": maximize})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("ax", "eta", "mu")

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {name: group[name] for name in ("lambd", "alpha", "t0")}

    def _first(self, name: str, group: dict[str, Any], p: Tensor) -> Tensor:
        if name == "ax":
            return _core.zeros_like(p)
        value = float(group["lr"]) if name == "eta" else 1.0
        return _core.full((), value, dtype=_core.float32, device=p.device)
