"""Scaling of the loss, so that small gradients survive float16."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import Any

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad

READY, UNSCALED, STEPPED = range(3)


class GradScaler:
    """scaler.scale(loss).backward(); scaler.step(optimizer); scaler.update()

    The loss is multiplied by a scale, and gradients divided by it before the step. Where one is inf or nan the step is
    left out and update() multiplies the scale by backoff_factor; after growth_interval steps in a row it multiplies it
    by growth_factor. To clip, call unscale_(optimizer) first. bfloat16 has float32's range and needs none of this.

    Args:
        device: 'cuda' or 'cpu'. Without such a device, scaling is off with a warning.
        init_scale, growth_factor, backoff_factor, growth_interval: as said.
        enabled: False makes every method pass on what it is given.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if growth_factor <= 1:
            raise ValueError("The growth factor must be > 1.0.")
        if not 0 < backoff_factor < 1:
            raise ValueError("The backoff factor must be < 1.0.")
        self._device = device
        if enabled and device == "cuda":
            from weft import cuda

            if not cuda.is_available():
                warnings.warn("GradScaler is enabled, but CUDA is not available. Disabling.", stacklevel=2)
                enabled = False
        self._enabled = enabled
        where = device if enabled else "cpu"
        self._scale = _core.full((), float(init_scale), dtype=_core.float32, device=where)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = _core.zeros((), dtype=_core.float32, device=where)  # good steps since the last change
        self._stages: dict[int, int] = {}  # of each optimizer since the last update()
        self._norms: dict[int, Tensor] = {}  # of its gradients; finite, summed in float64, if all elements are

    def scale(self, outputs: Tensor | Iterable[Tensor]) -> Any:
        """The tensor, or each of them, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale.to(outputs.device)
        if isinstance(outputs, Iterable):
            scaled = [self.scale(x) for x in outputs]
            return type(outputs)(scaled) if isinstance(outputs, list | tuple) else iter(scaled)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Any) -> None:
        """Divides the gradients of the optimizer's parameters by the scale, in place. At most once per step."""
        if not self._enabled:
            return
        stage = self._stages.get(id(optimizer), READY)
        if stage == UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if stage == STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        grads = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        with no_grad():
            norm = _core._clip_scale(grads)[0]
            _core._scale_(grads, self._scale.to(norm.device).reciprocal())
        self._norms[id(optimizer)] = norm
        self._stages[id(optimizer)] = UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """optimizer.step(*args, **kwargs), unscaled first if that has not happened, unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or (args and callable(args[0])):
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        stage = self._stages.get(id(optimizer), READY)
        if stage == STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        if stage == READY:
            self.unscale_(optimizer)
        self._stages[id(optimizer)] = STEPPED
        norm = self._norms[id(optimizer)]
        if not hasattr(optimizer, "_only_if_finite") or self._may_find_fresh(optimizer):  # not fused
            return optimizer.step(*args, **kwargs) if math.isfinite(float(norm)) else None
        optimizer._only_if_finite = norm  # looked at by the kernel, so that nobody has to wait for it here
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            del optimizer._only_if_finite

    @staticmethod
    def _may_find_fresh(optimizer: Any) -> bool:
        """Whether a first step left out would be missed: with dampening, momentum begins in another way."""
        return any(group.get("dampening") for group in optimizer.param_groups)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """Once per iteration, after all steps: the next scale, or the one given."""
        if not self._enabled:
            return
        if new_scale is None and not self._norms:
            raise RuntimeError("No inf checks were recorded prior to update.")
        with no_grad():
            if new_scale is None:
                self._adapt()
            elif isinstance(new_scale, Tensor):
                self._scale.copy_(new_scale.reshape(()))
            else:
                self._scale.fill_(float(new_scale))
        self._stages.clear()
        self._norms.clear()

    def _adapt(self) -> None:
        scale, tracker = self._scale, self._growth_tracker
        good = _core.ones((), dtype=_core.bool, device=scale.device)
        for norm in self._norms.values():
            good = good & norm.to(scale.device).isfinite()
        tracker.copy_(good * (tracker + 1))
        grows, grown = tracker == self._growth_interval, scale * self._growth_factor
        scale.copy_(
            _core.where(good, _core.where(grows & grown.isfinite(), grown, scale), scale * self._backoff_factor)
        )
        tracker.masked_fill_(grows, 0)

    def get_scale(self) -> float:
        """The scale, 1 where scaling is off."""
        return float(self._scale) if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """PyTorch's keys; empty where scaling is off."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": int(self._growth_tracker),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """RuntimeError for the empty dict of a scaler that was off."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        for name in ("growth_factor", "backoff_factor", "growth_interval"):
            setattr(self, f"_{name}", state_dict[name])
        self._scale.fill_(float(state_dict["scale"]))
        self._growth_tracker.fill_(float(state_dict["_growth_tracker"]))
