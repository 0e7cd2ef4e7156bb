"""Optimizers that look at a whole matrix at a time: several passes, made of ordinary operations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad
from weft.operations.dtypes import finfo
from weft.optim.optimizer import Optimizer, check_options


class Adafactor(Optimizer):
    """Adam without m, its v kept as one mean per row and one per column of the last two dimensions.

    lr is the largest relative step: the change has lr * max(eps[1], rms(p)) as its root mean square, at most, and lr
    itself falls as 1 / sqrt(step). eps[0] None is the dtype's. Shazeer and Stern, 2018, as torch.optim.Adafactor.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        check_options(lr=lr, eps1=eps[0] or 0.0, eps2=eps[1], weight_decay=weight_decay)
        if not beta2_decay <= 0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if not d >= 1:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        options = {"lr": lr, "beta2_decay": beta2_decay, "eps": tuple(eps), "d": d, "weight_decay": weight_decay}
        super().__init__(params, {**options, "maximize": maximize})

    def _step_group(self, group: dict[str, Any], grad_scale: float | Tensor | None) -> None:
        lr, (eps1, eps2) = float(group["lr"]), group["eps"]
        for p, g in _with_grads(group, grad_scale):
            least = finfo(p.dtype).eps if eps1 is None else eps1
            state = self._state_of(p)
            state["step"] += 1
            step = float(state["step"])
            blend = step ** group["beta2_decay"]
            change = min(lr, step**-0.5) * max(eps2, _rms(p))
            if group["weight_decay"]:
                p.mul_(1 - lr * group["weight_decay"])
            if g.dim() > 1:
                square, rows, columns = g * g, state["row_var"], state["col_var"]
                rows.lerp_(square.mean(-1, keepdim=True), blend)
                columns.lerp_(square.mean(-2, keepdim=True), blend)
                variance = (rows @ columns).div_(rows.mean(-2, keepdim=True).clamp_(min=least))
            else:
                variance = state["variance"].lerp_(g * g, blend)
            update = variance.clamp(min=least * least).rsqrt_().mul_(g)
            p.add_(update, alpha=-change / max(1.0, _rms(update) / group["d"]))

    def _state_of(self, p: Tensor) -> dict[str, Any]:
        state = self.state[p]
        if not state:
            state["step"] = _core.zeros((), dtype=_core.float32)
            for name in ("row_var", "col_var") if p.dim() > 1 else ("variance",):
                state[name] = _core.zeros(self._state_shape(name, p), dtype=p.dtype, device=p.device)
        return state

    def _state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        shape = list(p.shape)
        if name in ("row_var", "col_var"):
            shape[-1 if name == "row_var" else -2] = 1
        return tuple(shape)


class Muon(Optimizer):
    """p = p * (1 - lr * weight_decay) - rate * O, O the orthogonal matrix nearest to the momentum. Matrices only.

    O is found by ns_steps Newton-Schulz steps in bfloat16. adjust_lr_fn says what rate is: "original", lr *
    sqrt(max(1, rows / columns)), or "match_rms_adamw", lr * 0.2 * sqrt(max(rows, columns)). Jordan et al., 2024, as
    torch.optim.Muon; embeddings, biases and the last layer are for AdamW.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        check_options(lr=lr, weight_decay=weight_decay, momentum=momentum)
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        if ns_steps >= 100:
            raise ValueError("Number of steps must be less than 100 for computational efficiency")
        if len(ns_coefficients) != 3:
            raise ValueError("Coefficients must be a tuple of exactly 3 values")
        options = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "nesterov": nesterov, "eps": eps}
        more = {"ns_coefficients": ns_coefficients, "ns_steps": ns_steps, "adjust_lr_fn": adjust_lr_fn}
        super().__init__(params, {**options, **more})
        for p in self._all():
            if p.dim() != 2:
                raise ValueError(f"Muon only supports 2D parameters, found one of {p.dim()} dimensions")

    def _step_group(self, group: dict[str, Any], grad_scale: float | Tensor | None) -> None:
        lr, momentum = float(group["lr"]), group["momentum"]
        for p, g in _with_grads(group, grad_scale):
            state = self.state[p]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = _core.zeros_like(p)
            m = state["momentum_buffer"].lerp_(g, 1 - momentum)
            update = orthogonal(
                g.lerp(m, momentum) if group["nesterov"] else m,
                group["ns_coefficients"],
                group["ns_steps"],
                group["eps"],
            )
            rows, columns = p.shape
            if group["adjust_lr_fn"] == "match_rms_adamw":
                rate = lr * 0.2 * math.sqrt(max(rows, columns))
            else:
                rate = lr * math.sqrt(max(1, rows / columns))
            p.mul_(1 - lr * group["weight_decay"])
            p.add_(update.to(p.dtype), alpha=-rate)


def orthogonal(m: Tensor, coefficients: tuple[float, float, float], steps: int, eps: float) -> Tensor:
    """Nearly U Vᵀ of m = U S Vᵀ, bfloat16: singular values go to about 1 under x -> a x + b x³ + c x⁵."""
    a, b, c = coefficients
    x = m.to(_core.bfloat16)
    tall = m.shape[0] > m.shape[1]
    if tall:
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = _core.addmm(x, _core.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x


def _with_grads(group: dict[str, Any], grad_scale: float | Tensor | None) -> Iterator[tuple[Tensor, Tensor]]:
    """Each parameter that has a gradient, with what a step is to descend along, off the tape."""
    with no_grad():
        for p in group["params"]:
            if p.grad is not None:
                g = p.grad if grad_scale is None else p.grad * grad_scale
                yield p, -g if group.get("maximize") else g


def _rms(t: Tensor) -> float:
    return float(t.norm()) / math.sqrt(t.numel()) if t.numel() else 0.0
