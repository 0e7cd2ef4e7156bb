"""Schedules along a cosine."""

from __future__ import annotations

import math

from weft.optim.lr_scheduler.base import LRScheduler
from weft.optim.optimizer import Optimizer


class CosineAnnealingLR(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi t / T_max)) / 2"""

    def __init__(self, optimizer: Optimizer, T_max: float, eta_min: float = 0.0, last_epoch: int = -1) -> None:
        self.T_max = T_max
        self.eta_min = eta_min
        super().__init__(optimizer, last_epoch)

    def _lr_at(self, t: int, base: float, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * t / self.T_max)) / 2


class CosineAnnealingWarmRestarts(LRScheduler):
    """eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2, again and again (Loshchilov and Hutter, 2017).

    The first cycle takes T_0 steps, each later one T_mult times as many as the one before. step(epoch) may be given
    fractions of an epoch, as in epoch + i / batches. ValueError unless T_0 > 0 and T_mult >= 1 are integers.
    """

    _chains = False

    def __init__(
        self, optimizer: Optimizer, T_0: int, T_mult: int = 1, eta_min: float = 0.0, last_epoch: int = -1
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, int | float):
            raise ValueError(f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}")
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def _place(self, epoch: float) -> None:
        """T_cur and T_i of a step, counted from the beginning."""
        self.T_i = self.T_0
        if self.T_mult == 1:
            epoch %= self.T_0
        while epoch >= self.T_i:
            epoch -= self.T_i
            self.T_i *= self.T_mult
        self.T_cur = epoch

    def step(self, epoch: float | None = None) -> None:
        """To the next step, or to `epoch`, which may be a fraction."""
        if epoch is not None and epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        self._step_count += 1
        if epoch is None and self._step_count > 1:
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur -= self.T_i
                self.T_i *= self.T_mult
            self.last_epoch += 1
        else:
            epoch = self.last_epoch + 1 if epoch is None else epoch
            self._place(epoch)
            self.last_epoch = math.floor(epoch)
        self._set(self.get_lr())

    def _lr_at(self, t: int, base: float, group: int) -> float:
        return self.eta_min + (base - self.eta_min) * (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
