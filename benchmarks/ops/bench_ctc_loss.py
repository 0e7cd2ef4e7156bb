import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch
from weft.nn import functional as F


def step(m, f, items, length):
    def run(logits, targets):
        time = logits.shape[0]
        loss = f.ctc_loss(f.log_softmax(logits, -1), targets, [time] * items, [length] * items)
        return m.autograd.grad(loss, logits)[0]

    return run


@bench([{"time": 200, "items": 16, "classes": 60, "length": 40}])
def ctc_loss_backward(time, items, classes, length):
    return Case(
        inputs=[randn(time, items, classes), np.random.default_rng(1).integers(1, classes, (items, length))],
        weft=step(weft, F, items, length),
        torch=lambda x, t: step(torch, torch.nn.functional, items, length)(x, t),
        grad=[0],
        bytes=16 * time * items * classes,
        terms=time * time * length,  # logarithms of about -time
    )
