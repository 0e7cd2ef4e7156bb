"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft.optim.optimizer import Optimizer, check_options


class SGD(Optimizer):
    """p -= lr * b, where b = momentum * b + (1 - dampening) * g and g = grad + weight_decay * p.

    Nesterov's form uses g + momentum * b. The first b is g.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
        *,
        maximize: bool = False,
    ) -> None:
        check_options(lr=lr, momentum=momentum, weight_decay=weight_decay)
        if nesterov and (momentum <= 0 or dampening != 0):
            raise ValueError("Nesterov momentum requires a momentum and zero dampening")
        options = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, {**options, "nesterov": nesterov, "maximize": maximize})

    def _step_group(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
        options = (group["momentum"], group["dampening"], group["weight_decay"], group["nesterov"], group["maximize"])
        if not group["momentum"]:
            _core.sgd_step(params, grads, [], group["lr"], *options, False)
            return
        # Parameters at their first step begin with b = g; others go on. Nearly always all are of one kind.
        fresh = [self.state[p].get("momentum_buffer") is None for p in params]
        for first in (True, False):
            chosen = [i for i, is_fresh in enumerate(fresh) if is_fresh == first]
            if not chosen:
                continue
            some = [params[i] for i in chosen]
            if first:
                for p in some:
                    self.state[p]["momentum_buffer"] = _core.zeros_like(p)
            buffers = [self.state[p]["momentum_buffer"] for p in some]
            _core.sgd_step(some, [grads[i] for i in chosen], buffers, group["lr"], *options, first)
