import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch
from weft.nn import functional as F


@bench([{"shape": (8, 32, 64, 64)}], mode=["bilinear", "bicubic"])
def grid_sample(shape, mode):
    n, c, h, w = shape
    return Case(
        inputs=[randn(*shape), np.random.default_rng(1).random((n, h, w, 2)) * 2 - 1],
        weft=lambda x, g: F.grid_sample(x, g, mode, align_corners=False),
        torch=lambda x, g: torch.nn.functional.grid_sample(x, g, mode, align_corners=False),
        bytes=8 * n * c * h * w,
    )


@bench([{"shape": (8, 32, 64, 64)}])
def grid_sample_backward(shape):
    n, c, h, w = shape

    def step(m, f):
        return lambda x, g: m.autograd.grad(f.grid_sample(x, g, align_corners=False).sum(), [x, g])[0]

    return Case(
        inputs=[randn(*shape), np.random.default_rng(1).random((n, h, w, 2)) * 2 - 1],
        weft=step(weft, F),
        torch=lambda x, g: step(torch, torch.nn.functional)(x, g),
        grad=[0, 1],
        bytes=16 * n * c * h * w,
    )
