import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch


def structure(rows, nonzero):
    random = np.random.default_rng(0)
    inner = np.sort(random.integers(0, nonzero + 1, rows - 1))
    return np.concatenate([[0], inner, [nonzero]]), random.integers(0, rows, nonzero)


@bench([{"rows": 20_000, "nonzero": 400_000, "cols": 64}, {"rows": 2_000, "nonzero": 10_000, "cols": 16}])
def csr_matmul(rows, nonzero, cols):
    def theirs(crow, col, values, dense):
        matrix = torch.sparse_csr_tensor(crow, col, values, (rows, rows))
        return lambda: matrix @ dense

    return Case(
        inputs=[*structure(rows, nonzero), randn(nonzero), randn(rows, cols)],
        weft=lambda *args: lambda: weft.csr_matmul(*args),
        torch=theirs,
        prepare=True,
        flops=2 * nonzero * cols,
        bytes=8 * cols * rows + 12 * nonzero,
        terms=nonzero // rows,
    )


@bench([{"rows": 20_000, "nonzero": 400_000, "cols": 64}])
def csr_matmul_gradients(rows, nonzero, cols):
    crow, col = structure(rows, nonzero)

    def prepare(crow, col, values, dense, dy):
        transposed = weft.csr_transpose(crow, col, rows)
        y = weft.csr_matmul(crow, col, values, dense, transposed=transposed)
        return lambda: weft.autograd.grad(y, (values, dense), dy, retain_graph=True)[1]

    return Case(
        inputs=[crow, col, randn(nonzero), randn(rows, cols), randn(rows, cols, seed=1)],
        weft=prepare,
        prepare=True,
        grad=[2, 3],
        flops=4 * nonzero * cols,
    )
