"""Steps that are recorded once and replayed without Python."""

from __future__ import annotations

import copy
import types
import warnings
from collections.abc import Callable
from functools import partial, update_wrapper
from typing import Any

import numpy as np

from weft import _core
from weft.nn.module import Module

MOST_RECORDINGS = 64  # kept for one function: kinds of arguments, modes, threads that call at once


class ReplayWarning(UserWarning):
    """A function given to weft.compile cannot be replayed and runs as it is."""


class Compiled(_core._Compiled):
    """A function whose calls are recorded and replayed. Made by `weft.compile`."""

    def __init__(self, function: Callable, fullgraph: bool = False) -> None:
        super().__init__(function, _warn, fullgraph, MOST_RECORDINGS)
        if not isinstance(function, Module):
            update_wrapper(self, function)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    @property
    def plans(self) -> list[Plan]:
        """The recordings in use, the one that ran last first."""
        return [Plan(arguments, plan) for arguments, plan in self._plans()]

    def describe(self) -> str:
        """The launches and the memory of the recording that ran last."""
        return self.plans[0].describe() if self.plans else "nothing is recorded yet"

    def profile(self, repeats: int = 10) -> str:
        """Replays the recording that ran last and times each launch. It does what the step does: it trains."""
        return self.plans[0].profile(repeats) if self.plans else "nothing is recorded yet"


class Plan:
    """A recording: its launches and its memory."""

    def __init__(self, arguments: str, plan: Any) -> None:
        self.arguments = arguments
        self._plan = plan

    @property
    def nbytes(self) -> int:
        """Bytes of memory of its own: what lies between its launches, and its copies of the arguments."""
        return self._plan.nbytes

    @property
    def peak(self) -> int:
        """The most bytes that were in use at once, arguments aside."""
        return self._plan.peak

    def __len__(self) -> int:
        return len(self._plan)

    def describe(self) -> str:
        lines = self._plan._lines()
        graphs = any(graph >= 0 for *_, graph in lines)  # of launches that a GPU gets at once
        rows = [
            (str(i), name, device, f"{work:,.0f}", *([str(graph) if graph >= 0 else ""] if graphs else []))
            for i, (name, device, work, graph) in enumerate(lines)
        ]
        memory = (
            f"{len(self)} launches for ({self.arguments}); memory of its own {size(self.nbytes)}, "
            f"at most {size(self.peak)} of it at once; weights, state and arguments outside {size(self._plan.outside)}"
        )
        head = ("#", "launch", "device", "work", *(["graph"] if graphs else []))
        return "\n".join([*table(head, rows), memory])

    def profile(self, repeats: int = 10) -> str:
        runs = np.array([self._plan._times() for _ in range(repeats)])
        times = np.median(runs, axis=0) * 1e6
        share = times / max(times.sum(), 1e-9)
        rows = [
            (str(i), name, f"{t:.1f}", f"{s:.1%}")
            for i, ((name, *_), t, s) in enumerate(zip(self._plan._lines(), times, share, strict=True))
        ]
        return "\n".join([*table(("#", "launch", "us", "share"), rows), f"{times.sum():.1f} us, median of {repeats}"])


def size(n: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if n < 1024:
            return f"{n:.4g} {unit}"
        n /= 1024
    return f"{n:.4g} GiB"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    return ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in (head, *rows)]


def compile(model: Callable | None = None, *, fullgraph: bool = False) -> Any:
    """Records what a function or module launches when it first runs, and replays that from then on without Python.

    For a forward pass, or for a whole training step: forward, loss, backward, clipping, optimizer, schedule. The first
    call with arguments of a kind (shapes, dtypes, devices, Python values), in a mode (training, gradients, autocast),
    runs as it is and is recorded; later calls copy their tensors in and replay, to the same bits. Weights, statistics
    and optimizer state are read and changed where they are; learning rates and other numbers of optimizers may change
    between calls; random numbers go on as they would. Assigning other modules, tensors or attributes makes a new
    recording. Other Python is not run again: printing, counting, appending.

    What cannot be replayed runs as it is, with one ReplayWarning that says why and where: a value read by Python
    (`item()`, `if x > 0`, `numpy()`), hooks, attributes changed by the step, arguments changed in place, tensors made
    of Python's data, tensors kept outside, Python's or NumPy's random numbers, a result that is differentiated outside.

    Threads may call the result at the same time. Where nothing is changed each gets memory of its own. On a GPU,
    launches that follow one another are sent as one CUDA graph; a look at values (labels, indices) comes between.

    Args:
        model: the function or module; without it, a decorator is returned.
        fullgraph: what cannot be replayed is a RuntimeError instead.

    Returns:
        Of a function a `Compiled`: call it like the function; `plans`, `describe()`, `profile()` show what was
        recorded. Of a module a twin that shares its attributes, parameters and modes: what happens to one happens to
        the other, names in the state_dict are the same, and the `Compiled` is its attribute `compiled`.
    """
    if model is None:
        return partial(compile, fullgraph=fullgraph)
    if isinstance(model, Compiled):
        return model
    if not callable(model):
        raise TypeError(f"[compile] expected a function or a module, got {type(model).__name__}")
    return _twin(model, Compiled(model, fullgraph)) if isinstance(model, Module) else Compiled(model, fullgraph)


def _twin(module: Module, compiled: Compiled) -> Module:
    kind = type(module)
    if hasattr(module, "compiled"):
        return module

    class Twin(kind):  # type: ignore[misc, valid-type]
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return compiled(*args, **kwargs)

        def __deepcopy__(self, memo: dict) -> Module:
            return copy.deepcopy(module, memo)

        def __reduce_ex__(self, protocol: Any) -> Any:
            return module.__reduce_ex__(protocol)

    Twin.__name__, Twin.__qualname__, Twin.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    Twin.compiled, Twin._orig_mod = compiled, module
    twin = object.__new__(Twin)
    object.__setattr__(twin, "__dict__", module.__dict__)
    return twin


def _warn(sentence: str) -> None:
    warnings.warn(sentence, ReplayWarning, stacklevel=2)
