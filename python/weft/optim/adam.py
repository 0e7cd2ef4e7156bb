"""Adam (Kingma and Ba, 2015) and its relatives."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.optim.optimizer import FusedOptimizer, check_options, not_differentiable


class _Moments(FusedOptimizer):
    """What all of them have in common: betas, eps, and a running mean of the gradient and of its size."""

    def __init__(
        self,
        params: Iterable[Any],
        differentiable: bool,
        *,
        lr: float | Tensor,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float,
        **more: Any,
    ) -> None:
        not_differentiable(differentiable)
        check_options(lr=lr, eps=eps, weight_decay=weight_decay)
        check_betas(betas)
        options = {"lr": lr, "betas": tuple(betas), "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, {**options, **more})

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("exp_avg", "exp_avg_sq")

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        beta1, beta2 = group["betas"]
        return {"beta1": beta1, "beta2": beta2, "eps": group["eps"]}


class Adam(_Moments):
    """p -= lr * m / (sqrt(v) + eps), with m and v the bias-corrected running means of the gradient and of its square.

    weight_decay is added to the gradient; see AdamW for the decoupled form. amsgrad: Reddi et al., 2018.
    """

    _rule = "adam"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        amsgrad: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
        decoupled_weight_decay: bool = False,
    ) -> None:
        super().__init__(
            params,
            differentiable,
            lr=lr,
            betas=betas,
            eps=eps,
            weight_decay=weight_decay,
            amsgrad=amsgrad,
            maximize=maximize,
            decoupled_weight_decay=decoupled_weight_decay,
        )

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("exp_avg", "exp_avg_sq", "max_exp_avg_sq") if group["amsgrad"] else ("exp_avg", "exp_avg_sq")

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {**super()._numbers(group), "plain_eps": 0}

    def _not_sparse(self, group: dict[str, Any]) -> str:
        return f"{super()._not_sparse(group)}, please consider SparseAdam instead"


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters directly: p *= 1 - lr * weight_decay.

    Loshchilov and Hutter, 2019.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            maximize=maximize,
            differentiable=differentiable,
            decoupled_weight_decay=True,
        )


class SparseAdam(_Moments):
    """Adam for sparse gradients alone: parameters, m and v change in the rows that the gradient has, and in no others.

    So m and v do not fade while a row is not used, as they would with Adam; the step that corrects them counts on.
    As torch.optim.SparseAdam, where eps is added to sqrt(v) before the correction.
    """

    _rule = "adam"
    _not_dense = "SparseAdam does not support dense gradients, please consider Adam instead"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, False, lr=lr, betas=betas, eps=eps, weight_decay=0.0, maximize=maximize)

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {**super()._numbers(group), "plain_eps": 1}

    def _not_sparse(self, group: dict[str, Any]) -> str:
        return ""


class Adamax(_Moments):
    """p -= lr * m / u, with m Adam's mean and u = max(beta2 * u, |g| + eps). Kingma and Ba, 2015, section 7.1."""

    _rule = "adamax"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        foreach: bool | None = None,
        *,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, differentiable, **options, maximize=maximize)

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("exp_avg", "exp_inf")


class NAdam(_Moments):
    """Adam with Nesterov's momentum, whose weight grows from step to step. Dozat, 2016."""

    _rule = "nadam"
    _scalars = ("step", "mu_product")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum_decay: float = 4e-3,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        check_options(momentum_decay=momentum_decay)
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        more = {"momentum_decay": momentum_decay, "decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, differentiable, **options, **more, maximize=maximize)

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        return ("exp_avg", "exp_avg_sq", "mu_product")

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        return {**super()._numbers(group), "momentum_decay": group["momentum_decay"]}

    def _first(self, name: str, group: dict[str, Any], p: Tensor) -> Tensor:
        if name == "mu_product":
            return _core.ones((), dtype=_core.float32, device=p.device)
        return _core.zeros_like(p)


class RAdam(_Moments):
    """Adam that waits with its division by sqrt(v) until v can be trusted. Liu et al., 2020."""

    _rule = "radam"

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
        decoupled_weight_decay: bool = False,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
        capturable: bool = False,
        differentiable: bool = False,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        more = {"decoupled_weight_decay": decoupled_weight_decay}
        super().__init__(params, differentiable, **options, **more, maximize=maximize)


def check_betas(betas: tuple[float, float]) -> None:
    for i, beta in enumerate(betas):
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")
