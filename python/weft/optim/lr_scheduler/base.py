"""What all schedules share."""

from __future__ import annotations

from collections.abc import Iterable
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from weft._core import Tensor
from weft._replay import at_each_replay
from weft.optim.optimizer import Optimizer

_FUNCTIONS = (FunctionType, MethodType, BuiltinFunctionType, type)  # keep nothing that a state_dict should hold


class LRScheduler:
    """Base of all schedules: construction sets the rate of step `last_epoch + 1`, step() that of the next one.

    Subclasses write `_lr_at(t, base, group)`, or, as PyTorch's do, get_lr(), which returns the rate of each group at
    step `last_epoch`. A rate that is a tensor is written in place.
    """

    _chains = True  # multiplies with other schedules; False: sets the rate whatever it was
    _functions: tuple[str, ...] = ()  # attributes that are lists of functions

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        for i, group in enumerate(optimizer.param_groups):
            if last_epoch == -1:
                group.setdefault("initial_lr", float(group["lr"]))
            elif "initial_lr" not in group:
                raise KeyError(
                    f"param 'initial_lr' is not specified in param_groups[{i}] when resuming an optimizer: "
                    "load its state_dict first"
                )
        self.base_lrs = [float(group["initial_lr"]) for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._start()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = at_each_replay(cls.step)  # type: ignore[method-assign]

    def _start(self) -> None:
        self._step_count = 0
        self.step()

    def _lr_at(self, t: int, base: float, group: int) -> float:
        raise NotImplementedError

    def _new_lr(self, group: int, current: float) -> float:
        base, t = self.base_lrs[group], self.last_epoch
        target = self._lr_at(t, base, group)
        if not self._chains:
            return target
        previous = self._lr_at(t - 1, base, group) if t > 0 else base
        if previous in (current, 0):
            return target if current == previous else current
        return current * (target / previous)

    def get_lr(self) -> list[float]:
        """The rate of each group at step `last_epoch`, from what it was before."""
        return [self._new_lr(i, lr) for i, lr in enumerate(self._rates())]

    def step(self, epoch: int | None = None) -> None:
        """To the next step, or to step `epoch`, whatever the rate was."""
        self._step_count += 1
        self.last_epoch = self.last_epoch + 1 if epoch is None else epoch
        if epoch is None or type(self)._lr_at is LRScheduler._lr_at:
            rates = self.get_lr()
        else:
            rates = [self._lr_at(epoch, base, i) for i, base in enumerate(self.base_lrs)]
        self._set(rates)

    def get_last_lr(self) -> list[float]:
        return self._last_lr

    def _rates(self) -> list[float]:
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    def _set(self, rates: Iterable[float]) -> None:
        for group, lr in zip(self.optimizer.param_groups, rates, strict=True):
            set_option(group, "lr", lr)
        self._last_lr = self._rates()

    # Part of SequentialLR: what construction did is undone, and step 0 comes when it is this schedule's turn.

    def _undo(self) -> None:
        self.last_epoch -= 1

    def _begin(self) -> None:
        self.step(0)

    def state_dict(self) -> dict[str, Any]:
        """Everything but the optimizer. Of functions, what callable objects keep; of others None."""
        state = {k: v for k, v in self.__dict__.items() if k != "optimizer"}
        for name in self._functions:
            state[name] = [None if isinstance(f, _FUNCTIONS) else dict(f.__dict__) for f in state[name]]
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        state = dict(state_dict)
        for name in self._functions:
            for function, saved in zip(getattr(self, name), state.pop(name, ()), strict=False):
                if saved is not None:
                    function.__dict__.update(saved)
        self.__dict__.update(state)


LRScheduler.step = at_each_replay(LRScheduler.step)  # type: ignore[method-assign]


def set_option(group: dict[str, Any], name: str, value: float) -> None:
    if isinstance(group.get(name), Tensor):
        group[name].fill_(value)
    else:
        group[name] = value


def per_group(optimizer: Optimizer, name: str, value: Any) -> list[float]:
    """`value` for each parameter group, or the values that it lists."""
    groups = len(optimizer.param_groups)
    if not isinstance(value, list | tuple):
        return [value] * groups
    if len(value) != groups:
        raise ValueError(f"expected {groups} values of {name}, one per parameter group, got {len(value)}")
    return list(value)


def cycles_beta(group: dict[str, Any]) -> bool:
    """Whether beta1 is this group's momentum. ValueError where it has neither."""
    if "momentum" not in group and "betas" not in group:
        raise ValueError("optimizer must support momentum or beta1 with `cycle_momentum` option enabled")
    return "betas" in group


def set_momentum(group: dict[str, Any], momentum: float) -> None:
    if cycles_beta(group):
        group["betas"] = (momentum, *group["betas"][1:])
    else:
        group["momentum"] = momentum
