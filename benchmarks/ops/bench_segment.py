import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch

SIZES = [{"rows": 200_000, "segments": 10_000, "cols": 64}, {"rows": 50_000, "segments": 2_000, "cols": 8}]


def ids(rows, segments):
    return np.random.default_rng(0).integers(0, segments, rows)


@bench(SIZES, kind=["sum", "max"])
def segment(rows, segments, cols, kind):
    reduce = getattr(weft, f"segment_{kind}")
    name = {"sum": "sum", "max": "amax"}[kind]

    def theirs(x, i):
        y = torch.zeros(segments, cols)
        return y.scatter_reduce_(0, i[:, None].expand(rows, cols), x, name, include_self=False)

    return Case(
        inputs=[randn(rows, cols), ids(rows, segments)],
        weft=lambda x, i: reduce(x, i, segments),
        torch=theirs,
        bytes=4 * cols * (rows + segments) + 8 * rows,
        terms=rows,
    )


@bench(SIZES)
def segment_softmax(rows, segments, cols):
    def theirs(x, i):
        i = i[:, None].expand(rows, cols)
        top = torch.zeros(segments, cols).scatter_reduce_(0, i, x, "amax", include_self=False)
        e = (x - top.gather(0, i)).exp()
        return e / torch.zeros(segments, cols).scatter_add_(0, i, e).gather(0, i)

    return Case(
        inputs=[randn(rows, cols), ids(rows, segments)],
        weft=lambda x, i: weft.segment_softmax(x, i, segments),
        torch=theirs,
        bytes=8 * cols * rows + 8 * rows,
    )
