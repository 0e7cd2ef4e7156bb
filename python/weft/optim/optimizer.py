"""Optimizer: parameter groups, their state, and its saved form, which is PyTorch's."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from weft import _core
from weft._core import Tensor, as_tensor
from weft._grad_mode import enable_grad


class Optimizer:
    """Base of all optimizers; subclasses write `_step_group(group, grad_scale)`.

    params: tensors, (name, tensor) pairs, or dicts {"params": …, option: value} with options of their own.
    """

    _scalars: tuple[str, ...] = ("step",)  # state that is one float32 number, whatever the parameter's dtype
    grad_norm: Tensor | None = None  # of the last step(max_norm=…)

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError(
                f"params argument given to the optimizer should be an iterable of Tensors or dicts, "
                f"but got {type(params).__name__}"
            )
        self.defaults = defaults
        self.state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, set):
            raise TypeError("optimizer parameters need to be organized in ordered collections: sets have no order")
        params = [params] if isinstance(params, Tensor) else list(params)
        params = [p[1] if isinstance(p, tuple) else p for p in params]  # named_parameters()
        known = {id(p) for group in self.param_groups for p in group["params"]}
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(p).__name__}")
            if not p.is_leaf:
                raise ValueError("can't optimize a non-leaf Tensor")
            if id(p) in known:
                raise ValueError("some parameters appear in more than one parameter group, or twice in one")
            known.add(id(p))
        self.param_groups.append({**self.defaults, **param_group, "params": params})

    def zero_grad(self, set_to_none: bool = True) -> None:
        _core._zero_grads(self._all(), set_to_none)

    def step(
        self,
        closure: Callable[[], Any] | None = None,
        *,
        max_norm: float | None = None,
        grad_scale: float | Tensor | None = None,
    ) -> Any:
        """One update of all parameters that have a gradient. Returns closure()'s result, where one is given.

        grad_scale multiplies the gradients on their way in. max_norm does to them what nn.utils.clip_grad_norm_ over
        all parameters of this optimizer would do before the step, without writing them: they stay as they are, and the
        norm they had (times grad_scale) is in `grad_norm` afterwards.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        if max_norm is not None:
            grads = [p.grad for p in self._all() if p.grad is not None]
            norm, clip = _core._clip_scale(grads, float(max_norm), grad_scale)
            self.grad_norm = norm if grad_scale is None else norm * grad_scale
            grad_scale = clip
        if not isinstance(self, FusedOptimizer):
            _core._not_replayable(f"{type(self).__name__} computes its step in Python")
        for group in self.param_groups:
            self._step_group(group, grad_scale)
        return loss

    def _step_group(self, group: dict[str, Any], grad_scale: float | Tensor | None) -> None:
        raise NotImplementedError

    # Saved form

    def state_dict(self) -> dict[str, Any]:
        """{"state": {i: {name: value}}, "param_groups": [{"params": [i, …], option: value}]}; tensors are shared."""
        number = {id(p): i for i, p in enumerate(self._all())}
        groups = [{**group, "params": [number[id(p)] for p in group["params"]]} for group in self.param_groups]
        state = {number[id(p)]: dict(values) for p, values in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes over options and state; the state's tensors are copied, to each parameter's dtype and device."""
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError(
                f"loaded state dict has a different number of parameter groups: "
                f"expected {len(self.param_groups)}, got {len(groups)}"
            )
        for i, (own, saved) in enumerate(zip(self.param_groups, groups, strict=True)):
            if len(own["params"]) != len(saved["params"]):
                raise ValueError(
                    f"loaded state dict contains a parameter group that doesn't match the size of optimizer's group "
                    f"(group {i}: expected {len(own['params'])} parameters, got {len(saved['params'])})"
                )
        params = dict(zip(chain.from_iterable(g["params"] for g in groups), self._all(), strict=True))
        state: dict[Tensor, dict[str, Any]] = defaultdict(dict)
        for key, values in state_dict["state"].items():
            p = params.get(key)
            if p is None:
                raise ValueError(f"loaded state dict has state for parameter {key!r}, which is in no group")
            state[p] = {name: self._state_value(name, value, p) for name, value in values.items()}
        self.state = state
        self.param_groups = [
            {**{k: copy.deepcopy(v) for k, v in saved.items() if k != "params"}, "params": own["params"]}
            for own, saved in zip(self.param_groups, groups, strict=True)
        ]

    def _state_value(self, name: str, value: Any, p: Tensor) -> Any:
        if not isinstance(value, Tensor):
            if name in self._scalars and isinstance(value, int | float):  # as PyTorch's SparseAdam keeps its step
                return _core.tensor(float(value))
            if not hasattr(value, "detach") and not isinstance(value, np.ndarray):
                return copy.deepcopy(value)
            value = as_tensor(value if isinstance(value, np.ndarray) else value.detach().cpu().numpy())
        if name in self._scalars:
            return value.detach().clone()
        if tuple(value.shape) != self._state_shape(name, p):
            raise ValueError(
                f"loaded state dict: {name} has shape {tuple(value.shape)}, its parameter {tuple(p.shape)}"
            )
        return value.detach().to(device=p.device, dtype=p.dtype if p.is_floating_point() else None, copy=True)

    def _state_shape(self, name: str, p: Tensor) -> tuple[int, ...]:
        return tuple(p.shape)

    def _all(self) -> Iterator[Tensor]:
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


class FusedOptimizer(Optimizer):
    """An optimizer whose step is a rule of csrc/kernels/optimizer_rules.h: one native call for each group."""

    _rule: str
    _counted = True  # state["step"] is the number of steps, in float32
    _not_dense = ""  # why it takes no dense gradients
    _only_if_finite: Tensor | None = None  # set by GradScaler for the length of a step: the norm of the gradients

    def _names(self, group: dict[str, Any]) -> tuple[str | None, ...]:
        """The keys of the rule's state; None for what this group does not keep."""
        raise NotImplementedError

    def _numbers(self, group: dict[str, Any]) -> dict[str, float]:
        """What the rule needs to know besides lr and weight_decay, by its own names."""
        raise NotImplementedError

    def _not_sparse(self, group: dict[str, Any]) -> str:
        """Why this group takes no sparse gradients, or ''."""
        return f"{type(self).__name__} does not support sparse gradients"

    def _first(self, name: str, group: dict[str, Any], p: Tensor) -> Tensor:
        """What state begins with."""
        return _core.zeros_like(p)

    def _step_group(self, group: dict[str, Any], grad_scale: float | Tensor | None) -> None:
        names = self._names(group)

        def new_state(p: Tensor) -> dict[str, Any]:
            state = self.state[p]
            if self._counted and "step" not in state:
                state["step"] = _core.zeros((), dtype=_core.float32, device=p.device)
            for name in names:
                if name is not None and state.get(name) is None:
                    state[name] = self._first(name, group, p)
            return state

        _core._optimizer_step(
            self._rule,
            group,
            self.state,
            names,
            new_state,
            self._numbers,
            grad_scale,
            self._not_sparse(group),
            self._not_dense,
            self._only_if_finite,
        )


def check_options(**options: float) -> None:
    """lr, momentum, weight_decay and eps: none may be negative."""
    for name, value in options.items():
        if not value >= 0.0:
            what = {"lr": "learning rate", "eps": "epsilon value"}.get(name, f"{name} value")
            raise ValueError(f"Invalid {what}: {value}")


def not_differentiable(differentiable: bool) -> None:
    """PyTorch's foreach, fused and capturable choose between forms of the same step, and there is one form here."""
    if differentiable:
        raise NotImplementedError("a step that is itself differentiated (differentiable=True) is not supported")
