"""Averages of a model's weights over training: stochastic weight averaging (Izmailov et al., 2018) and exponential
moving averages (Polyak and Juditsky, 1992)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad
from weft.nn.batch_norm import _BatchNorm
from weft.nn.module import Module
from weft.optim.lr_scheduler.base import LRScheduler, per_group
from weft.optim.optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

Averaging = Callable[[Tensor, Tensor, Any], Tensor]
MultiAveraging = Callable[[list[Tensor], list[Tensor], Any], None]


def _checked(decay: float) -> float:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")
    return decay


def get_ema_avg_fn(decay: float = 0.999) -> Averaging:
    """average, current, count -> decay * average + (1 - decay) * current. ValueError unless 0 <= decay <= 1."""
    _checked(decay)

    @no_grad()
    def ema_update(ema_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return decay * ema_param + (1 - decay) * current_param

    return ema_update


def get_swa_avg_fn() -> Averaging:
    """average, current, count -> the average of count + 1 values, of which `average` is that of the first count."""

    @no_grad()
    def swa_update(averaged_param: Tensor, current_param: Tensor, num_averaged: Any) -> Tensor:
        return averaged_param + (current_param - averaged_param) / (int(num_averaged) + 1)

    return swa_update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAveraging:
    """What get_ema_avg_fn does, to lists of tensors, in place."""
    _checked(decay)

    @no_grad()
    def ema_update(ema_param_list: list[Tensor], current_param_list: list[Tensor], num_averaged: Any) -> None:
        for average, current in zip(ema_param_list, current_param_list, strict=True):
            if average.is_floating_point():
                average.lerp_(current, 1 - decay)
            else:
                average.copy_(average * decay + current * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> MultiAveraging:
    """What get_swa_avg_fn does, to lists of tensors, in place."""

    @no_grad()
    def swa_update(averaged_param_list: list[Tensor], current_param_list: list[Tensor], num_averaged: Any) -> None:
        weight = 1 / (int(num_averaged) + 1)
        for average, current in zip(averaged_param_list, current_param_list, strict=True):
            if average.is_floating_point():
                average.lerp_(current, weight)
            else:
                average.copy_(average + (current - average) * weight)

    return swa_update


class AveragedModel(Module):
    """A copy of `model`, in `module`, whose parameters are averages of the model's at each update_parameters(model).

    device: where the copy lives, by default where the model does. avg_fn(average, current, n_averaged) returns the new
    average of one tensor; multi_avg_fn does the same in place to lists of tensors; without either it is the mean of all
    (SWA). AssertionError if both are given. With use_buffers buffers are averaged too, otherwise they are the model's
    last ones. Calls go to the copy. state_dict holds it and n_averaged, but not the functions.
    """

    def __init__(
        self,
        model: Module,
        device: Any = None,
        avg_fn: Averaging | None = None,
        multi_avg_fn: MultiAveraging | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", _core.tensor(0, dtype=_core.int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Takes the model's parameters into the average; the first time they are the average."""
        own, theirs = [list(m.parameters()) for m in (self.module, model)]
        if self.use_buffers:
            own, theirs = [*own, *self.module.buffers()], [*theirs, *model.buffers()]
        averages = [p.detach() for p in own]
        current = [p.detach().to(a.device) for p, a in zip(theirs, averages, strict=True)]
        count = int(self.n_averaged)
        if count == 0:
            for average, now in zip(averages, current, strict=True):
                average.copy_(now)
        elif self.avg_fn is not None:
            for average, now in zip(averages, current, strict=True):
                average.copy_(self.avg_fn(average, now, self.n_averaged))
        else:
            update = self.multi_avg_fn or get_swa_multi_avg_fn()
            alike: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
            for average, now in zip(averages, current, strict=True):
                lists = alike.setdefault((average.device, average.dtype), ([], []))
                lists[0].append(average)
                lists[1].append(now)
            for lists in alike.values():
                update(*lists, self.n_averaged)
        if not self.use_buffers:
            for mine, its in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.copy_(its.detach().to(mine.device))
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Computes the running statistics of the model's batch norms anew, as plain means over the batches of `loader`.

    Of a batch that is a list or tuple the first element is the input; it is moved to `device`, if given. The model is
    run in training mode, and left in the mode it was in.
    """
    norms = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm)}
    if not norms:
        return
    was_training = model.training
    model.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    try:
        for batch in loader:
            x = batch[0] if isinstance(batch, list | tuple) else batch
            model(x if device is None else x.to(device))
    finally:
        for norm, momentum in norms.items():
            norm.momentum = momentum
        model.train(was_training)


class SWALR(LRScheduler):
    """From the rate it finds to swa_lr in anneal_epochs steps, along a cosine or a line, and then stays there.

    swa_lr: a number, or one per parameter group. anneal_strategy: "cos" or "linear". Other schedules may change the
    rate meanwhile. ValueError for another strategy or a negative anneal_epochs.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | list[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        for group, lr in zip(optimizer.param_groups, per_group(optimizer, "swa_lr", swa_lr), strict=True):
            group["swa_lr"] = lr
        self.anneal_epochs = anneal_epochs
        self._anneal_strategy = anneal_strategy
        super().__init__(optimizer, last_epoch)

    def _done(self, step: int) -> float:
        t = max(0, min(1, step / max(1, self.anneal_epochs)))
        return t if self._anneal_strategy == "linear" else (1 - math.cos(math.pi * t)) / 2

    def get_lr(self) -> list[float]:
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._done(step - 1), self._done(step)
        rates = []
        for group, lr in zip(self.optimizer.param_groups, self._rates(), strict=True):
            target = group["swa_lr"]
            start = target if before == 1 else (lr - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates
