import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch


def ids(shape, size):
    return np.random.default_rng(0).integers(0, size, shape)


@bench(dim=[0, 1])
def gather(dim):
    i = ids((1000, 1000), 1000)
    return Case(
        inputs=[randn(1000, 1000), i],
        weft=lambda x, i: weft.gather(x, dim, i),
        torch=lambda x, i: torch.gather(x, dim, i),
        numpy=lambda x, i: np.take_along_axis(x, i, dim),
        bytes=16e6,
    )


@bench(dim=[0, 1])
def scatter_add(dim):
    return Case(
        inputs=[randn(1000, 1000), ids((1000, 1000), 1000), randn(1000, 1000)],
        weft=lambda x, i, s: weft.scatter_add(x, dim, i, s),
        torch=lambda x, i, s: torch.scatter_add(x, dim, i, s),
        bytes=24e6,
    )


@bench()
def index_rows():
    return Case(
        inputs=[randn(1797, 64), ids(64, 1797)],
        weft=lambda x, i: x[i],
        torch=lambda x, i: x[i],
        numpy=lambda x, i: x[i],
        bytes=64 * 64 * 8,
    )


@bench(shape=[(1000, 1000), (1, 1_000_000), (10_000, 16)])
def sort(shape):
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: tuple(x.sort()),
        torch=lambda x: tuple(x.sort(stable=True)),
        numpy=lambda x: (np.take_along_axis(x, i := np.argsort(x, -1, kind="stable"), -1), i),
        bytes=16 * shape[0] * shape[1],
    )


@bench(k=[1, 10, 100])
def topk(k):
    return Case(
        inputs=[randn(256, 50_257)],
        weft=lambda x: tuple(weft.topk(x, k)),
        torch=lambda x: tuple(torch.topk(x, k)),
        bytes=4 * 256 * 50_257,
    )


@bench(dim=[0, 1])
def cumsum(dim):
    return Case(
        inputs=[randn(1000, 1000)],
        weft=lambda x: weft.cumsum(x, dim),
        torch=lambda x: torch.cumsum(x, dim),
        numpy=lambda x: np.cumsum(x, dim),
        bytes=8e6,
    )


@bench()
def tril():
    return Case(
        inputs=[randn(1000, 1000)], weft=weft.tril, torch=torch.tril if torch else None, numpy=np.tril, bytes=8e6
    )
