"""Steps divided by the size of past gradients, without a mean of the gradients themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.optim.optimizer import FusedOptimizer, check_options, not_differentiable


class RMSprop(FusedOptimizer):
    """p -= lr * g / (sqrt(v) + eps), v = alpha * v + (1 - alpha) * g². Tieleman and Hinton, 2012.

    centered subtracts the square of the mean gradient from v (Graves, 2013); momentum adds past steps to this one.
    """

    _rule = "rmsprop"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr, eps=eps, momentum=momentum, weight_decay=weight_decay, alpha=alpha)
        options = {"lr": lr, "momentum": momentum, "alpha": alpha, "eps": eps, "centered": centered}
        super().__init__(params, {**options, "weight_decay": weight_decay, "maximize": maximize})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        buffer = "momentum_buffer" if group["momentum"] > 0 else None
        return ("square_avg", buffer, "grad_avg" if group["centered"] else None)

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {name: group[name] for name in ("alpha", "eps", "momentum", "centered")}


class Adagrad(FusedOptimizer):
    """p -= lr / (1 + (step - 1) * lr_decay) * g / (sqrt(sum of all g²) + eps). Duchi et al., 2011.

    Without weight_decay it takes sparse gradients, and changes the rows that they have.
    """

    _rule = "adagrad"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        lr_decay: float = 0,
        weight_decay: float = 0,
        initial_accumulator_value: float = 0,
        eps: float = 1e-10,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr, lr_decay=lr_decay, weight_decay=weight_decay, eps=eps)
        check_options(initial_accumulator_value=initial_accumulator_value)
        options = {"lr": lr, "lr_decay": lr_decay, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**options, "initial_accumulator_value": initial_accumulator_value})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("sum",)

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {"lr_decay": group["lr_decay"], "eps": group["eps"]}

    def _not_sparse(self, group: dict[str, Any]) -> str:
        return "weight_decay option is not compatible with sparse gradients" if group["weight_decay"] else ""

    def _first(self, name: str, group: dict[str, Any], p: Tensor) -> Tensor:
        return _core.full_like(p, self.defaults["initial_accumulator_value"])


class Adadelta(FusedOptimizer):
    """p -= lr * g * sqrt(d + eps) / sqrt(v + eps), with v and d the running mean squares of g and of the changes.

    Zeiler, 2012.
    """

    _rule = "adadelta"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        capturable: bool = False,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr, eps=eps, weight_decay=weight_decay)
        if not 0.0 <= rho <= 1.0:
            raise ValueError(f"Invalid rho value: {rho}")
        options = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, options)

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("square_avg", "acc_delta")

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {"rho": group["rho"], "eps": group["eps"]}
