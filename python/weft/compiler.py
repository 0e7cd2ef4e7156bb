"""Steps that are recorded once and replayed without Python."""

from __future__ import annotations

import copy
import random
import types
import warnings
from collections.abc import Callable, Iterator
from functools import partial, update_wrapper, wraps
from typing import Any

import numpy as np

from weft import _core
from weft._core import Tensor
from weft.nn.module import Module

MOST_RECORDINGS = 64  # kept for one function: kinds of arguments, modes, threads that call at once
MOST_WATCHED = 100_000  # objects that a function can reach, before it is left alone


class ReplayWarning(UserWarning):
    """A function given to weft.compile cannot be replayed and runs as it is."""


def at_each_replay(method: Callable) -> Callable:
    """For what only Python can do and a step needs each time, such as a schedule: it is called again by every replay.

    Arguments stay what they were. With a tensor among them it is left alone: its value would be read by Python.
    """

    @wraps(method)
    def run(*args: Any, **kwargs: Any) -> Any:
        if not _core._recording() or any(isinstance(a, Tensor) for a in (*args, *kwargs.values())):
            return method(*args, **kwargs)
        return _core._now_and_at_replay(partial(method, *args, **kwargs))

    return run


class Compiled(_core._Compiled):
    """A function whose calls are recorded and replayed. Made by `weft.compile`."""

    def __init__(self, function: Callable, fullgraph: bool = False) -> None:
        super().__init__(function, _watch, _warn, fullgraph, MOST_RECORDINGS)
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
        rows = [(str(i), name, device, f"{work:,.0f}") for i, (name, device, work) in enumerate(self._plan._lines())]
        memory = (
            f"{len(self)} launches for ({self.arguments}); memory of its own {size(self.nbytes)}, "
            f"at most {size(self.peak)} of it at once; weights, state and arguments outside {size(self._plan.outside)}"
        )
        return "\n".join([*table(("#", "launch", "device", "work"), rows), memory])

    def profile(self, repeats: int = 10) -> str:
        runs = np.array([self._plan._times() for _ in range(repeats)])
        times = np.median(runs, axis=0) * 1e6
        share = times / max(times.sum(), 1e-9)
        rows = [
            (str(i), name, f"{t:.1f}", f"{s:.1%}")
            for i, ((name, _, _), t, s) in enumerate(zip(self._plan._lines(), times, share, strict=True))
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

    Threads may call the result at the same time. Where nothing is changed each gets memory of its own.

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


# What a function can reach, and so may have read while it was recorded.

_PLAIN = (int, float, complex, str, bytes, type(None), type, types.ModuleType, types.BuiltinFunctionType, np.ndarray)


def _watch(function: Callable, args: tuple, kwargs: dict) -> tuple[Any, Callable]:
    from weft.optim import Optimizer

    guards = _core._Guards()
    reached = list(_reachable(function, args, kwargs))
    optimizers = [o for _, o in reached if isinstance(o, Optimizer)]
    for name, o in reached:
        if isinstance(o, Optimizer):
            continue
        if isinstance(o, Tensor):
            guards.watch_tensor(o)
        elif isinstance(o, dict | list):
            guards.watch(o, name)
        elif isinstance(o, types.FunctionType):
            for variable, place, key in _variables(o):
                guards.watch_variable(place, key, variable)
        elif hasattr(o, "__dict__"):
            guards.watch(o.__dict__, name)
    randomness = _random_state()
    norms = [o.grad_norm for o in optimizers]

    def later() -> tuple[str | None, list]:
        for o in optimizers:
            name = type(o).__name__
            for key in ("param_groups", "state"):
                guards.watch_variable(o.__dict__, key, f"{name}.{key}")
            guards.watch(o.param_groups, f"{name}.param_groups")
            for group in o.param_groups:
                guards.watch(group, f"{name}.param_groups", True)
                guards.watch(group["params"], f"{name}.params")
                for p in group["params"]:
                    guards.watch_tensor(p)
            guards.watch(o.state, f"{name}.state")
            for state in o.state.values():
                guards.watch(state, f"{name}.state")
                for value in state.values():
                    if isinstance(value, Tensor):
                        guards.watch_tensor(value)
        slots = [
            (o.__dict__, "grad_norm")
            for o, before in zip(optimizers, norms, strict=True)
            if o.grad_norm is not None and o.grad_norm is not before
        ]
        drawn = None if _random_state() == randomness else "it draws random numbers of Python or NumPy"
        return drawn, slots

    return guards, later


def _random_state() -> tuple:
    name, keys, *rest = np.random.get_state()
    return random.getstate(), name, keys.tobytes(), *rest


def _reachable(function: Callable, args: tuple, kwargs: dict) -> Iterator[tuple[str, Any]]:
    """(name, object) of everything in reach: modules, containers, objects, functions and their variables."""
    from weft.optim import Optimizer
    from weft.optim.lr_scheduler import LRScheduler

    seen: set[int] = set()
    todo: list[tuple[str, Any]] = [("", function), *((f"argument {i}", a) for i, a in enumerate(args))]
    todo += list(kwargs.items())
    while todo:
        name, o = todo.pop()
        if isinstance(o, _PLAIN) or id(o) in seen:
            continue
        seen.add(id(o))
        if len(seen) > MOST_WATCHED:
            _core._not_replayable("it can reach too many objects")
            return
        if isinstance(o, types.MethodType):
            todo += [(name, o.__func__), (type(o.__self__).__name__, o.__self__)]
        elif isinstance(o, types.FunctionType):
            yield name, o
            todo += [(v, place.cell_contents if key is None else place[key]) for v, place, key in _variables(o)]
            todo += [("default", value) for value in (o.__defaults__ or (), o.__kwdefaults__ or {})]
        elif isinstance(o, partial):
            todo += [(name, o.func), *((name, a) for a in o.args), *o.keywords.items()]
        elif isinstance(o, Tensor | Optimizer):
            yield name, o
        elif isinstance(o, LRScheduler | Compiled):
            continue
        elif isinstance(o, dict):
            yield name, o
            todo += [(f"{name}[{key!r}]", value) for key, value in o.items()]
        elif isinstance(o, list | tuple | set | frozenset):
            if isinstance(o, list):
                yield name, o
            todo += [(f"{name}[{i}]", value) for i, value in enumerate(o)]
        elif hasattr(o, "__dict__") and not type(o).__module__.startswith("pybind11"):
            yield name or type(o).__name__, o
            prefix = name or type(o).__name__
            todo += [(f"{prefix}.{key}", value) for key, value in vars(o).items()]
            if not getattr(type(o), "__module__", "").startswith("weft."):
                methods = (getattr(type(o), name, None) for name in ("__call__", "forward"))
                todo += [(name, f) for f in methods if f is not None]


def _variables(function: types.FunctionType) -> list[tuple[str, Any, str | None]]:
    """(name, cell, None) of what it closes over, (name, dict, key) of what it takes from its module; not of ours."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    found: list[tuple[str, Any, str | None]] = [(name, cell, None) for name, cell in cells if _filled(cell)]
    if not (function.__module__ or "").startswith("weft."):
        places = function.__globals__
        names = sorted(n for n in _names(function.__code__) if n in places)
        found += [(n, places, n) for n in names if not isinstance(places[n], types.ModuleType)]
    return found


def _names(code: types.CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _names(constant)
    return names


def _filled(cell: types.CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:
        return False
