"""A graph convolution over 10,000 nodes, and the optimizer of a network of 25 million parameters."""

import numpy as np

import weft
from benchmarks.harness import Case, bench, randn, torch


def structure(nodes, edges):
    random = np.random.default_rng(0)
    inner = np.sort(random.integers(0, edges + 1, nodes - 1))
    return np.concatenate([[0], inner, [edges]]), random.integers(0, nodes, edges)


@bench([{"nodes": 10_000, "edges": 100_000, "features": 128, "classes": 16}])
def graph_convolution(nodes, edges, features, classes):
    """A X W with a ReLU between two layers."""

    def ours(crow, col, values, x, w1, w2):
        def forward():
            hidden = weft.relu(weft.csr_matmul(crow, col, values, x @ w1))
            return weft.csr_matmul(crow, col, values, hidden @ w2)

        return forward

    def theirs(crow, col, values, x, w1, w2):
        a = torch.sparse_csr_tensor(crow, col, values, (nodes, nodes))
        return lambda: torch.sparse.mm(a, torch.relu(torch.sparse.mm(a, x @ w1)) @ w2)

    hidden = 64
    return Case(
        inputs=[
            *structure(nodes, edges),
            randn(edges),
            randn(nodes, features),
            randn(features, hidden),
            randn(hidden, classes),
        ],
        weft=ours,
        torch=theirs,
        prepare=True,
        flops=2.0 * (nodes * (features * hidden + hidden * classes) + edges * (hidden + classes)),
        bytes=4.0 * nodes * (features + classes) + 2 * 12 * edges,
        terms=features * 64,
    )


@bench([{"parameters": 25_000_000}])
def adamw(parameters):
    shapes = [(1000, 1000)] * (parameters // 1_000_000)

    def prepare_with(m, **options):
        def prepare():
            params = [m.tensor(randn(*s, seed=i)) for i, s in enumerate(shapes)]
            for p in params:
                p.requires_grad, p.grad = True, m.ones(p.shape)
            optimizer = m.optim.AdamW(params, lr=1e-3, **options)
            return lambda: optimizer.step() or params[0]

        return prepare

    return Case(
        weft=prepare_with(weft),
        torch=prepare_with(torch, fused=True),
        prepare=True,
        bytes=28.0 * sum(a * b for a, b in shapes),
        verify=False,  # the libraries take different numbers of steps
    )
