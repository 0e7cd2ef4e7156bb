"""Hooks around forward and backward of modules, kept by number so that each can be taken out again."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad

if TYPE_CHECKING:
    from weft.nn.module import Module


class RemovableHandle:
    """Takes a hook out again; also a context manager."""

    def __init__(self, hooks: dict[int, Any]) -> None:
        self._hooks = hooks
        self.id = next(_ids)

    def remove(self) -> None:
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exc: object) -> None:
        self.remove()


_ids = iter(range(1, 1 << 62))


class Hook(NamedTuple):
    kind: str  # "forward_pre", "forward", "backward_pre" or "backward"
    call: Callable
    with_kwargs: bool = False
    always_call: bool = False


# Those of every module, registered below.
EVERYWHERE: OrderedDict[int, Hook] = OrderedDict()


def add_hook(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    handle = RemovableHandle(hooks)
    hooks[handle.id] = hook
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_module_forward_pre_hook(hook: Callable) -> RemovableHandle:
    """Module.register_forward_pre_hook for every module; called before the modules' own."""
    return add_hook(EVERYWHERE, Hook("forward_pre", hook))


def register_module_forward_hook(
    hook: Callable, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Module.register_forward_hook for every module; called before the modules' own."""
    return add_hook(EVERYWHERE, Hook("forward", hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable) -> RemovableHandle:
    """Module.register_full_backward_pre_hook for every module; called before the modules' own."""
    return add_hook(EVERYWHERE, Hook("backward_pre", hook))


def register_module_full_backward_hook(hook: Callable) -> RemovableHandle:
    """Module.register_full_backward_hook for every module; called before the modules' own."""
    return add_hook(EVERYWHERE, Hook("backward", hook))


def _hooks_of(module: Module, kind: str) -> Iterator[Hook]:
    for hooks in (EVERYWHERE, module._hooks or {}):
        yield from [h for h in hooks.values() if h.kind == kind]


def call_with_hooks(module: Module, args: tuple, kwargs: dict) -> Any:
    _core._not_replayable(f"a hook of {type(module).__name__} is called")
    done: list[Hook] = []
    output = None
    try:
        args, kwargs = _before_forward(module, args, kwargs)
        watch = _BackwardWatch(module)
        output = module.forward(*watch.inputs(args), **kwargs)
        for hook in _hooks_of(module, "forward"):
            done.append(hook)
            result = hook.call(module, args, kwargs, output) if hook.with_kwargs else hook.call(module, args, output)
            output = output if result is None else result
        return watch.outputs(output)
    except Exception:
        for hook in _hooks_of(module, "forward"):
            if hook.always_call and hook not in done:
                _call_after_error(hook, module, args, kwargs, output)
        raise


def _before_forward(module: Module, args: tuple, kwargs: dict) -> tuple[tuple, dict]:
    for hook in _hooks_of(module, "forward_pre"):
        if hook.with_kwargs:
            result = hook.call(module, args, kwargs)
            if result is not None:
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise RuntimeError(f"forward pre-hook must return None or a tuple (args, kwargs), got {result}")
                args, kwargs = result
        else:
            result = hook.call(module, args)
            if result is not None:
                args = result if isinstance(result, tuple) else (result,)
    return args, kwargs


def _call_after_error(hook: Hook, module: Module, args: tuple, kwargs: dict, output: Any) -> None:
    try:
        hook.call(module, args, kwargs, output) if hook.with_kwargs else hook.call(module, args, output)
    except Exception as error:
        warnings.warn(f"a forward hook with always_call=True raised {error!r} after forward had failed", stacklevel=2)


class _BackwardWatch:
    """Calls a module's backward hooks: nodes around its inputs and outputs that pass gradients on."""

    def __init__(self, module: Module) -> None:
        self.module = module
        self.hooks = list(_hooks_of(module, "backward"))
        self.pre_hooks = list(_hooks_of(module, "backward_pre"))
        self.count = 0
        self.tied = False
        self.grad_outputs: tuple | None = None

    def inputs(self, args: tuple) -> tuple:
        self.count = len(args)
        if not self.hooks:
            return args
        args, self.tied = _tie(args, self._input_gradients)
        return args

    def outputs(self, output: Any) -> Any:
        if not (self.hooks or self.pre_hooks):
            return output
        if isinstance(output, Tensor):
            return _tie((output,), self._output_gradients)[0][0]
        if isinstance(output, tuple):
            return _tie(output, self._output_gradients)[0]
        warnings.warn(
            "for backward hooks to be called, a module's output should be a tensor or a tuple of tensors, got "
            f"{type(output).__name__}",
            stacklevel=2,
        )
        return output

    def _output_gradients(self, grads: tuple) -> tuple:
        for hook in self.pre_hooks:
            grads = _replaced("pre hook", grads, hook.call(self.module, grads))
        if self.hooks and not self.tied:
            nothing = (None,) * self.count
            for hook in self.hooks:
                result = hook.call(self.module, nothing, grads)
                if result is not None and any(g is not None for g in _as_tuple(result)):
                    raise RuntimeError(
                        "a backward hook of a module of which no input requires a gradient must return None"
                    )
        self.grad_outputs = grads
        return grads

    def _input_gradients(self, grads: tuple) -> tuple:
        if self.grad_outputs is None:  # the outputs are not part of this backward pass
            return grads
        for hook in self.hooks:
            grads = _replaced("hook", grads, hook.call(self.module, grads, self.grad_outputs))
        self.grad_outputs = None
        return grads


def _as_tuple(x: Any) -> tuple:
    return x if isinstance(x, tuple) else (x,)


def _replaced(what: str, grads: tuple, result: Any) -> tuple:
    if result is None:
        return grads
    result = _as_tuple(result)
    if len(result) != len(grads):
        raise RuntimeError(f"a backward {what} returned {len(result)} gradients, expected {len(grads)}")
    return result


def _tie(values: tuple, call: Callable[[tuple], tuple]) -> tuple[tuple, bool]:
    """The values, where tensors that require gradients are views whose gradients pass through `call`, which gets and
    returns one gradient or None for each value; and whether there are any."""
    at = [i for i, v in enumerate(values) if isinstance(v, Tensor) and v.requires_grad]
    if not at or not _core.is_grad_enabled():
        return values, False
    with no_grad():
        views = [values[i].view(values[i].shape) for i in at]

    def back(_, *found):
        grads: list = [None] * len(values)
        for i, g in zip(at, found, strict=True):
            grads[i] = g
        changed = call(tuple(grads))
        return tuple(changed[i] for i in at)

    _core._record_python("BackwardHook", [values[i] for i in at], views, back)
    result = list(values)
    for i, view in zip(at, views, strict=True):
        result[i] = view
    kind = type(values)
    return (kind._make(result) if hasattr(kind, "_make") else kind(result)), True
