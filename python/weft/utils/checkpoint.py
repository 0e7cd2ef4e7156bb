"""Less memory for more time: what backward needs of a function is computed again instead of being kept."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from itertools import pairwise
from typing import Any

from weft import _core
from weft._core import Tensor
from weft._grad_mode import enable_grad
from weft.amp.autocast_mode import as_now
from weft.autograd.graph import saved_tensors_hooks

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn"]


class CheckpointError(RuntimeError):
    """The function did something else the second time."""


def noop_context_fn() -> tuple[AbstractContextManager, AbstractContextManager]:
    return nullcontext(), nullcontext()


def checkpoint(
    function: Callable,
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[AbstractContextManager, AbstractContextManager]] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    preserve_rng_state: bool = True,
    **kwargs: Any,
) -> Any:
    """function(*args, **kwargs), which keeps nothing for backward but its arguments: backward calls it again.

    Dropout inside drops the same elements again, gradients are those of a plain call bit for bit, calls may be nested,
    and the function may use tensors that are not arguments. It must do the same both times; batch norms count the batch
    twice.

    Args:
        use_reentrant: accepted; there is one implementation, which behaves like PyTorch's use_reentrant=False.
        context_fn: gives the context managers of the first and of the second call.
        determinism_check: "default" compares the shapes and dtypes of what is computed again, "none" does not.
        debug: accepted and changes nothing.
        early_stop: the second call ends where everything is there that backward needs.
        preserve_rng_state: the second call draws the same random numbers.

    Raises:
        CheckpointError: in backward, if the function saves other tensors the second time.
    """
    if determinism_check not in ("default", "none"):
        raise ValueError(f"[checkpoint] expected determinism_check 'default' or 'none', got {determinism_check!r}")
    if not callable(function):
        raise TypeError(f"[checkpoint] expected a function, got {type(function).__name__}")
    first, again = context_fn()
    if not _core.is_grad_enabled() or _core.is_inference_mode_enabled():
        with first:
            return function(*args, **kwargs)
    frame = _Frame(function, args, kwargs, again, determinism_check == "default", early_stop, preserve_rng_state)
    with saved_tensors_hooks(frame.pack, _unpack), first:
        result = function(*args, **kwargs)
    frame.complete = True
    return result


def checkpoint_sequential(
    functions: Iterable[Callable], segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Applies the functions (or an nn.Sequential) one after another, in `segments` parts of which all but the last are
    checkpointed."""
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("[checkpoint_sequential] unexpected keyword arguments: " + ", ".join(kwargs))
    children = getattr(functions, "children", None)
    functions = list(children() if children else functions)
    if not 1 <= segments <= max(len(functions), 1):
        raise ValueError(f"[checkpoint_sequential] expected 1 to {len(functions)} segments, got {segments}")

    def part(start: int, end: int) -> Callable:
        def run(x):
            for f in functions[start:end]:
                x = f(x)
            return x

        return run

    size = len(functions) // segments
    starts = [k * size for k in range(segments)]
    for start, end in pairwise(starts):
        input = checkpoint(part(start, end), input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part(starts[-1], len(functions))(input)


class _Stop(BaseException):
    """Everything is there. Not an Exception: nobody on the way should catch it."""

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame


class _Holder:
    """Stands for the index-th tensor that the function saved; kept by the tape in its place."""

    __slots__ = ("__weakref__", "frame", "index", "kind")

    def __init__(self, frame: _Frame, index: int, t: Tensor) -> None:
        self.frame = frame
        self.index = index
        self.kind = _kind(t)


def _kind(t: Tensor) -> tuple:
    return tuple(t.shape), t.dtype, t.device


def _unpack(holder: _Holder) -> Tensor:
    return holder.frame.tensor(holder)


class _Frame:
    """One call of checkpoint: how to call the function again, and who waits for its tensors."""

    def __init__(self, function, args, kwargs, again, check: bool, early_stop: bool, preserve_rng_state: bool) -> None:
        self.function = function
        # Saved like any operation's tensors: a checkpoint around this one need not keep them.
        self.arguments = _map((args, kwargs), _Argument)
        self.again = again
        self.autocast = as_now()
        self.check = check
        self.early_stop = early_stop
        self.random_state = _core.get_rng_state() if preserve_rng_state else None
        self.holders: list[weakref.ref[_Holder]] = []
        self.found: dict[int, Tensor] = {}
        self.complete = False

    def pack(self, t: Tensor) -> _Holder:
        holder = _Holder(self, len(self.holders), t)
        self.holders.append(weakref.ref(holder))
        return holder

    def tensor(self, holder: _Holder) -> Tensor:
        if holder.index not in self.found:
            self.compute_again()
        if holder.index not in self.found:
            raise CheckpointError(
                f"[checkpoint] backward needs the tensor {holder.index} that the function saved, and the second call "
                "saved fewer; it must do the same both times"
            )
        return self.found.pop(holder.index)

    def compute_again(self) -> None:
        count, wanted = 0, len(self.holders)

        def keep(t: Tensor) -> Tensor:
            nonlocal count
            index, t = count, t.detach()
            count += 1
            holder = self.holders[index]() if index < wanted else None
            if holder is not None:
                self.compare(holder, t)
                self.found[index] = t
            elif index >= wanted and self.complete and self.check:
                raise CheckpointError(f"[checkpoint] the function saved {wanted} tensors and more the second time")
            if count == wanted and self.early_stop:
                raise _Stop(self)
            return t

        args, kwargs = _map(self.arguments, lambda a: a.tensor())
        with ExitStack() as stack:
            if self.random_state is not None:
                stack.callback(_core.set_rng_state, _core.get_rng_state())
                _core.set_rng_state(self.random_state)
            stack.enter_context(enable_grad())
            stack.enter_context(saved_tensors_hooks(keep, lambda t: t))
            stack.enter_context(self.autocast())
            stack.enter_context(self.again)
            try:
                self.function(*args, **kwargs)
            except _Stop as stop:
                if stop.frame is not self:
                    raise

    def compare(self, holder: _Holder, t: Tensor) -> None:
        if self.check and holder.kind != _kind(t):
            first, second = (f"shape {shape}, {dtype} on {device}" for shape, dtype, device in (holder.kind, _kind(t)))
            raise CheckpointError(
                f"[checkpoint] the function saved other tensors the second time: number {holder.index} had {first}, "
                f"now {second}"
            )


class _Argument:
    """A tensor among the arguments."""

    def __init__(self, t: Tensor) -> None:
        self.saved = _core._Saved(t)
        self.requires_grad = t.requires_grad

    def tensor(self) -> Tensor:
        return self.saved.get("checkpoint").detach().requires_grad_(self.requires_grad)


def _map(tree: Any, f: Callable) -> Any:
    """The tree with f of each tensor, or of what stands for one."""
    if isinstance(tree, Tensor | _Argument):
        return f(tree)
    if type(tree) in (tuple, list):
        return type(tree)(_map(x, f) for x in tree)
    if type(tree) is dict:
        return {k: _map(v, f) for k, v in tree.items()}
    return tree
