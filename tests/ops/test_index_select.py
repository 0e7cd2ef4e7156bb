"""What PyTorch's catalogue of operations does not hold: in-place twins, reductions, questions about tensors."""

import numpy as np
import pytest

import weft
from oracle import check_same, torch
from weft.testing import assert_close


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def index(shape, size, seed=1):
    return np.random.default_rng(seed).integers(0, size, shape)


def test_in_place_twins():
    i = np.array([2, 0])
    check_same(lambda m, x, j: (x * 1).index_fill_(1, j, 2.5), values(3, 4), i)
    check_same(lambda m, x, j, s: (x * 1).index_copy_(0, j, s), values(3, 4), i, values(2, 4))
    check_same(lambda m, x, j, s: (x * 1).index_add_(0, j, s, alpha=2), values(3, 4), i, values(2, 4))
    check_same(lambda m, x, j, s: (x * 1).put_(j, s), values(3, 4), i, values(2))
    check_same(lambda m, x, j, s: (x * 1).t().put_(j, s, accumulate=True), values(3, 4), i, values(2))
    check_same(lambda m, x, j, s: (x * 1).index_put_((j, j), s, accumulate=True), values(3, 4), i, values(2))
    check_same(lambda m, x, s: (x * 1).masked_scatter_(x > 0, s), values(3, 4), values(12))
    check_same(lambda m, x: (x * 1).tril_(-1) + (x * 1).triu_(), values(3, 4))
    check_same(lambda m, x, j: (x * 1).t().index_fill_(0, j, 0.0), values(3, 4), i)


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("include_self", [False, True])
def test_scatter_reduce_in_place(reduce, include_self):
    i = index((5, 4), 3)
    check_same(
        lambda m, x, j, s: (x * 1).scatter_reduce_(0, j, s, reduce, include_self=include_self),
        values(3, 4),
        i,
        values(5, 4, seed=2),
    )


@pytest.mark.parametrize("reduce", ["sum", "prod", "mean", "amax", "amin"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int32", "int64", "float16", "bfloat16"])
def test_scatter_reduce_dtypes(reduce, dtype):
    if dtype == "bool" and reduce == "mean":
        return
    x, s = index((3, 4), 5).astype("float32"), index((6, 4), 5, seed=3).astype("float32")
    i = index((6, 4), 3)

    def run(m):
        d = getattr(m, dtype)
        return m.tensor(x).to(d).scatter_reduce(0, m.tensor(i), m.tensor(s).to(d), reduce, include_self=False).float()

    if torch is not None:
        assert_close(run(weft), run(torch))


def test_nan_is_an_extreme():
    x, s, i = weft.zeros(2), weft.tensor([1.0, float("nan"), 2.0]), weft.tensor([0, 0, 1])
    for reduce in ("amax", "amin"):
        y = x.scatter_reduce(0, i, s, reduce, include_self=False)
        assert y[0] != y[0] and y[1] == 2


def test_nonzero():
    for shape in ((), (5,), (3, 4), (2, 0)):
        x = index(shape, 2).astype("float32")
        check_same(lambda m, a: m.nonzero(a), x, grad=False, dtypes=("float32",))
        check_same(lambda m, a: m.nonzero(a, as_tuple=True), x, grad=False, dtypes=("float32",))
        check_same(lambda m, a: m.argwhere(a), x, grad=False, dtypes=("float32",))


def test_repeat_interleave():
    x = values(3, 4)
    check_same(lambda m, a: a.repeat_interleave(2), x)
    check_same(lambda m, a: m.repeat_interleave(a, 3, dim=1), x)
    check_same(lambda m, a, r: m.repeat_interleave(a, r, dim=0, output_size=5), x, np.array([2, 0, 3]))
    check_same(lambda m, r: m.repeat_interleave(r), np.array([2, 0, 3]))


def test_contains():
    x = weft.tensor([1.0, 2.0])
    assert 2 in x and 3 not in x and weft.tensor(1.0) in x


def test_functions_of_python():
    x = weft.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert x.t().apply_(lambda v: v * 10).tolist() == [[10, 30], [20, 40]]
    assert x.map_(weft.tensor([1.0, 2.0]), lambda a, b: a + b).tolist() == [[11, 22], [31, 42]]
    with pytest.raises(RuntimeError, match="no gradient"):
        weft.zeros(2, requires_grad=True).apply_(abs)


def test_bad_input():
    x, i = weft.zeros(3, 4), weft.tensor([0, 1])
    with pytest.raises(RuntimeError, match=r"\[scatter_reduce\] reduce is one of sum, prod"):
        x.scatter_reduce(0, i.reshape(1, 2), weft.zeros(1, 2), "max")
    with pytest.raises(RuntimeError, match=r"\[scatter\] reduce is 'add' or 'multiply', got 'mean'"):
        x.scatter(0, i.reshape(1, 2), 1.0, reduce="mean")
    with pytest.raises(RuntimeError, match=r"\[put\] expected as many elements"):
        x.put(i, weft.zeros(3))
    with pytest.raises(IndexError, match="out of bounds"):
        x.take(weft.tensor([12]))
    with pytest.raises(RuntimeError, match="at least 12 elements of source"):
        x.masked_scatter(x == 0, weft.zeros(3))
    with pytest.raises(RuntimeError, match=r"\[index_copy\] expected source of shape \[2, 4\]"):
        x.index_copy(0, i, weft.zeros(3, 4))
    with pytest.raises(RuntimeError, match=r"\[repeat_interleave\] expected 3 repeats"):
        x.repeat_interleave(i, 0)
    with pytest.raises(IndexError):
        x.index_fill(0, weft.tensor([3]), 1.0)
    assert float(x.abs().sum()) == 0
