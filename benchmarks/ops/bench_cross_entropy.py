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
