"""CUDA kernels under several orders of their threads: whatever order the hardware takes, the bits are the same.

Only the emulation can choose the order; a missing barrier shows as a difference. "Each warp as far as it can go" finds
what a fair order hides.
"""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from weft.testing import to_numpy

ORDERS = [("round-robin", 0), ("reversed", 0), ("warp-greedy", 0), ("random", 1), ("random", 2)]
rng = np.random.default_rng(0)


def normal(*shape):
    return weft.tensor(rng.standard_normal(shape).astype(np.float32))


def ids(high, *shape):
    return weft.tensor(rng.integers(0, high, shape))


ROWS, COLUMNS, WORDS, LABELS = ids(12, 40), ids(30, 8, 70), ids(20, 90), ids(50, 40)
KERNELS = {
    "copy, transposed": (lambda x: x.t().contiguous(), normal(37, 65)),
    "pointwise with gradient": (lambda x: F.gelu(x) * x.tanh(), normal(5, 67)),
    "sum of rows": (lambda x: x.sum(1), normal(3, 1100)),
    "sum of columns": (lambda x: x.sum(0), normal(300, 7)),
    "sum of all": (lambda x: x.sum(), normal(5000)),
    "amax": (lambda x: x.amax(-1), normal(9, 300)),
    "max with indices": (lambda x: x.max(-1)[0], normal(9, 300)),
    "softmax": (lambda x: x.softmax(-1), normal(7, 1500)),
    "log_softmax": (lambda x: x.log_softmax(-1), normal(33, 10)),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (700,), w, b), normal(5, 700), normal(700), normal(700)),
    "batch_norm": (lambda x, w, b: F.batch_norm(x, None, None, w, b, True), normal(6, 5, 7, 7), normal(5), normal(5)),
    "matmul": (lambda a, b: a @ b, normal(70, 45), normal(45, 66)),
    "conv2d": (lambda x, w: F.conv2d(x, w, padding=1), normal(2, 3, 9, 9), normal(4, 3, 3, 3)),
    "max_pool2d": (lambda x: F.max_pool2d(x, 3, 2, 1), normal(2, 3, 11, 11)),
    "avg_pool2d": (lambda x: F.avg_pool2d(x, 3, 2), normal(2, 3, 11, 11)),
    "embedding": (lambda w: F.embedding(WORDS.to(w.device), w), normal(20, 33)),
    "gather and scatter_add": (lambda x: x.gather(1, COLUMNS.to(x.device)), normal(8, 30)),
    "cross_entropy": (lambda x: F.cross_entropy(x, LABELS.to(x.device)), normal(40, 50)),
    "attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        *(normal(1, 2, 40, 9) for _ in range(3)),
    ),
    "index": (lambda x: x[ROWS.to(x.device)], normal(12, 9)),
}


def outcome(function, inputs):
    """Result and gradients."""
    leaves = [x.to("cuda").requires_grad_() for x in inputs]
    y = function(*leaves)
    y.backward(weft.ones(y.shape, device="cuda"))
    return [to_numpy(t.detach().cpu()) for t in (y, *(x.grad for x in leaves))]


@pytest.mark.parametrize("name", KERNELS)
def test_bits_do_not_depend_on_the_order_of_threads(library, name):
    function, *inputs = KERNELS[name]
    first = None
    with library.installed():
        for order, seed in ORDERS:
            with library.schedule(order, seed):
                got = outcome(function, inputs)
            assert library.take_failure() is None
            first = first or got
            for k, (a, b) in enumerate(zip(got, first, strict=True)):
                assert a.tobytes() == b.tobytes(), f"result {k} differs between {ORDERS[0]} and {(order, seed)}"
