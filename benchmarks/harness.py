"""Declares cases: one measurement each, for every library that can run it.

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

import importlib.util
import itertools
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

import weft

try:
    import torch
except ImportError:
    torch = None

LIBRARIES = ("weft", "numpy", "torch", "eager", "jax", "onnxruntime")


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
    eager: Callable[..., Any] | None = None  # weft as it is, where `weft` is recorded by weft.compile
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


_CONVERT = {  # is it there, and how a NumPy array enters it
    "weft": (lambda: True, _to_weft),
    "eager": (lambda: True, _to_weft),
    "numpy": (lambda: True, _to_numpy),
    "torch": (lambda: torch is not None, _to_torch),
    "compiled": (lambda: torch is not None, _to_torch),
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

    def key(self, index: int) -> str:
        """Where another process finds this case."""
        return f"{self.build.__module__}:{self.name}:{index}"

    def group(self) -> str:
        """ops/matmul, models/mlp: the file that declares it."""
        return self.build.__module__.removeprefix("benchmarks.").replace(".bench_", "/")

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


def find(key: str) -> tuple[Bench, int]:
    module, name, index = key.split(":")
    return next(b for b in benches(importlib.import_module(module)) if b.name == name), int(index)


def randn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)
