import numpy as np
import pytest

import weft
from oracle import FLOATS, check_same, same_bits
from weft.testing import gradcheck

SHAPES = ((), (1,), (65,), (3, 17), (17, 3), (2, 5, 130), (0,), (3, 0), (0, 3))
NAMES = ("cumsum", "cumprod", "logcumsumexp", "cummax", "cummin")


def randn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_floats(isa, name, shape):
    x = randn(*shape)
    if name in ("cummax", "cummin"):
        x = np.asarray(np.round(x * 2))  # many ties
    for dim in range(-max(len(shape), 1), max(len(shape), 1)):
        check_same(lambda m, x: getattr(m, name)(x, dim), x)  # noqa: B023
        check_same(lambda m, x: getattr(m, name)(x, dim), x, dtypes=FLOATS, grad=False)  # noqa: B023
        if len(shape) > 1:
            check_same(lambda m, x: getattr(m, name)(x.transpose(0, 1), dim), x)  # noqa: B023


@pytest.mark.parametrize("name", ("cumsum", "cumprod", "cummax", "cummin"))
@pytest.mark.parametrize("dtype", (np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64))
def test_integers(isa, name, dtype):
    x = np.random.default_rng(0).integers(0, 4, (5, 9)).astype(dtype)
    for dim in (0, 1):
        check_same(lambda m, x: getattr(m, name)(x, dim), x)  # noqa: B023


@pytest.mark.parametrize("name", NAMES)
def test_nan_and_infinity(isa, name):
    for special in (np.nan, np.inf, -np.inf):
        for at in (0, 3, 8):
            x = randn(9)
            x[at] = special
            check_same(lambda m, x: getattr(m, name)(x, 0), x, grad=False, dtypes=FLOATS)
    x = np.array([np.nan, 1, np.nan, 3, -np.inf, -np.inf, np.inf, np.inf])
    check_same(lambda m, x: getattr(m, name)(x, 0), x, grad=False)
    check_same(lambda m, x: getattr(m, name)(x, 0), np.full(3, -np.inf), grad=False)


def test_large_exponents():
    check_same(
        lambda m, x: m.logcumsumexp(x, 0), np.array([1000.0, -1000, 1001, 3, 1002]), dtypes=("float64",), rtol=1e-11
    )
    check_same(lambda m, x: m.logcumsumexp(x, 0), np.array([-np.inf, 0.0, 1.0]), grad=False)


@pytest.mark.parametrize("zeros", ((), (0,), (4,), (2,), (1, 3), (0, 1, 4)))
def test_cumprod_gradient_with_zeros(zeros):
    x = randn(5, 2)
    x[list(zeros)] = 0
    check_same(lambda m, x: m.cumprod(x, 0), x)
    check_same(lambda m, x: m.cumprod(x.t(), -1), x)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivative(name):
    x = randn(3, 4)
    x[1, 2] = 0

    def slope(x):
        x.requires_grad = True
        y = getattr(weft, name)(x, 1)
        y = y if isinstance(y, weft.Tensor) else y.values
        return weft.autograd.grad((y**2).sum(), x, create_graph=True)[0] * 1.5

    gradcheck(slope, x)


def test_in_place_and_out():
    x = weft.tensor([[1.0, 2.0], [3.0, 4.0]])
    y = x.clone()
    assert y.cumsum_(0) is y and y.tolist() == [[1, 2], [4, 6]]
    y = x.clone()
    assert y.cumprod_(1) is y and y.tolist() == [[1, 2], [3, 12]]
    out = weft.empty(2, 2)
    assert weft.cumsum(x, 1, out=out) is out and out.tolist() == [[1, 3], [3, 7]]
    values, indices = weft.empty(2, 2), weft.empty(2, 2, dtype=weft.int64)
    weft.cummax(x, dim=0, out=(values, indices))
    assert values.tolist() == x.tolist() and indices.tolist() == [[0, 0], [1, 1]]


def test_same_bits(isa):
    x = weft.tensor(randn(70, 900).astype(np.float32))
    same_bits(lambda: (x.cumsum(0), x.cumsum(1), x.logcumsumexp(1), *x.cummax(0)))


def test_bad_input():
    x = weft.ones(2, 3)
    for name in NAMES:
        with pytest.raises(IndexError, match=rf"\[{name}\] dimension out of range"):
            getattr(x, name)(2)
    with pytest.raises(NotImplementedError, match="logcumsumexp"):
        weft.arange(3).logcumsumexp(0)
    with pytest.raises(TypeError, match="bool"):
        x.cumprod(0, dtype=weft.bool)
