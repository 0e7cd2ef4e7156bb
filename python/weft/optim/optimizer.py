"""Optimizer: parameter groups, their state, and its saved form, which is PyTorch's."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np

from weft._core import Tensor, as_tensor
from weft._grad_mode import enable_grad


class Optimizer:
    """Base of all optimizers; subclasses write `_step_group(group, params, grads)`.

    params: tensors, (name, tensor) pairs, or dicts {"params": …, option: value} with options of their own.
    """

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
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if set_to_none:
                        p.grad = None
                    else:
                        p.grad = p.grad.detach().zero_()

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One update of all parameters that have a gradient. Returns closure()'s result, where one is given."""
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            for params, grads in _alike(group["params"]):
                self._step_group(group, params, grads)
        return loss

    def _step_group(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor]) -> None:
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
            state[p] = {name: _state_value(name, value, p) for name, value in values.items()}
        self.state = state
        self.param_groups = [
            {**{k: copy.deepcopy(v) for k, v in saved.items() if k != "params"}, "params": own["params"]}
            for own, saved in zip(self.param_groups, groups, strict=True)
        ]

    def _all(self) -> Iterator[Tensor]:
        return chain.from_iterable(group["params"] for group in self.param_groups)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])


def _alike(params: list[Tensor]) -> Iterator[tuple[list[Tensor], list[Tensor]]]:
    """Parameters that have a gradient, with it, in lists of one dtype and device: nearly always one list."""
    lists: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
    for p in params:
        grad = p.grad
        if grad is not None:
            ps, gs = lists.setdefault((p.dtype, p.device), ([], []))
            ps.append(p)
            gs.append(grad)
    return iter(lists.values())


def _state_value(name: str, value: Any, p: Tensor) -> Any:
    if not isinstance(value, Tensor):
        if not hasattr(value, "detach") and not isinstance(value, np.ndarray):
            return copy.deepcopy(value)
        value = as_tensor(value if isinstance(value, np.ndarray) else value.detach().cpu().numpy())
    if name == "step":  # counts in float32 whatever the parameter's dtype
        return value.detach().clone()
    if tuple(value.shape) != tuple(p.shape) and value.numel() != 1:
        raise ValueError(f"loaded state dict: {name} has shape {tuple(value.shape)}, its parameter {tuple(p.shape)}")
    return value.detach().to(device=p.device, dtype=p.dtype if p.is_floating_point() else None, copy=True)


def check_options(**options: float) -> None:
    """lr, momentum, weight_decay and eps: none may be negative."""
    for name, value in options.items():
        if not value >= 0.0:
            what = {"lr": "learning rate", "eps": "epsilon value"}.get(name, f"{name} value")
            raise ValueError(f"Invalid {what}: {value}")
