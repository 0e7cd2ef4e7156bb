"""Optimizers that look at the sign of the gradient alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.optim.adam import check_betas
from weft.optim.optimizer import FusedOptimizer, check_options, not_differentiable


class Rprop(FusedOptimizer):
    """Each element has a step of its own, times etas[1] while the gradient keeps its sign, times etas[0] when it turns.

    Steps begin at lr and stay within step_sizes. For whole batches. Riedmiller and Braun, 1993.
    """

    _rule = "rprop"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        etas: tuple[float, float] = (0.5, 1.2),
        step_sizes: tuple[float, float] = (1e-6, 50),
        *,
        capturable: bool = False,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr)
        if not 0.0 < etas[0] < 1.0 < etas[1]:
            raise ValueError(f"Invalid eta values: {etas[0]}, {etas[1]}")
        super().__init__(params, {"lr": lr, "etas": etas, "step_sizes": step_sizes, "maximize": maximize})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("prev", "step_size")

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        (less, more), (least, most) = group["etas"], group["step_sizes"]
        return {"etaminus": less, "etaplus": more, "step_min": least, "step_max": most}

    def _first(self, name: str, group: dict[str, Any], p: Tensor) -> Tensor:
        return _core.full_like(p, float(group["lr"])) if name == "step_size" else _core.zeros_like(p)


class Lion(FusedOptimizer):
    """p = p * (1 - lr * weight_decay) - lr * sign(beta1 * m + (1 - beta1) * g), m = beta2 * m + (1 - beta2) * g.

    One state per parameter, m under "exp_avg". Wants a tenth of AdamW's lr and ten times its weight_decay. Chen et
    al., "Symbolic Discovery of Optimization Algorithms", 2023.
    """

    _rule = "lion"
    _counted = False

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0,
        *,
        maximize: bool = False,
    ) -> None:
        check_options(lr=lr, weight_decay=weight_decay)
        check_betas(betas)
        options = {"lr": lr, "betas": tuple(betas), "weight_decay": weight_decay, "maximize": maximize}
        super().__init__(params, {**options, "decoupled_weight_decay": True})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("exp_avg",)

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {"beta1": group["betas"][0], "beta2": group["betas"][1]}
