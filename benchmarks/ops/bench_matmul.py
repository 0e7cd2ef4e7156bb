import numpy as np

from benchmarks.harness import Case, bench, randn, torch

if torch is not None:
    import torch.nn.functional as TF

import weft.nn.functional as F
from weft import _core

SQUARE = [{"m": n, "n": n, "k": n} for n in (64, 128, 256, 512, 1024, 2048)]
FEW_ROWS = [{"m": m, "n": 1024, "k": 1024} for m in (1, 2, 4, 8, 16, 32)]


def product(a, b):
    return a @ b


@bench([*SQUARE, *FEW_ROWS])
def matmul(m, n, k):
    return Case(
        inputs=[randn(m, k), randn(k, n)],
        weft=product, numpy=product, torch=product, jax=product,
        flops=2 * m * n * k, bytes=4 * (m * k + k * n + m * n), terms=k,
    )  # fmt: skip


@bench(n=[512, 1024], dtype=["float64", "bfloat16", "float16"])
def matmul_dtypes(n, dtype):
    return Case(
        inputs=[randn(n, n), randn(n, n)],
        weft=product, numpy=product if dtype == "float64" else None, torch=product,
        flops=2 * n**3, terms=n, dtype=dtype,
    )  # fmt: skip


@bench(n=[512, 1024], left=["int8", "uint8"])
def matmul_bytes(n, left):
    """Exact products of quantised activations and weights; a weight comes by columns."""

    def random(dtype, seed):
        info = np.iinfo(dtype)
        return np.random.default_rng(seed).integers(info.min, info.max + 1, (n, n)).astype(dtype)

    return Case(
        inputs=[random(left, 0), random("int8", 1)],
        weft=lambda a, b: _core._int_mm(a, b.T), torch=lambda a, b: torch._int_mm(a, b.T),
        flops=2 * n**3, dtype="int8",
    )  # fmt: skip


@bench(left=["rows", "columns"], right=["rows", "columns"])
def matmul_transposed(left, right):
    n = 1024

    def run(a, b):
        return (a if left == "rows" else a.T) @ (b if right == "rows" else b.T)

    return Case(inputs=[randn(n, n), randn(n, n)], weft=run, numpy=run, torch=run, flops=2 * n**3, terms=n)


@bench([{"items": 256, "n": 16}, {"items": 64, "n": 64}, {"items": 16, "n": 256}])
def matmul_batched(items, n):
    return Case(
        inputs=[randn(items, n, n), randn(items, n, n)],
        weft=product, numpy=product, torch=product, jax=product,
        flops=2 * items * n**3, terms=n,
    )  # fmt: skip


@bench([{"rows": 2048, "features": 384, "out": 1536}, {"rows": 2048, "features": 1536, "out": 384}])
def matmul_weight_gradient(rows, features, out):
    return Case(
        inputs=[randn(rows, out), randn(rows, features)],
        weft=lambda dy, x: dy.T @ x, numpy=lambda dy, x: dy.T @ x, torch=lambda dy, x: dy.T @ x,
        flops=2 * rows * features * out, terms=rows,
    )  # fmt: skip


LAYERS = [
    (128, 784, 512),
    (128, 512, 256),
    (128, 256, 10),
    (8, 1024, 1024),
    (32, 1024, 1024),
    (16, 4, 16),
    (1, 16, 3),
    (128, 384, 1536),
    (2048, 384, 1536),
]


@bench([{"rows": r, "features": i, "out": o} for r, i, o in LAYERS])
def linear(rows, features, out):
    return Case(
        inputs=[randn(rows, features), randn(out, features), randn(out)],
        weft=F.linear,
        numpy=lambda x, w, b: x @ w.T + b,
        torch=lambda x, w, b: TF.linear(x, w, b),
        flops=2 * rows * features * out, terms=features,
    )  # fmt: skip


@bench(dtype=["bfloat16", "float16"])
def linear_half(dtype):
    rows, features, out = 2048, 384, 1536
    return Case(
        inputs=[randn(rows, features), randn(out, features), randn(out)],
        weft=F.linear, torch=lambda x, w, b: TF.linear(x, w, b),
        flops=2 * rows * features * out, terms=features, dtype=dtype, rtol=2e-2,
    )  # fmt: skip


@bench([{"rows": r, "features": i, "out": o} for r, i, o in LAYERS])
def linear_backward(rows, features, out):
    def run(linear):
        def step(x, w, b, dy):
            x.grad = w.grad = b.grad = None
            linear(x, w, b).backward(dy)
            return w.grad

        return step

    return Case(
        inputs=[randn(rows, features), randn(out, features), randn(out), randn(rows, out)],
        weft=run(F.linear),
        torch=run(lambda x, w, b: TF.linear(x, w, b)),
        flops=6 * rows * features * out, terms=features, grad=[0, 1, 2],
    )  # fmt: skip
