import math

import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch
from weft import _core

SHAPES = [{"shape": (128, 512)}, {"shape": (128, 16, 8, 8)}, {"shape": (32, 64, 56, 56)}, {"shape": (32, 512, 7, 7)}]


def parameters(channels):
    return [randn(channels, seed=s) for s in (1, 2)]


@bench(SHAPES, training=[True, False])
def batch_norm(shape, training):
    def make(m, f):
        mean, var = m.zeros(shape[1]), m.ones(shape[1])
        return lambda x, w, b: lambda: f.batch_norm(x, mean, var, w, b, training, 0.0)

    return Case(
        inputs=[randn(*shape), *parameters(shape[1])],
        prepare=True,
        weft=make(weft, F),
        torch=make(torch, torch.nn.functional) if torch else None,
        bytes=(12 if training else 8) * math.prod(shape),
    )


@bench(SHAPES[2:], residual=[False, True])
def batch_norm_relu(shape, residual):
    def ours(x, w, b, r):
        return _core._batch_norm_relu(x, None, None, w, b, True, 0.0, 1e-5, r if residual else None)

    def theirs(x, w, b, r):
        y = torch.nn.functional.batch_norm(x, None, None, w, b, True)
        return (y.add_(r) if residual else y).relu_()

    return Case(
        inputs=[randn(*shape), *parameters(shape[1]), randn(*shape, seed=3)],
        weft=ours,
        torch=theirs,
        bytes=(16 if residual else 12) * math.prod(shape),
    )


@bench(SHAPES)
def batch_norm_backward(shape):
    def make(m, f):
        def prepare(x, w, b, dy):
            y = f.batch_norm(x, None, None, w, b, True)
            return lambda: m.autograd.grad(y, (x, w, b), dy, retain_graph=True)

        return prepare

    return Case(
        inputs=[randn(*shape), *parameters(shape[1]), randn(*shape, seed=3)],
        grad=[0, 1, 2],
        prepare=True,
        weft=make(weft, F),
        torch=make(torch, torch.nn.functional) if torch else None,
        bytes=20 * math.prod(shape),
        terms=math.prod(shape) // shape[1],
    )
