import numpy as np
import pytest

import weft
from oracle import check_same, same_bits
from weft.testing import assert_close, gradcheck, tolerance

COLS = (0, 1, 2, 7, 8, 15, 16, 17, 63, 64, 65, 1000)


def randn(*shape, scale=3.0, seed=0):
    return np.random.default_rng(seed + 100).standard_normal(shape) * scale


def reference(x, axis=-1):
    e = np.exp(x - x.max(axis, keepdims=True))
    return e / e.sum(axis, keepdims=True)


@pytest.mark.parametrize("cols", COLS)
def test_rows(isa, cols):
    x = randn(5, cols)
    for name in ("softmax", "log_softmax"):
        check_same(lambda m, x: getattr(m, name)(x, -1), x, terms=max(20 * cols, 20))  # noqa: B023
        # in half precision the gradient starts from a rounded y
        check_same(lambda m, x: getattr(m, name)(x, -1), x, dtypes=("float16",), rtol=8e-3, atol=8e-3)  # noqa: B023
        check_same(lambda m, x: getattr(m, name)(x, -1), x, dtypes=("bfloat16",), rtol=6e-2, atol=6e-2)  # noqa: B023


@pytest.mark.parametrize("dim", (0, 1, 2, 3, -4, -1))
def test_any_dim(dim):
    x = randn(3, 4, 5, 6)
    check_same(lambda m, x: m.softmax(x, dim), x, terms=1000)
    check_same(lambda m, x: m.log_softmax(x, dim), x, terms=1000)


def test_forms():
    x = randn(4, 5)
    check_same(lambda m, x: x.softmax(dim=1), x, terms=100)
    check_same(lambda m, x: m.softmax(x.t(), dim=1), x, terms=100)  # not contiguous
    check_same(lambda m, x: m.softmax(x[:, ::2], dim=1), x, terms=100)
    check_same(lambda m, x: m.softmax(x, 1, dtype=m.float64), x, grad=False)
    check_same(lambda m, x: m.log_softmax(x, dim=0, dtype=m.float64), np.arange(6).reshape(2, 3))
    check_same(lambda m, x: m.softmax(x, 0), np.array(3.0))
    check_same(lambda m, x: m.softmax(x, 0), randn(0, 3))


def test_extremes(isa):
    x = np.array([[1e38, -1e38, 0.0], [-np.inf, 1.0, 2.0], [3e38, 3e38, 3e38], [-80.0, -90.0, -1000.0]], np.float32)
    assert_close(weft.softmax(weft.tensor(x), 1), reference(x.astype(np.float64)), check_dtype=False, terms=4)
    log = weft.log_softmax(weft.tensor(x[3:]), 1).numpy()
    assert_close(log, np.array([[0.0, -10.0, -920.0]]) - np.log1p(np.exp(-10)), check_dtype=False, rtol=1e-6, atol=1e-7)
    for bad in (-np.inf, np.inf, np.nan):
        row = np.full((2, 5), bad, np.float32)
        row[1] = 0
        y = weft.softmax(weft.tensor(row), 1).numpy()
        assert np.isnan(y[0]).all() and (y[1] == np.float32(0.2)).all()


def test_accuracy(isa):
    for cols in (10, 1000, 50257):
        x = randn(2, cols).astype(np.float32)
        y = weft.softmax(weft.tensor(x), 1).numpy()
        expected = reference(x.astype(np.float64))
        assert np.abs(y / expected - 1).max() < 8 * tolerance("float32")
        assert abs(y.sum(1, dtype=np.float64) - 1).max() < 1e-6


def test_same_bits(isa):
    x, dy = weft.tensor(randn(300, 701).astype(np.float32)), weft.tensor(randn(300, 701).astype(np.float32))

    def run():
        v = x.detach()
        v.requires_grad = True
        y = weft.softmax(v, 1)
        y.backward(dy)
        return y.detach(), v.grad

    same_bits(run)


@pytest.mark.parametrize("name", ("softmax", "log_softmax"))
def test_second_derivative(name):
    x, v = randn(3, 4), weft.tensor(randn(3, 4, seed=1))

    def slope(x):
        x.requires_grad = True
        y = getattr(weft, name)(x, 1)
        return weft.autograd.grad((y * y * v).sum(), x, create_graph=True)[0]

    gradcheck(slope, x)


def test_bad_input():
    x = weft.ones(2, 3)
    with pytest.raises(IndexError, match=r"\[softmax\].*2"):
        weft.softmax(x, 2)
    with pytest.raises(RuntimeError, match=r"\[log_softmax\].*int64"):
        weft.log_softmax(weft.arange(3), 0)
    with pytest.raises(TypeError):
        weft.softmax(x, dim="last")
