import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch

# The parameters of a small transformer: a few large matrices and many small vectors.
MIXED = [(8000, 256), *[(256, 256), (256,), (256,)] * 16, *[(1024, 256), (1024,), (256, 1024), (256,)] * 4]
TINY = [(16, 4), (16,), (16, 16), (16,), (3, 16), (3,)]
MANY = [(64,)] * 1000  # what a tensor costs by itself
LARGE = [(5000, 5000)]
SHAPES = {"mixed": MIXED, "tiny": TINY, "many": MANY, "large": LARGE}
BYTES = {"AdamW": 28, "Adam": 28, "NAdam": 28, "SGD": 20, "RMSprop": 20, "Adagrad": 20, "Adadelta": 28, "Lion": 20}


def stepping(m, name, shapes, **options):
    def prepare():
        params = [m.tensor(randn(*s, seed=i)) for i, s in enumerate(shapes)]
        for i, p in enumerate(params):
            p.requires_grad = True
            p.grad = m.tensor(randn(*p.shape, seed=100 + i))
        optimizer = getattr(m.optim, name)(params, lr=1e-3, **options)
        return lambda: optimizer.step() or params[0]

    return prepare


def case(kind, name):
    shapes = SHAPES[kind]
    n = sum(int(np.prod(s)) for s in shapes)
    options = {"momentum": 0.9} if name == "SGD" else {}
    fastest = (
        {"fused": True} if name in ("AdamW", "Adam", "SGD", "Adagrad") else {"foreach": True}
    )  # of PyTorch's forms
    return Case(
        weft=stepping(weft, name, shapes, **options),
        torch=stepping(torch, name, shapes, **options, **fastest) if hasattr(torch.optim, name) else None,
        prepare=True,
        bytes=BYTES[name] * n,
        verify=False,  # the libraries take different numbers of steps
    )


@bench(kind=list(SHAPES), name=["AdamW"])
def optimizer(kind, name):
    return case(kind, name)


@bench(name=["Adam", "SGD", "NAdam", "RMSprop", "Adagrad", "Adadelta", "Lion"])
def optimizer_rule(name):
    return case("mixed", name)


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
