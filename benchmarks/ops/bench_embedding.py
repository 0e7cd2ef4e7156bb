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
