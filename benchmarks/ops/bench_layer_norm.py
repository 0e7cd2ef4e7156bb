import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

SHAPES = [{"rows": 128, "cols": 64}, {"rows": 512, "cols": 768}, {"rows": 8192, "cols": 1024}]


@bench(SHAPES)
def layer_norm(rows, cols):
    return Case(
        inputs=[randn(rows, cols), randn(cols, seed=1), randn(cols, seed=2)],
        weft=lambda x, w, b: F.layer_norm(x, (cols,), w, b),
        torch=lambda x, w, b: torch.nn.functional.layer_norm(x, (cols,), w, b),
        bytes=8 * rows * cols,
    )


@bench(SHAPES)
def layer_norm_backward(rows, cols):
    def prepare(m, f):
        def make(x, w, b, dy):
            y = f.layer_norm(x, (cols,), w, b)
            return lambda: m.autograd.grad(y, (x, w, b), dy, retain_graph=True)

        return make

    return Case(
        inputs=[randn(rows, cols), randn(cols, seed=1), randn(cols, seed=2), randn(rows, cols, seed=3)],
        grad=[0, 1, 2],
        prepare=True,
        weft=prepare(weft, F),
        torch=prepare(torch, torch.nn.functional) if torch else None,
        bytes=12 * rows * cols,
        terms=rows,
    )


@bench(SHAPES)
def rms_norm(rows, cols):
    return Case(
        inputs=[randn(rows, cols), randn(cols, seed=1)],
        weft=lambda x, w: F.rms_norm(x, (cols,), w),
        torch=lambda x, w: torch.nn.functional.rms_norm(x, (cols,), w),
        bytes=8 * rows * cols,
    )
