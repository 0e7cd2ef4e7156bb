"""x[...] read and written with generated keys, beside PyTorch (values, gradients, views) and NumPy (values)."""

import itertools

import numpy as np
import pytest

import weft
from oracle import torch
from weft.testing import assert_close, to_numpy

X = np.random.default_rng(0).standard_normal((3, 4, 5))

# What may stand at one dimension. Arrays become tensors of the library; "mask" is a bool mask of the dimension's size.
PARTS = {
    ":": slice(None),
    "1:3": slice(1, 3),
    "::2": slice(None, None, 2),
    "-2:": slice(-2, None),
    "9:": slice(9, None),
    "0": 0,
    "-1": -1,
    "None": None,
    "...": Ellipsis,
    "[0, 2]": [0, 2],
    "array": np.array([0, -1, 1]),
    "column": np.array([[0], [2], [-3]]),
    "number": np.array(1),
    "empty": np.array([], dtype=np.int64),
    "mask": "mask",
    "True": True,
    "False": False,
}


def keys():
    """All pairs of parts, and every third or so of the triples: several hundred."""
    names = list(PARTS)
    for n in (1, 2):
        yield from itertools.product(names, repeat=n)
    triples = list(itertools.product(names, repeat=3))
    yield from (triples[i] for i in range(0, len(triples), 11))


def build(names, shape):
    """The key as NumPy's; None where it is none."""
    if names.count("...") > 1:
        return None
    taken = sum(name not in ("None", "...", "True", "False") for name in names)
    if taken > len(shape):
        return None
    dim, key = 0, []
    for name in names:
        part = PARTS[name]
        if name == "mask":
            part = np.arange(shape[dim]) % 2 == 0
        key.append(part)
        if name == "...":
            dim += len(shape) - taken
        elif name not in ("None", "True", "False"):
            dim += 1
    return tuple(key)


def of(m, key):
    """The key with arrays as tensors of a library."""
    make = torch.from_numpy if m is torch else weft.tensor
    return tuple(make(np.array(k)) if isinstance(k, np.ndarray) else k for k in key)


KEYS = [pytest.param(build(names, X.shape), id=", ".join(names)) for names in keys() if build(names, X.shape)]


def numpy_agrees(key):
    """PyTorch and NumPy part where an integer or a bool stands beside arrays, and for empty arrays' bounds."""
    arrays = [isinstance(k, np.ndarray | list) and not (isinstance(k, np.ndarray) and k.ndim == 0) for k in key]
    numbers = any(isinstance(k, bool) or (isinstance(k, np.ndarray) and k.ndim == 0) for k in key)
    return not (numbers or (any(arrays) and any(isinstance(k, int) for k in key)))


def attempt(f):
    try:
        return f()
    except (IndexError, ValueError, RuntimeError, TypeError):
        return None


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize("key", KEYS)
def test_read(key):
    t = torch.tensor(X, requires_grad=True)
    want = attempt(lambda: t[of(torch, key)])
    x = weft.tensor(X, requires_grad=True)
    if want is None:
        with pytest.raises((IndexError, ValueError, RuntimeError)):
            x[of(weft, key)]
        return
    got = x[of(weft, key)]
    assert_close(got, want)
    seed = np.random.default_rng(1).standard_normal(tuple(want.shape))
    want.backward(torch.tensor(seed))
    got.backward(weft.tensor(seed))
    assert_close(x.grad, t.grad)
    if want.numel():  # a view where PyTorch has one
        assert shares(got, x) == want._is_view()
    if numpy_agrees(key):
        assert_close(got, X[key])


def shares(y, x):
    first, last = x.data_ptr(), x.data_ptr() + x.nbytes
    return first <= y.data_ptr() < last


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize("key", KEYS)
def test_write(key):
    """Numbers, a tensor of the part's shape and one that broadcasts; places written twice get equal values."""
    part = attempt(lambda: torch.tensor(X)[of(torch, key)])
    if part is None:
        return
    for shape in ((), tuple(part.shape[-1:]), (1, *part.shape)):
        value = np.full(shape, 2.5) if shape == () or repeats(key) else np.random.default_rng(2).standard_normal(shape)
        t, tv = torch.tensor(X, requires_grad=True), torch.tensor(value, requires_grad=True)
        base = t * 1

        def write(y=base, v=tv):
            y[of(torch, key)] = v
            return y

        want = attempt(write)
        if want is None:
            continue
        x, v = weft.tensor(X, requires_grad=True), weft.tensor(value, requires_grad=True)
        got = x * 1
        got[of(weft, key)] = v
        assert_close(got, want)
        seed = np.random.default_rng(3).standard_normal(X.shape)
        want.backward(torch.tensor(seed))
        got.backward(weft.tensor(seed))
        assert_close(x.grad, t.grad)
        if not repeats(key):
            assert_close(to_numpy(v.grad) if v.grad is not None else 0 * value, nothing(tv.grad, value), terms=X.size)


def repeats(key):
    """Whether a place may come twice: -1 and 2 are the same of three."""
    return any(isinstance(k, np.ndarray | list) for k in key)


def nothing(grad, like):
    return np.zeros_like(like) if grad is None else grad.numpy()


@pytest.mark.parametrize("key", KEYS)
def test_accumulating(key):
    """index_put with accumulate adds at every place as often as it comes."""
    if not key or not all(isinstance(k, np.ndarray) and k.ndim for k in key):
        return
    expected = X.copy()
    if attempt(lambda: np.add.at(expected, key, 1.0) or True):
        y = weft.tensor(X).index_put(of(weft, key), weft.tensor(1.0, dtype=weft.float64), accumulate=True)
        assert_close(y, expected)


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize("target", ["float32", "int64", "uint8", "bool", "bfloat16"])
@pytest.mark.parametrize("source", ["float64", "float32", "int32", "bool"])
def test_write_converts(target, source):
    value = np.array([1.75, 0.0, 3.0, 1.0]).astype(source)
    x, t = weft.zeros(3, 4, dtype=getattr(weft, target)), torch.zeros(3, 4, dtype=getattr(torch, target))
    x[1:], t[1:] = weft.tensor(value), torch.tensor(value)
    assert_close(x.float(), t.float())


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "bool"])
def test_index_dtypes(dtype):
    index = np.array([1, 0, 1]).astype(dtype)
    with pytest.warns() if dtype == "uint8" else no_warning():
        want = torch.tensor(X)[torch.tensor(index)]
    assert_close(weft.tensor(X)[weft.tensor(index)], want)


class no_warning:
    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return False


LISTS = [
    [[0, 1], [1, 2]],
    [slice(0, 1)],
    [None],
    [0, 2],
    [True, False, True],
    [0, True],
    [],
    ([0, 1], [0, 1]),
    ((0, 1),),
    ((0, 1), (0, 1)),
    range(2),
    np.int64(1),
    np.array(1),
    [..., [0, 1]],
]


@pytest.mark.skipif(torch is None, reason="needs PyTorch")
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")
@pytest.mark.parametrize("key", LISTS, ids=str)
def test_lists_and_numpy(key):
    assert_close(weft.tensor(X)[key], torch.tensor(X)[key])


def test_a_number_in_a_tensor_selects_a_view():
    x = weft.zeros(3, 4)
    x[weft.tensor(1)].fill_(2)
    x[:, weft.tensor(0)] += 1
    assert x.tolist() == [[1, 0, 0, 0], [3, 2, 2, 2], [1, 0, 0, 0]]


def test_bool_numbers():
    x = weft.tensor(3.0)
    assert x[True].shape == (1,) and x[False].shape == (0,) and x[None].shape == (1,) and x[...].shape == ()
    x[True] = 4.0
    x[False] = 5.0
    assert x.item() == 4
    with pytest.raises(IndexError):
        x[0]


def test_second_derivatives():
    for fn in (
        lambda x: x[weft.tensor([0, 2, 2])],
        lambda x: x[:, weft.tensor([1, 1])],
        lambda x: x[1:, ..., 0],
        lambda x: x.index_put((weft.tensor([0, 2]),), x[0] * x[1]),
        lambda x: x.index_put((None, weft.tensor([0, 2])), x[:, :2] * x[:, 1:3], accumulate=True),
    ):
        x = weft.tensor(X, requires_grad=True)
        assert weft.autograd.grad((fn(x) ** 3).sum(), x, create_graph=True)[0].requires_grad

        def gradient(values, fn=fn):
            x = weft.tensor(values, requires_grad=True)
            (dx,) = weft.autograd.grad((fn(x) ** 3).sum(), x, create_graph=True)
            return x, (dx * weft.tensor(np.cos(np.arange(X.size)).reshape(X.shape))).sum()

        x, g = gradient(X)
        (ddx,) = weft.autograd.grad(g, x)
        d = np.random.default_rng(4).standard_normal(X.shape)
        h = 1e-6
        slope = (gradient(X + h * d)[1] - gradient(X - h * d)[1]).item() / (2 * h)
        np.testing.assert_allclose((to_numpy(ddx) * d).sum(), slope, rtol=1e-5)


def test_values_that_do_not_fit():
    x, i = weft.zeros(5, 5), weft.tensor([0, 1])
    for shape in ((0, 2, 5), (3, 2, 5), (2, 4), (3,)):
        with pytest.raises((ValueError, RuntimeError), match="broadcast"):
            x.index_put((i,), weft.zeros(shape), accumulate=True)
        with pytest.raises((ValueError, RuntimeError), match="broadcast"):
            x[i] = weft.zeros(shape)
    assert float(x.abs().sum()) == 0
