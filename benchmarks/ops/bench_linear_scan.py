import numpy as np

import weft
from benchmarks.harness import Case, bench, randn


def recurrence(a, b):
    y, h = np.empty_like(b), np.zeros_like(b[:, 0])
    for t in range(b.shape[1]):
        h = a[:, t] * h + b[:, t]
        y[:, t] = h
    return y


SHAPES = [(8, 2048, 512), (1, 65_536, 64), (64, 16_384, 1), (1, 1_000_000, 1)]


@bench(shape=SHAPES)
def linear_scan(shape):
    return Case(
        inputs=[np.random.default_rng(0).random(shape, np.float32), randn(*shape)],
        weft=lambda a, b: weft.linear_scan(a, b, 1),
        numpy=recurrence if shape[0] > 1 else None,
        bytes=12 * np.prod(shape),
        flops=2 * np.prod(shape),
    )


@bench(shape=SHAPES[:2])
def linear_scan_backward(shape):
    def prepare(a, b, dy):
        y = weft.linear_scan(a, b, 1)
        return lambda: weft.autograd.grad(y, (a, b), dy, retain_graph=True)[0]

    return Case(
        inputs=[np.random.default_rng(0).random(shape, np.float32), randn(*shape), randn(*shape, seed=1)],
        weft=prepare,
        prepare=True,
        grad=[0, 1],
        bytes=20 * np.prod(shape),
    )
