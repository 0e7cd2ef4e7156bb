"""Elementwise operations: in cache the arithmetic counts, beyond it the memory, below it the overhead."""

import math

import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

SIZES = [16, 16_384, 4_194_304]

UNARY = {
    "exp": (weft.exp, lambda x: torch.exp(x)),
    "log": (weft.log, lambda x: torch.log(x)),
    "tanh": (weft.tanh, lambda x: torch.tanh(x)),
    "sigmoid": (weft.sigmoid, lambda x: torch.sigmoid(x)),
    "sin": (weft.sin, lambda x: torch.sin(x)),
    "relu": (weft.relu, lambda x: torch.relu(x)),
    "gelu": (F.gelu, lambda x: torch.nn.functional.gelu(x)),
    "gelu tanh": (
        lambda x: F.gelu(x, approximate="tanh"),
        lambda x: torch.nn.functional.gelu(x, approximate="tanh"),
    ),
    "silu": (F.silu, lambda x: torch.nn.functional.silu(x)),
}
BINARY = {
    "add": lambda a, b: a + b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "gt": lambda a, b: a > b,
}


@bench(function=list(UNARY), n=SIZES)
def unary(function, n):
    ours, theirs = UNARY[function]
    x = abs(randn(n)) + 0.1 if function == "log" else randn(n)
    return Case(inputs=[x], weft=ours, torch=theirs, bytes=8 * n, rtol=2e-6)


@bench(function=list(BINARY), n=SIZES)
def binary(function, n):
    f = BINARY[function]
    a, b = abs(randn(n)) + 0.1, randn(n, seed=1)
    return Case(inputs=[a, b], weft=f, numpy=f, torch=f, bytes=(9 if function == "gt" else 12) * n, rtol=2e-6)


@bench(rows=[4096], cols=[3, 64, 1024])
def bias(rows, cols):
    def add(x, b):
        return x + b

    inputs = [randn(rows, cols), randn(cols, seed=1)]
    return Case(inputs=inputs, weft=add, numpy=add, torch=add, bytes=8 * rows * cols)


@bench(function=["relu", "gelu", "silu", "tanh"], n=SIZES)
def forward_and_backward(function, n):
    """From x to its gradient."""

    def run(f):
        def step(x, dy):
            x.grad = None
            f(x).backward(dy)
            return x.grad

        return step

    ours, theirs = UNARY[function]
    return Case(
        inputs=[randn(n), randn(n, seed=1)], grad=[0], weft=run(ours), torch=run(theirs), bytes=20 * n, rtol=1e-5
    )


@bench([{"shape": (131_072,), "weights": 1}, {"shape": (8, 64, 28, 28), "weights": 64}])
def prelu(shape, weights):
    return Case(
        inputs=[randn(*shape), randn(weights, seed=1)],
        weft=F.prelu,
        torch=lambda x, w: torch.nn.functional.prelu(x, w),
        bytes=8 * math.prod(shape),
    )


@bench(order=[(0, 2, 1, 3), (0, 2, 3, 1), (0, 3, 1, 2)], shape=[(16, 128, 8, 64), (16, 64, 56, 56)])
def permuted_copy(shape, order):
    def copy(x):
        return x.permute(order).contiguous()

    return Case(inputs=[randn(*shape)], weft=copy, torch=copy, bytes=8 * math.prod(shape))


@bench(rows=[1024], cols=[1024])
def transpose_copy(rows, cols):
    def copy(x):
        return x.t().contiguous()

    return Case(
        inputs=[randn(rows, cols)],
        weft=copy,
        numpy=lambda x: x.T.copy(),
        torch=copy,
        bytes=8 * rows * cols,
    )


@bench(target=["float16", "bfloat16", "float64", "int32"], n=[4_194_304])
def convert(target, n):
    return Case(
        inputs=[randn(n)],
        weft=lambda x: x.to(getattr(weft, target)),
        torch=lambda x: x.to(getattr(torch, target)),
        bytes=n * (4 + {"float16": 2, "bfloat16": 2, "float64": 8, "int32": 4}[target]),
    )
