import numpy as np
import pytest

import weft
from weft.testing import assert_close

random = np.random.default_rng(0)


def affine(left, right):
    (a, b), (c, d) = left, right
    return c * a, c * b + d


@pytest.mark.parametrize("n", [0, 1, 2, 3, 4, 5, 8, 13, 100])
@pytest.mark.parametrize("reverse", [False, True])
def test_sums(n, reverse):
    x = weft.tensor(random.standard_normal((3, n)))
    want = x.numpy()[:, ::-1].cumsum(1)[:, ::-1] if reverse else x.numpy().cumsum(1)
    assert_close(weft.associative_scan(weft.add, x, 1, reverse), want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_a_recurrence_is_associative(reverse, dim):
    a, b = (weft.tensor(random.standard_normal((7, 5, 6))) for _ in range(2))
    _, h = weft.associative_scan(affine, (a, b), dim, reverse=reverse)
    assert_close(h, weft.linear_scan(a, b, dim, reverse=reverse), rtol=1e-8, atol=1e-10)


def test_order_matters_and_work_is_linear():
    seen = []

    def product(a, b):
        seen.append(a.shape[0])
        return a @ b

    x = weft.tensor(random.standard_normal((33, 2, 2)))
    y = weft.associative_scan(product, x, 0)
    want = np.stack([np.linalg.multi_dot([np.eye(2), *x.numpy()[: k + 1]]) for k in range(33)])
    assert_close(y, want, rtol=1e-8, atol=1e-9)
    assert sum(seen) < 66 and len(seen) <= 12


def test_gradients_of_both_orders():
    inputs = [weft.tensor(random.standard_normal((5, 2)), requires_grad=True) for _ in range(2)]

    def f(a, b):
        return weft.associative_scan(affine, (a, b), 0)

    assert weft.autograd.gradcheck(f, inputs) and weft.autograd.gradgradcheck(f, inputs)


def test_trees():
    x = weft.arange(4)
    y = weft.associative_scan(
        lambda a, b: {"s": a["s"] + b["s"], "m": [a["m"][0] * b["m"][0]]}, {"s": x, "m": [x + 1]}, 0
    )
    assert y["s"].tolist() == [0, 1, 3, 6] and y["m"][0].tolist() == [1, 2, 6, 24]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda x: weft.associative_scan(weft.add, x, 2), IndexError),
        (lambda x: weft.associative_scan(weft.add, (), 0), ValueError),
        (lambda x: weft.associative_scan(weft.add, 3, 0), TypeError),
        (lambda x: weft.associative_scan(None, x, 0), TypeError),
        (lambda x: weft.associative_scan(affine, (x, x[:2]), 0), ValueError),
        (lambda x: weft.associative_scan(lambda a, b: a.sum(), x, 0), ValueError),
    ],
)
def test_wrong_input(call, error):
    with pytest.raises(error, match="associative_scan"):
        call(weft.zeros(4, 3))
