"""Tensors among NumPy's arrays, numbers and functions."""

import operator

import numpy as np
import pytest

import weft

torch = pytest.importorskip("torch")


def both(values, dtype="float32"):
    return torch.tensor(values, dtype=getattr(torch, dtype)), weft.tensor(values, dtype=getattr(weft, dtype))


def same(ours, theirs):
    assert type(ours).__name__ == type(theirs).__name__
    assert str(ours.dtype).replace("weft", "torch") == str(theirs.dtype)
    assert ours.tolist() == theirs.tolist()


def test_array():
    x = weft.arange(6.0).reshape(2, 3)
    a = np.asarray(x)
    assert a.ctypes.data == x.data_ptr() and a.dtype == np.float32
    assert np.array(x, copy=True).ctypes.data != x.data_ptr()
    assert np.array(x, copy=False).ctypes.data == x.data_ptr()
    assert x.__array__().ctypes.data == x.data_ptr() and x.__array__(copy=True).ctypes.data != x.data_ptr()
    assert np.asarray(x, dtype="int64").tolist() == [[0, 1, 2], [3, 4, 5]]
    assert x.__array__(np.float64).dtype == np.float64 and x.__array__(np.float64, copy=True).dtype == np.float64
    with pytest.raises(ValueError, match="copy"):
        x.__array__(np.float64, copy=False)
    with pytest.raises(ValueError):
        np.array(x, dtype="int64", copy=False)
    with pytest.raises(RuntimeError, match="detach"):
        np.asarray(weft.ones(2, requires_grad=True))
    with pytest.raises(TypeError, match="bfloat16"):
        np.asarray(weft.ones(2, dtype=weft.bfloat16))
    assert np.stack([x, x]).shape == (2, 2, 3) and np.concatenate([x, a]).shape == (4, 3)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"])
def test_memoryview(dtype):
    x = weft.tensor([[0, 1, 2], [3, 4, 5]]).to(getattr(weft, dtype))
    view = memoryview(x)
    assert view.shape == (2, 3) and view.itemsize == x.itemsize and not view.readonly
    assert np.asarray(view).dtype == dtype
    if dtype != "float16":  # which memoryview cannot read
        assert view.tolist() == x.tolist()
    assert bytes(view) == x.numpy().tobytes() == bytes(x)
    del x
    assert np.asarray(view)[1, 2] == np.ones((), dtype).dtype.type(5)


def test_memoryview_of_views():
    x = weft.arange(12.0).reshape(3, 4)
    view = memoryview(x[:, ::2])
    assert view.strides == (16, 8) and view.tolist() == [[0, 2], [4, 6], [8, 10]]
    view[0, 1] = 7.0
    assert x[0, 2].item() == 7
    assert memoryview(weft.tensor(3)).tolist() == 3 and memoryview(weft.zeros(0, 2)).shape == (0, 2)
    assert memoryview(x.t()).f_contiguous


def test_memory_that_is_not_given():
    for x, why in (
        (weft.ones(2, requires_grad=True), "detach"),
        (weft.ones(2, dtype=weft.bfloat16), "bfloat16"),
    ):
        with pytest.raises(BufferError, match=why):
            memoryview(x)
    a = np.arange(3.0)
    a.flags.writeable = False
    assert memoryview(weft.from_numpy(a)).readonly
    with pytest.raises(TypeError, match="read-only"):
        memoryview(weft.from_numpy(a))[0] = 1.0


@pytest.mark.parametrize("f", [np.sin, np.exp, np.abs, np.sqrt, np.floor, np.negative], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_functions_of_one_tensor(f):
    for values in ([1.0, 4.0], 1.0):
        t, x = both(values)
        same(f(x), f(t))


@pytest.mark.parametrize("f", [np.add, np.multiply, np.maximum, np.power, np.matmul], ids=lambda f: f.__name__)
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_functions_of_arrays_and_tensors(f):
    a = np.array([1.0, 2.0, 3.0])
    t, x = both([4.0, 5.0, 6.0])
    same(f(a, x), f(a, t))
    same(f(x, a), f(t, a))


def test_what_else_functions_give():
    x = weft.tensor([1.0, 2.0])
    assert np.greater(x, [2.0, 1.0]).tolist() == [False, True] and np.greater(x, 1).dtype == weft.bool
    into = np.zeros(2)
    assert np.add(into, x, out=into) is into and into.tolist() == [1, 2]
    assert isinstance(np.where(x > 1, x, 0.0), np.ndarray)
    assert np.sqrt(x, dtype=np.complex64).dtype == np.complex64  # which no tensor can hold
    with pytest.raises(RuntimeError, match="detach"):
        np.sin(weft.ones(2, requires_grad=True))


OPERATORS = [operator.add, operator.sub, operator.mul, operator.truediv, operator.pow, operator.floordiv, operator.mod]


@pytest.mark.parametrize("f", OPERATORS, ids=lambda f: f.__name__)
def test_an_array_beside_a_tensor_is_a_tensor(f):
    """On either side; PyTorch's refuses some of them on the left."""
    a, b = np.array([7.0, 8.0]), np.array([2.0, 3.0])
    for got in (f(a, weft.tensor(b)), f(weft.tensor(a), b)):
        assert isinstance(got, weft.Tensor) and got.dtype == weft.float64 and got.tolist() == f(a, b).tolist()
    x = weft.tensor(b, requires_grad=True)
    assert f is operator.floordiv or f(a, x).requires_grad


@pytest.mark.parametrize("f", [operator.lt, operator.ge, operator.eq, operator.ne], ids=lambda f: f.__name__)
def test_comparisons_with_arrays(f):
    a, x = np.array([1.0, 2.0]), weft.tensor([2.0, 2.0])
    for got, want in ((f(a, x), f(a, x.numpy())), (f(x, a), f(x.numpy(), a))):
        assert got.dtype == weft.bool and got.tolist() == want.tolist()


@pytest.mark.parametrize("dtype", ["float32", "int64", "bool"])
@pytest.mark.parametrize(
    "number", [np.float64(2), np.float32(2.5), np.float16(2), np.int64(3), np.int8(3), np.uint8(3)], ids=repr
)
def test_numbers_of_numpy_are_numbers(number, dtype):
    t, x = both([1, 0], dtype)
    for f in (operator.add, operator.mul):
        same(f(x, number), f(t, number))
        same(f(number, x), f(number, t))
    same(x == number, t == number)


def test_indices():
    t, x = both(range(24), "int64")
    t, x = t.view(4, 6), x.view(4, 6)
    for key in (
        np.int64(1),
        np.uint8(1),
        (np.int32(-1), slice(np.int64(1), np.int64(5), np.int64(2))),
        np.array([0, 2]),
        np.array([True, False, True, False]),
        (np.array([0, 1]), np.array([2, 3])),
        (slice(None), np.array([[0, 1], [5, 4]])),
        np.array(2),
        (Ellipsis, np.int64(0)),
    ):
        same(x[key], t[key])
    x[np.array([0, 2])] = np.int64(-1)
    assert x[2].tolist() == [-1] * 6
    x[0] = np.arange(6)
    assert x[0].tolist() == [0, 1, 2, 3, 4, 5]
    assert np.arange(3)[weft.tensor([0, 2])].tolist() == [0, 2] and [5, 6, 7][weft.tensor(2)] == 7


def test_sizes():
    n = np.int64(2)
    assert weft.zeros(n, 3).shape == (2, 3) and weft.ones((n, n)).reshape(np.int32(4)).shape == (4,)
    assert weft.ones(2, 3).sum(np.int64(1)).shape == (2,) and weft.arange(np.int64(3)).tolist() == [0, 1, 2]
    assert weft.full((n,), np.float32(0.5)).tolist() == [0.5, 0.5]
    assert weft.tensor([np.float32(1), np.float32(2)]).dtype == weft.float32
    assert weft.tensor(np.float64(1)).dtype == weft.float64 and weft.tensor([np.int8(1)]).dtype == weft.int8
