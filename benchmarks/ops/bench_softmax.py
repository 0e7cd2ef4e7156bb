import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch


def numpy_softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@bench(
    [{"rows": 128, "cols": 10}, {"rows": 512, "cols": 1024}, {"rows": 256, "cols": 50257}],
    dtype=["float32", "bfloat16"],
)
def softmax(rows, cols, dtype):
    return Case(
        inputs=[randn(rows, cols)],
        weft=lambda x: weft.softmax(x, -1),
        numpy=numpy_softmax if dtype == "float32" else None,
        torch=lambda x: torch.softmax(x, -1),
        dtype=dtype,
        bytes=2 * rows * cols * (4 if dtype == "float32" else 2),
    )


@bench([{"shape": (64, 512, 128)}])
def softmax_columns(shape):
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: weft.softmax(x, 1),
        torch=lambda x: torch.softmax(x, 1),
        bytes=8 * np.prod(shape),
    )


@bench([{"rows": 512, "cols": 1024}], log=[False, True])
def softmax_backward(rows, cols, log):
    def prepare(m):
        def make(x, dy):
            y = (m.log_softmax if log else m.softmax)(x, -1)
            return lambda: m.autograd.grad(y, x, dy, retain_graph=True)[0]

        return make

    return Case(
        inputs=[randn(rows, cols), randn(rows, cols, seed=1)],
        grad=[0],
        prepare=True,
        weft=prepare(weft),
        torch=prepare(torch),
        bytes=12 * rows * cols,
    )
