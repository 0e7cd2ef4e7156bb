import math

from benchmarks.harness import Case, bench, randn

SHAPES = [
    {"shape": (128, 10), "dim": 1},
    {"shape": (256, 1024), "dim": 1},
    {"shape": (256, 1024), "dim": 0},
    {"shape": (32, 64, 56, 56), "dim": (0, 2, 3)},
    {"shape": (4096, 4096), "dim": 1},
    {"shape": (4096, 4096), "dim": 0},
]


@bench(SHAPES, op=["sum", "amax", "var"])
def reduce(shape, dim, op):
    passes = 2 if op == "var" else 1
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: getattr(x, op)(dim),
        numpy=(lambda x: x.var(dim, ddof=1)) if op == "var" else lambda x: getattr(x, op[-3:])(axis=dim),
        torch=lambda x: getattr(x, op)(dim),
        bytes=4 * passes * math.prod(shape),
        terms=math.prod(shape),
    )


@bench(shape=[(16, 512, 4, 4), (8, 2048, 7, 7), (8, 64, 112, 112)])
def mean_of_planes(shape):
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: x.mean((2, 3)),
        torch=lambda x: x.mean((2, 3)),
        bytes=4 * math.prod(shape),
        terms=math.prod(shape),
    )


@bench([{"shape": (256, 1024), "dim": 1}, {"shape": (64, 512, 128), "dim": 1}, {"shape": (4096, 4096), "dim": 0}])
def argmax(shape, dim):
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: x.argmax(dim),
        torch=lambda x: x.argmax(dim),
        bytes=4 * math.prod(shape),
    )


@bench([{"shape": (256, 1024), "dim": 1}, {"shape": (64, 512, 128), "dim": 1}])
def max_with_positions(shape, dim):
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: tuple(x.max(dim)),
        torch=lambda x: tuple(x.max(dim)),
        bytes=4 * math.prod(shape),
    )


@bench([{"n": 16}, {"n": 1 << 24}])
def sum_of_all(n):
    return Case(
        inputs=[randn(n)],
        weft=lambda x: x.sum(),
        numpy=lambda x: x.sum(),
        torch=lambda x: x.sum(),
        bytes=4 * n,
        terms=n,
        rtol=1e-3,
    )
