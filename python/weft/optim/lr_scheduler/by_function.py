"""Schedules that functions of the step give."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from weft.optim.lr_scheduler.base import LRScheduler
from weft.optim.optimizer import Optimizer

Function = Callable[[int], float]


class _ByFunction(LRScheduler):
    _chains = False
    _functions = ("lr_lambdas",)

    def __init__(self, optimizer: Optimizer, lr_lambda: Function | Sequence[Function], last_epoch: int = -1) -> None:
        groups = len(getattr(optimizer, "param_groups", ()))
        self.lr_lambdas = list(lr_lambda) if isinstance(lr_lambda, list | tuple) else [lr_lambda] * groups
        if len(self.lr_lambdas) != groups:
            raise ValueError(f"Expected {groups} lr_lambdas, but got {len(self.lr_lambdas)}")
        for function in self.lr_lambdas:
            if not callable(function):
                raise TypeError(f"lr_lambda should be a function, but got {type(function).__name__}")
        super().__init__(optimizer, last_epoch)


class LambdaLR(_ByFunction):
    """base * lr_lambda(t); one function, or one per group."""

    def _lr_at(self, t: int, base: float, group: int) -> float:
        return base * self.lr_lambdas[group](t)


class MultiplicativeLR(_ByFunction):
    """The rate before times lr_lambda(t), from step 1 on; one function, or one per group."""

    def get_lr(self) -> list[float]:
        if self._step_count == 1:
            return self._rates()
        return [lr * function(self.last_epoch) for lr, function in zip(self._rates(), self.lr_lambdas, strict=True)]
