import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch

# The parameters of a small transformer: a few large matrices and many small vectors.
MIXED = [(8000, 256), *[(256, 256), (256,), (256,)] * 16, *[(1024, 256), (1024,), (256, 1024), (256,)] * 4]
TINY = [(16, 4), (16,), (16, 16), (16,), (3, 16), (3,)]


def stepping(m, name, shapes, **options):
    def prepare():
        params = [m.tensor(randn(*s, seed=i)) for i, s in enumerate(shapes)]
        for i, p in enumerate(params):
            p.requires_grad = True
            p.grad = m.tensor(randn(*p.shape, seed=100 + i))
        optimizer = getattr(m.optim, name)(params, lr=1e-3, **options)
        return lambda: optimizer.step() or params[0]

    return prepare


@bench(kind=["mixed", "tiny"], name=["AdamW", "Adam", "SGD"])
def optimizer(kind, name):
    shapes = MIXED if kind == "mixed" else TINY
    n = sum(int(np.prod(s)) for s in shapes)
    options = {"momentum": 0.9} if name == "SGD" else {}
    fused = {"fused": True}  # the fastest that PyTorch has on a CPU
    return Case(
        weft=stepping(weft, name, shapes, **options),
        torch=stepping(torch, name, shapes, **options, **fused),
        prepare=True,
        bytes=(20 if name == "SGD" else 28) * n,
        verify=False,  # the libraries take different numbers of steps
    )


@bench()
def clip_grad_norm():
    def prepare_with(m):
        def prepare():
            params = [m.tensor(randn(*s, seed=i)) for i, s in enumerate(MIXED)]
            for p in params:
                p.requires_grad = True
                p.grad = m.ones(p.shape)
            return lambda: m.nn.utils.clip_grad_norm_(params, 1e9)

        return prepare

    n = sum(int(np.prod(s)) for s in MIXED)
    return Case(weft=prepare_with(weft), torch=prepare_with(torch), prepare=True, bytes=12 * n)
