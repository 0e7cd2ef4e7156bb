"""Attention on "cuda": on a GPU, or under the emulation, against the CPU."""

from functools import partial

import numpy as np
import pytest
from agree import agree

import weft
from weft import _core
from weft.testing import assert_close

rng = np.random.default_rng(5)
attention = _core.scaled_dot_product_attention


def normal(*shape):
    return rng.standard_normal(shape)


@pytest.fixture
def check(device):
    return partial(agree, device=device, terms=4096)


# leading dimensions, queries, keys, dim, value dim
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    ("lead", "queries", "keys", "dim", "v_dim"),
    [
        ((), 1, 1, 1, 1),
        ((2,), 5, 7, 3, 4),
        ((1, 2), 33, 65, 40, 33),
        ((2, 1), 70, 31, 8, 140),
        ((1, 1), 32, 32, 64, 64),
    ],
)
def test_shapes(check, lead, queries, keys, dim, v_dim, causal):
    arrays = normal(*lead, queries, dim), normal(*lead, keys, dim), normal(*lead, keys, v_dim)
    check(lambda q, k, v: attention(q, k, v, is_causal=causal), *arrays)


def test_masks(check):
    q, k, v = normal(2, 3, 20, 8), normal(2, 3, 40, 8), normal(2, 3, 40, 8)
    allowed = rng.random((2, 1, 20, 40)) < 0.5
    allowed[0, 0, 3] = False  # a row that attends to nothing
    check(lambda q, k, v, m: attention(q, k, v, m), q, k, v, allowed)
    bias = normal(20, 40)
    check(lambda q, k, v: attention(q, k, v, weft.tensor(bias, dtype=q.dtype, device=q.device)), q, k, v)


def test_grouped_queries_and_views(check):
    check(
        lambda q, k, v: attention(q, k, v, enable_gqa=True),
        normal(2, 6, 9, 8),
        normal(2, 2, 11, 8),
        normal(2, 2, 11, 8),
    )
    check(
        lambda q, k, v: attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)),
        *(normal(2, 9, 3, 8) for _ in range(3)),
    )


def test_dropout_is_the_cpus(device):
    q, k, v = (weft.tensor(normal(1, 2, 17, 8).astype(np.float32)) for _ in range(3))
    results = []
    for where in ("cpu", device):
        weft.manual_seed(3)
        leaves = [x.detach().to(where).requires_grad_() for x in (q, k, v)]
        y = attention(*leaves, dropout_p=0.4)
        y.backward(weft.ones_like(y))
        results.append([y.detach().cpu(), *(x.grad.cpu() for x in leaves)])
    for a, b in zip(*results, strict=True):
        assert_close(a, b, terms=4096)
