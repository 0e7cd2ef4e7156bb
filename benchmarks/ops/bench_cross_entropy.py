import numpy as np

import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch


@bench([{"rows": 128, "classes": 10}, {"rows": 1024, "classes": 1000}, {"rows": 512, "classes": 50257}])
def cross_entropy_step(rows, classes):
    def make(m, f):
        def prepare(x, t):
            return lambda: m.autograd.grad(f.cross_entropy(x, t), x)[0]

        return prepare

    return Case(
        inputs=[randn(rows, classes), np.random.default_rng(0).integers(0, classes, rows)],
        grad=[0],
        prepare=True,
        weft=make(weft, F),
        torch=make(torch, torch.nn.functional) if torch else None,
        bytes=12 * rows * classes,
    )


@bench([{"rows": 256, "width": 384, "classes": 4096}, {"rows": 512, "width": 256, "classes": 32_000}])
def linear_cross_entropy_step(rows, width, classes):
    """The last layer of a language model and its loss, with gradients."""

    def run(f):
        def step(x, w, t):
            x.grad = w.grad = None
            f(x, w, t).backward()
            return x.grad

        return step

    def theirs(x, w, t):
        return torch.nn.functional.cross_entropy(torch.nn.functional.linear(x, w), t)

    labels = np.random.default_rng(0).integers(0, classes, rows)
    return Case(
        inputs=[randn(rows, width), randn(classes, width, seed=1) * 0.05, labels],
        grad=[0, 1],
        weft=run(F.linear_cross_entropy),
        torch=run(theirs),
        flops=6 * rows * width * classes,
        terms=classes,
    )


@bench([{"n": 1024}], loss=["mse_loss", "binary_cross_entropy_with_logits"])
def loss_step(n, loss):
    def make(m, f):
        def prepare(x, t):
            return lambda: m.autograd.grad(getattr(f, loss)(x, t), x)[0]

        return prepare

    return Case(
        inputs=[randn(n), np.abs(np.tanh(randn(n, seed=1)))],
        grad=[0],
        prepare=True,
        weft=make(weft, F),
        torch=make(torch, torch.nn.functional) if torch else None,
        bytes=12 * n,
    )
