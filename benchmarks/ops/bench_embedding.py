import numpy as np

import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

SIZES = [{"rows": 50_257, "cols": 256, "tokens": 8192}, {"rows": 1000, "cols": 64, "tokens": 512}]


def zipf(tokens, rows):
    return np.minimum(np.random.default_rng(0).zipf(1.2, tokens) - 1, rows - 1)


@bench(SIZES)
def embedding(rows, cols, tokens):
    return Case(
        inputs=[zipf(tokens, rows), randn(rows, cols)],
        weft=F.embedding,
        torch=torch.nn.functional.embedding if torch else None,
        numpy=lambda ids, w: w[ids],
        bytes=tokens * (8 * cols + 8),
    )


@bench(SIZES)
def embedding_backward(rows, cols, tokens):
    return Case(
        inputs=[zipf(tokens, rows), randn(rows, cols), randn(tokens, cols)],
        weft=lambda i, w, dy: weft.autograd.grad(F.embedding(i, w), w, dy)[0],
        torch=lambda i, w, dy: torch.autograd.grad(torch.nn.functional.embedding(i, w), w, dy)[0],
        grad=[1],
        bytes=4 * cols * (rows + tokens) + 8 * cols * tokens,
        terms=tokens,
    )


TABLE = {"rows": 1_000_000, "cols": 64, "tokens": 4096}


def backward_with(m, rows, cols, tokens, sparse):
    """The gradient of a table, made and dropped."""

    def prepare():
        table = m.nn.Embedding(rows, cols, sparse=sparse)
        ids, dy = m.tensor(zipf(tokens, rows)), m.tensor(randn(tokens, cols))

        def run():
            table.weight.grad = None
            table(ids).backward(dy)
            grad = table.weight.grad
            return grad._values() if sparse else grad

        return run

    return prepare


def training_with(m, rows, cols, tokens, optimizer):
    """Lookup, backward and step, with a sparse gradient."""

    def prepare():
        table = m.nn.Embedding(rows, cols, sparse=True)
        ids, dy = m.tensor(np.random.default_rng(0).integers(0, rows, tokens)), m.tensor(randn(tokens, cols))
        stepping = getattr(m.optim, optimizer)(table.parameters(), lr=0.01)

        def run():
            stepping.zero_grad()
            table(ids).backward(dy)
            stepping.step()
            return ids

        return run

    return prepare


@bench(sparse=[False, True])
def table_gradient(sparse):
    rows, cols, tokens = TABLE.values()
    return Case(
        weft=backward_with(weft, sparse=sparse, **TABLE),
        torch=backward_with(torch, sparse=sparse, **TABLE) if torch else None,
        prepare=True,
        bytes=4 * cols * (5 * tokens + (0 if sparse else rows)),
        verify=False,
    )


@bench(optimizer=["SGD", "SparseAdam", "Adagrad"])
def table_training(optimizer):
    arrays = {"SGD": 2, "SparseAdam": 6, "Adagrad": 4}[optimizer]
    return Case(
        weft=training_with(weft, optimizer=optimizer, **TABLE),
        torch=training_with(torch, optimizer=optimizer, **TABLE) if torch else None,
        prepare=True,
        bytes=4 * TABLE["cols"] * TABLE["tokens"] * (4 + arrays),
        verify=False,
    )
