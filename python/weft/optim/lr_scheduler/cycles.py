"""Schedules that go up and down, and move the momentum against the rate."""

from __future__ import annotations

import math
from collections.abc import Callable

from weft.optim.lr_scheduler.base import LRScheduler, cycles_beta, per_group, set_momentum, set_option
from weft.optim.optimizer import Optimizer


class CyclicLR(LRScheduler):
    """base_lr + (max_lr - base_lr) * triangle(t) * scale, while the momentum goes the other way (Smith, 2017).

    The triangle rises from 0 to 1 in step_size_up steps and falls in step_size_down (default: the same); step() once
    per batch. The scale is 1 ("triangular"), halves with each cycle ("triangular2"), is gamma^t ("exp_range"), or
    scale_fn of the cycle's number, from 1, or, with scale_mode "iterations", of t. base_lr, max_lr, base_momentum and
    max_momentum may be lists, one value per parameter group. The momentum is beta1 where there are betas. ValueError
    for an unknown mode without scale_fn, and where cycle_momentum finds no momentum.
    """

    _chains = False
    _functions = ("_scale_fn_custom",)

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: float | list[float],
        max_lr: float | list[float],
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.8,
        max_momentum: float | list[float] = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        groups = optimizer.param_groups
        lows, self.max_lrs = per_group(optimizer, "base_lr", base_lr), per_group(optimizer, "max_lr", max_lr)
        down = step_size_up if step_size_down is None else step_size_down
        self.total_size = float(step_size_up + down)
        self.step_ratio = step_size_up / self.total_size
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = [] if scale_fn is None else [scale_fn]
        self.scale_mode = scale_mode if scale_fn else "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums = per_group(optimizer, "base_momentum", base_momentum)
            self.max_momentums = per_group(optimizer, "max_momentum", max_momentum)
            for group, low, high in zip(groups, self.base_momentums, self.max_momentums, strict=True):
                cycles_beta(group)
                if last_epoch == -1:
                    group["base_momentum"], group["max_momentum"] = low, high
        if last_epoch == -1:
            for group, low in zip(groups, lows, strict=True):
                set_option(group, "lr", low)
                group.setdefault("initial_lr", low)
        self._lows = lows
        super().__init__(optimizer, last_epoch)
        self.base_lrs = lows

    def scale_fn(self, x: float) -> float:
        """Of a cycle's number or of a step, as scale_mode says."""
        if self._scale_fn_custom:
            return self._scale_fn_custom[0](x)
        if self.mode == "triangular2":
            return 0.5 ** (x - 1)
        return self.gamma**x if self.mode == "exp_range" else 1.0

    def _lr_at(self, t: int, base: float, group: int) -> float:
        cycle = math.floor(1 + t / self.total_size)
        x = 1.0 + t / self.total_size - cycle
        up = x / self.step_ratio if x <= self.step_ratio else (x - 1) / (self.step_ratio - 1)
        height = up * self.scale_fn(cycle if self.scale_mode == "cycle" else t)
        if self.cycle_momentum:
            low, high = self.base_momentums[group], self.max_momentums[group]
            set_momentum(self.optimizer.param_groups[group], high - (high - low) * height)
        return self._lows[group] + (self.max_lrs[group] - self._lows[group]) * height


class OneCycleLR(LRScheduler):
    """Up to max_lr, then far down, while the momentum goes the other way (Smith and Topin, 2018).

    The length is `total_steps`, or epochs * steps_per_epoch; step() once per batch. As in PyTorch the first rate is
    max_lr / div_factor and the last one that divided by final_div_factor.
    """

    _chains = False

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: float | list[float],
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: float | list[float] = 0.85,
        max_momentum: float | list[float] = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if total_steps is None:
            if not epochs or not steps_per_epoch:
                raise ValueError("[OneCycleLR] expected total_steps, or epochs and steps_per_epoch")
            total_steps = epochs * steps_per_epoch
        if total_steps <= 0:
            raise ValueError(f"Expected positive integer total_steps, but got {total_steps}")
        if not 0 <= pct_start <= 1:
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        groups = optimizer.param_groups
        self.total_steps = total_steps
        self.anneal_strategy = anneal_strategy
        self.cycle_momentum = cycle_momentum
        last = total_steps - 1
        up = pct_start * total_steps - 1
        if three_phase:
            down = 2 * pct_start * total_steps - 2
            self._phases = [(up, "initial", "max", "max_m", "base_m"), (down, "max", "initial", "base_m", "max_m")]
            self._phases.append((last, "initial", "min", "max_m", "max_m"))
        else:
            self._phases = [(up, "initial", "max", "max_m", "base_m"), (last, "max", "min", "base_m", "max_m")]
        lows = per_group(optimizer, "base_momentum", base_momentum)
        highs = per_group(optimizer, "max_momentum", max_momentum)
        tops = per_group(optimizer, "max_lr", max_lr)
        for group, top, low, high in zip(groups, tops, lows, highs, strict=True):
            if last_epoch == -1:
                group["initial_lr"] = top / div_factor
                group["max_lr"] = top
                group["min_lr"] = group["initial_lr"] / final_div_factor
            if cycle_momentum:
                cycles_beta(group)
                group["base_momentum"], group["max_momentum"] = low, high
        super().__init__(optimizer, last_epoch)

    def _anneal(self, t: int, values: dict[str, float], first: int) -> float:
        """`first`: which pair of names in a phase, 1 for the rate and 3 for the momentum."""
        start = 0.0
        for i, phase in enumerate(self._phases):
            end = phase[0]
            if t <= end or i == len(self._phases) - 1:
                a, b = values[phase[first]], values[phase[first + 1]]
                done = (t - start) / (end - start) if end != start else 1.0
                if self.anneal_strategy == "cos":
                    return b + (a - b) * (1 + math.cos(math.pi * done)) / 2
                return a + (b - a) * done
            start = end
        raise AssertionError("unreachable")

    def _lr_at(self, t: int, base: float, group: int) -> float:
        if t >= self.total_steps:
            raise ValueError(f"Tried to step {t + 1} times. The specified number of total steps is {self.total_steps}")
        g = self.optimizer.param_groups[group]
        if self.cycle_momentum:
            momentum = self._anneal(t, {"base_m": g["base_momentum"], "max_m": g["max_momentum"]}, 3)
            set_momentum(g, momentum)
        return self._anneal(t, {"initial": g["initial_lr"], "max": g["max_lr"], "min": g["min_lr"]}, 1)
