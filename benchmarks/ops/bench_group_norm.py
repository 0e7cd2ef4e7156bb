import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

SHAPES = [
    {"n": 16, "channels": 64, "groups": 8, "size": 8},
    {"n": 16, "channels": 64, "groups": 8, "size": 28},
    {"n": 2, "channels": 320, "groups": 32, "size": 64},
    {"n": 16, "channels": 64, "groups": 1, "size": 28},
]


def arranged(x, m, memory):
    return x.contiguous(memory_format=m.channels_last) if memory == "channels_last" else x


@bench(SHAPES, memory=["contiguous", "channels_last"])
def group_norm(n, channels, groups, size, memory):
    def prepare(m, f):
        def make(x, w, b):
            x = arranged(x, m, memory)
            return lambda: f.group_norm(x, groups, w, b)

        return make

    return Case(
        inputs=[randn(n, channels, size, size), randn(channels, seed=1), randn(channels, seed=2)],
        prepare=True,
        weft=prepare(weft, F),
        torch=prepare(torch, torch.nn.functional) if torch else None,
        bytes=8 * n * channels * size * size,
    )


@bench(SHAPES, memory=["contiguous", "channels_last"])
def group_norm_backward(n, channels, groups, size, memory):
    def prepare(m, f):
        def make(x, w, b, dy):
            x, dy = (arranged(t.detach(), m, memory) for t in (x, dy))
            x.requires_grad = True
            y = f.group_norm(x, groups, w, b)
            return lambda: m.autograd.grad(y, (x, w, b), dy, retain_graph=True)

        return make

    shape = (n, channels, size, size)
    return Case(
        inputs=[randn(*shape), randn(channels, seed=1), randn(channels, seed=2), randn(*shape, seed=3)],
        grad=[1, 2],
        prepare=True,
        weft=prepare(weft, F),
        torch=prepare(torch, torch.nn.functional) if torch else None,
        bytes=12 * n * channels * size * size,
        terms=n * size * size,
    )


@bench([{"n": 16, "channels": 64, "size": 28}], memory=["contiguous", "channels_last"])
def instance_norm(n, channels, size, memory):
    def prepare(m, f):
        def make(x):
            x = arranged(x, m, memory)
            return lambda: f.instance_norm(x)

        return make

    return Case(
        inputs=[randn(n, channels, size, size)],
        prepare=True,
        weft=prepare(weft, F),
        torch=prepare(torch, torch.nn.functional) if torch else None,
        bytes=8 * n * channels * size * size,
    )
