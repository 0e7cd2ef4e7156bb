"""Declares cases and measures them: each beside its opponents, in turns, in one process.

    @bench(rows=[64, 512], cols=[1024])                  # every combination; or @bench([{...}, {...}]) to list them
    def softmax(rows, cols):
        return Case(
            inputs=[randn(rows, cols)],                  # NumPy; each library gets tensors of its own
            weft=lambda x: F.softmax(x, -1),
            torch=lambda x: torch.softmax(x, -1),
            bytes=8 * rows * cols,
        )

With `prepare=True` (a model, an optimizer, a jitted function) `weft`, `torch` and so on are called once with the inputs
and return the function to measure. With `grad=[0]` the first input requires gradients.
"""

from __future__ import annotations

import gc
import importlib.util
import itertools
import pkgutil
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import weft
from weft.testing import assert_close

try:
    import torch
except ImportError:
    torch = None

LIBRARIES = ("weft", "numpy", "torch", "jax", "onnxruntime")


@dataclass
class Case:
    """One measurement. Functions of libraries that are not installed are never called.

    bytes, flops: what the operation has to move and compute at least; they give the fraction of the machine's limit.
    terms, rtol: for the comparison of weft's result with that of the first opponent; verify=False for random results.
    threads: how many every library may use; 0 for as many as weft has.
    """

    inputs: Sequence[Any] = ()
    weft: Callable[..., Any] | None = None
    numpy: Callable[..., Any] | None = None
    torch: Callable[..., Any] | None = None
    compiled: Callable[..., Any] | None = None  # with torch.compile
    jax: Callable[..., Any] | None = None
    onnxruntime: Callable[..., Any] | None = None
    dtype: str = "float32"
    grad: Sequence[int] = ()
    prepare: bool = False
    bytes: float = 0
    flops: float = 0
    verify: bool = True
    terms: int = 1024
    rtol: float | None = None
    threads: int = 0
    name: str = ""

    def function(self, library: str) -> Callable[[], Any] | None:
        """Ready to run; None where the library is missing or has no such function."""
        given = getattr(self, library)
        if given is None or (library in _CONVERT and not _CONVERT[library][0]()):
            return None
        if library == "numpy" and self.dtype == "bfloat16":
            return None
        inputs = [_CONVERT[library][1](x, self.dtype, i in self.grad) for i, x in enumerate(self.inputs)]
        if self.prepare:
            return given(*inputs)
        if not inputs:
            return given
        return lambda: given(*inputs)


def _has_jax() -> bool:
    return importlib.util.find_spec("jax") is not None


def _to_numpy(x, dtype, _grad):
    return x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def _to_weft(x, dtype, grad):
    if not isinstance(x, np.ndarray):
        return x
    t = weft.tensor(x)
    t = t.to(getattr(weft, dtype)) if x.dtype.kind == "f" else t
    t.requires_grad = grad
    return t


def _to_torch(x, dtype, grad):
    if not isinstance(x, np.ndarray):
        return x
    t = torch.from_numpy(x.copy())
    t = t.to(getattr(torch, dtype)) if x.dtype.kind == "f" else t
    t.requires_grad = grad
    return t


def _to_jax(x, dtype, _grad):
    import jax.numpy as jnp

    return jnp.asarray(x, dtype=dtype if x.dtype.kind == "f" else None) if isinstance(x, np.ndarray) else x


_CONVERT = {
    "weft": (lambda: True, _to_weft),
    "numpy": (lambda: True, _to_numpy),
    "torch": (lambda: torch is not None, _to_torch),
    "jax": (_has_jax, _to_jax),
    "onnxruntime": (lambda: importlib.util.find_spec("onnxruntime") is not None, _to_numpy),
}


@dataclass
class Bench:
    build: Callable[..., Case]
    name: str
    variants: list[dict[str, Any]]

    def names(self) -> list[str]:
        return [" ".join([self.name, *(_label(k, v) for k, v in variant.items())]) for variant in self.variants]

    def case(self, index: int) -> Case:
        case = self.build(**self.variants[index])
        case.name = case.name or self.names()[index]
        return case


def _label(key: str, value: Any) -> str:
    if isinstance(value, tuple):
        return "x".join(map(str, value))
    return str(value) if isinstance(value, str) else f"{key}={value}"


def bench(variants: Sequence[dict[str, Any]] | None = None, /, **grid: Sequence[Any]) -> Callable[..., Bench]:
    """Declares a benchmark: a function of the variant's values that returns a Case."""
    listed = list(variants or [{}])
    combined = [dict(zip(grid, values, strict=True)) for values in itertools.product(*grid.values())]

    def declare(build: Callable[..., Case]) -> Bench:
        return Bench(build, build.__name__, [{**a, **b} for a in listed for b in combined])

    return declare


def benches(module: Any) -> list[Bench]:
    return [value for value in vars(module).values() if isinstance(value, Bench)]


def discover(pattern: str = "") -> Iterator[tuple[Bench, int]]:
    """All cases whose 'file/name' contains the pattern, in the order of the files."""
    import benchmarks

    for info in pkgutil.walk_packages(benchmarks.__path__, "benchmarks."):
        stem = info.name.rpartition(".")[2]
        if info.ispkg or not stem.startswith("bench_"):
            continue
        path = info.name.removeprefix("benchmarks.").replace(".", "/")
        for b in benches(importlib.import_module(info.name)):
            for index, name in enumerate(b.names()):
                if pattern in f"{path}/{name}":
                    yield b, index


def randn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@dataclass
class Result:
    name: str
    seconds: dict[str, float]  # median of each library
    ratio: dict[str, float]  # median over the rounds of opponent / weft: above 1, weft is faster
    flops: float = 0
    bytes: float = 0
    of_limit: float | None = None
    error: str = ""
    extra: dict[str, Any] = field(default_factory=dict)


def measure(case: Case, limits: Any = None, budget: float = 1.0) -> Result:
    """Verifies weft against the first opponent, then lets the libraries take turns for about `budget` seconds each."""
    with _threads(case.threads):
        functions = {lib: f for lib in LIBRARIES if (f := case.function(lib)) is not None}
        if case.verify:
            _verify(case, functions)
        loops = {lib: _calibrate(f) for lib, f in functions.items()}
        times = _take_turns(functions, loops, budget)
    seconds = {lib: statistics.median(t) for lib, t in times.items()}
    ratio = {
        lib: statistics.median(other / own for other, own in zip(t, times["weft"], strict=True))
        for lib, t in times.items()
        if lib != "weft"
    }
    result = Result(case.name, seconds, ratio, case.flops, case.bytes)
    if limits is not None and (case.flops or case.bytes):
        result.of_limit = limits.least_time(case.flops, case.bytes) / seconds["weft"]
    return result


def _verify(case: Case, functions: dict[str, Callable[[], Any]]) -> None:
    opponent = next((lib for lib in functions if lib != "weft"), None)
    if opponent is None:
        return
    ours, theirs = functions["weft"](), functions[opponent]()
    if not isinstance(ours, tuple | list):
        ours, theirs = (ours,), (theirs,)
    for k, (a, e) in enumerate(zip(ours, theirs, strict=True)):
        if a is not None:
            assert_close(
                a, e, terms=case.terms, rtol=case.rtol, check_dtype=False, name=f"{case.name}: result {k} vs {opponent}"
            )


def _wait(result: Any) -> None:
    if hasattr(result, "block_until_ready"):
        result.block_until_ready()


def _time(f: Callable[[], Any], loops: int) -> float:
    start = time.perf_counter()
    for _ in range(loops):
        result = f()
    _wait(result)
    return (time.perf_counter() - start) / loops


def _calibrate(f: Callable[[], Any], least: float = 5e-3) -> int:
    """Warms up and finds how many calls make a sample that the clock resolves."""
    _time(f, 2)
    loops = 1
    while (taken := _time(f, loops) * loops) < least:
        loops = max(loops + 1, min(10 * loops, int(1.2 * loops * least / max(taken, 1e-9))))
    return loops


def _settle(most: float = 0.5) -> None:
    """Waits for the threads of the last library to sleep: OpenBLAS's and OpenMP's spin for up to a hundred
    milliseconds after a call, and whoever comes next would be measured on the cores that they leave.
    """
    end = time.perf_counter() + most
    while time.perf_counter() < end:
        before = time.process_time()
        time.sleep(10e-3)  # the clock of other threads moves with the scheduler's ticks, 1 to 4 ms apart
        if time.process_time() - before < 1e-3:
            return


def _warm_up(f: Callable[[], Any], least: float = 15e-3) -> None:
    """As in the middle of a run: inputs in cache, threads awake and each on a processor of its own, which kernels of
    virtual machines take ten milliseconds to see to.
    """
    end = time.perf_counter() + least
    while time.perf_counter() < end:
        _wait(f())


def _take_turns(functions, loops, budget) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {lib: [] for lib in functions}
    order = list(functions)
    collecting = gc.isenabled()
    gc.disable()
    try:
        spent, rounds = 0.0, 0
        while rounds < 5 or (rounds < 15 and spent < budget * len(order)):
            for lib in order:
                _settle()
                _warm_up(functions[lib])
                times[lib].append(_time(functions[lib], loops[lib]))
                spent += times[lib][-1] * loops[lib]
            order = order[1:] + order[:1]
            rounds += 1
    finally:
        if collecting:
            gc.enable()
    return times


class _threads:
    """The same number of threads for every library that can be told."""

    def __init__(self, n: int):
        self.n = n or weft.get_num_threads()

    def __enter__(self):
        self.weft, self.torch = weft.get_num_threads(), torch.get_num_threads() if torch else 0
        weft.set_num_threads(self.n)
        if torch:
            torch.set_num_threads(self.n)

    def __exit__(self, *_):
        weft.set_num_threads(self.weft)
        if torch:
            torch.set_num_threads(self.torch)
