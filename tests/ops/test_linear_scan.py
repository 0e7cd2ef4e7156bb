import numpy as np
import pytest

import weft
from oracle import same_bits
from weft.testing import assert_close, gradcheck

random = np.random.default_rng(0)


def reference(a, b, dim, initial=None, reverse=False):
    a, b = np.broadcast_arrays(a, b)
    a, b = (np.moveaxis(x.astype(np.float64), dim, 0) for x in (a, b))
    h = np.zeros(a.shape[1:]) if initial is None else np.broadcast_to(initial, a.shape[1:]).astype(np.float64)
    y = np.zeros(a.shape)
    for t in reversed(range(len(a))) if reverse else range(len(a)):
        h = a[t] * h + b[t]
        y[t] = h
    return np.moveaxis(y, 0, dim)


SHAPES = [
    ((5,), 0),
    ((3, 7), 1),
    ((7, 3), 0),
    ((2, 5, 17), 1),
    ((9, 33), -1),
    ((2, 4, 65), 1),
    ((1, 3, 1), 1),
    ((17, 4), 1),
]


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_values(shape, dim, reverse, dtype, isa):
    kind = getattr(weft, dtype)
    a, b = (weft.tensor(random.standard_normal(shape)).to(kind) for _ in range(2))
    first = weft.tensor(random.standard_normal(np.delete(shape, dim))).to(kind)
    exact = [x.double().numpy() for x in (a, b, first)]
    close = {"rtol": 0.1 if dtype == "bfloat16" else None, "terms": 40, "check_dtype": False}
    assert_close(weft.linear_scan(a, b, dim, reverse=reverse), reference(*exact[:2], dim, None, reverse), **close)
    y = weft.linear_scan(a, b, dim, first, reverse)
    assert y.dtype == kind
    assert_close(y, reference(*exact[:2], dim, exact[2], reverse), **close)


@pytest.mark.parametrize(
    ("shape", "dim"), [((5000,), 0), ((2, 5000), 1), ((5000, 3), 0), ((2, 3000, 70), 1), ((1025,), 0)]
)
@pytest.mark.parametrize("reverse", [False, True])
def test_chunks_of_time(shape, dim, reverse):
    a, b = random.uniform(0.5, 1.02, shape), random.standard_normal(shape)
    first = random.standard_normal(np.delete(shape, dim))
    args = [weft.tensor(x) for x in (a, b, first)]
    assert_close(
        weft.linear_scan(args[0], args[1], dim, args[2], reverse), reference(a, b, dim, first, reverse), rtol=1e-9
    )
    same_bits(lambda: weft.linear_scan(args[0].float(), args[1].float(), dim, reverse=reverse))


@pytest.mark.parametrize(("shape", "dim"), [((4,), 0), ((2, 5), 1), ((4, 3), 0), ((1, 2), 0)])
@pytest.mark.parametrize("reverse", [False, True])
def test_gradients_of_both_orders(shape, dim, reverse):
    a, b = random.standard_normal(shape), random.standard_normal(shape)
    first = random.standard_normal(np.delete(shape, dim))
    gradcheck(lambda a, b, h: weft.linear_scan(a, b, dim, h, reverse), a, b, first)
    inputs = [weft.tensor(x, requires_grad=True) for x in (a, b, first)]
    assert weft.autograd.gradgradcheck(lambda a, b, h: weft.linear_scan(a, b, dim, h, reverse), inputs)


def test_gradients_in_chunks():
    a, b = random.uniform(0.5, 1, (2, 3000)), random.standard_normal((2, 3000))
    gradcheck(lambda a, b: weft.linear_scan(a, b, 1), a, b, samples=8)


def test_broadcasting_promotion_and_empty():
    decay = weft.tensor([0.5, 0.9])
    x = weft.ones(3, 4, 2, dtype=weft.float64)
    y = weft.linear_scan(decay, x, 1, initial=weft.ones(()))
    assert y.dtype == weft.float64 and y.shape == (3, 4, 2)
    assert_close(y[0, :, 0], reference(np.float32(0.5), np.ones(4), 0, 1.0), check_dtype=False)
    assert weft.linear_scan(weft.zeros(0, 3), weft.zeros(0, 3), 0).shape == (0, 3)
    assert weft.linear_scan(weft.zeros(4, 0), weft.zeros(4, 0), 0).shape == (4, 0)
    view = weft.randn(6, 4)
    assert_close(weft.linear_scan(view.t(), view.t() * 2, 1), weft.linear_scan(view, view * 2, 0).t(), rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: weft.linear_scan(x, x, 2), IndexError, "linear_scan"),
        (lambda x: weft.linear_scan(x, x[:2], 0), ValueError, "linear_scan"),
        (lambda x: weft.linear_scan(x, x, 0, weft.zeros(3)), ValueError, "linear_scan"),
        (lambda x: weft.linear_scan(x.long(), x.long(), 0), TypeError, "floating"),
        (lambda x: weft.linear_scan(weft.ones(()), weft.ones(()), 0), ValueError, "dimension"),
    ],
)
def test_wrong_input(call, error, words):
    with pytest.raises(error, match=words):
        call(weft.zeros(3, 4))
