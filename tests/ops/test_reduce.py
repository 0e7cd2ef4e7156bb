import numpy as np
import pytest

import weft
from oracle import FLOATS, check, check_same, same_bits
from weft.testing import assert_close, gradcheck, to_numpy

INTEGERS = (np.bool_, np.uint8, np.int8, np.int16, np.int32, np.int64)
SHAPES = ((), (1,), (15,), (16,), (17,), (64,), (65,), (1023,), (2, 3), (7, 130), (130, 7), (3, 1, 5), (4, 5, 6, 2))


def randn(*shape, seed=0):
    return np.random.default_rng(seed + 100).standard_normal(shape)


def axes_of(ndim):
    yield None
    yield from range(ndim)
    if ndim >= 2:
        yield (0, ndim - 1)
        yield (-1,)
    if ndim >= 3:
        yield (0, 2)
        yield (1, -1)


@pytest.mark.parametrize("name", ("sum", "mean", "amax", "amin", "norm"))
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_floats(isa, name, shape):
    x = randn(*shape)
    for dim in axes_of(len(shape)):
        for keepdim in (False, True):
            check_same(lambda m, x: getattr(m, name)(x, dim=dim, keepdim=keepdim), x, dtypes=FLOATS)  # noqa: B023


@pytest.mark.parametrize("name", ("sum", "prod", "amax", "amin", "any", "all", "count_nonzero"))
@pytest.mark.parametrize("dtype", INTEGERS)
def test_integers(isa, name, dtype):
    x = (np.random.default_rng(0).integers(0, 3, (6, 37)) * (1 if np.dtype(dtype).kind in "bu" else -1)).astype(dtype)
    dims = (0, 1) if name == "prod" else (0, 1, (0, 1), None)
    for dim in dims:
        check_same(lambda m, x: getattr(m, name)(x, dim), x)  # noqa: B023
        check_same(lambda m, x: getattr(m, name)(x.t(), dim), x)  # noqa: B023
    if name[:2] != "am":
        check_same(lambda m, x: getattr(m, name)(x), np.zeros((2, 0), dtype))


@pytest.mark.parametrize("name", ("sum", "prod", "amax", "amin", "count_nonzero"))
@pytest.mark.parametrize("dtype", ("float32", "float64", "int64"))
def test_short_lines(isa, name, dtype):
    """Folded several at a time: each as if it stood alone, wherever it stands."""
    for n in (1, 3, 4, 5, 15, 16, 17, 49, 127, 128, 129):
        x = weft.tensor((randn(130, n) * 3).astype(dtype))
        check_same(lambda m, x: getattr(m, name)(x, 1), to_numpy(x)[:37], grad=False)
        whole = getattr(weft, name)(x, 1)
        for k in (0, 5, 16, 63, 64, 129):
            assert to_numpy(whole[k]).tobytes() == to_numpy(getattr(weft, name)(x[k : k + 1], 1)).tobytes()


@pytest.mark.parametrize("name", ("amax", "amin", "sum"))
def test_nan_in_short_lines(isa, name):
    x = randn(40, 21).astype(np.float32)
    for k in range(21):
        x[k, k] = np.nan
    assert np.isnan(to_numpy(getattr(weft.tensor(x), name)(1))).tolist() == [True] * 21 + [False] * 19


@pytest.mark.parametrize("name", ("sum", "mean", "prod", "var"))
def test_empty(name):
    for shape, dim in (((0,), 0), ((0, 3), 0), ((3, 0), 0), ((3, 0), 1)):
        check_same(lambda m, x: getattr(m, name)(x, dim), np.zeros(shape), grad=False)  # noqa: B023
    for op in ("amax", "amin", "argmax", "argmin"):
        with pytest.raises(IndexError, match=op):
            getattr(weft, op)(weft.zeros(3, 0), 1)
    with pytest.raises(RuntimeError, match="max"):
        weft.max(weft.zeros(0))
    assert weft.amax(weft.zeros(0, 3), 1).shape == (0,)


def test_strided(isa):
    x = randn(6, 70, 5)
    views = (
        lambda x: x.permute(2, 0, 1),
        lambda x: x.transpose(0, 1),
        lambda x: x[::2, 3:67:3, 1:],
        lambda x: x[:, :1].expand(6, 9, 5),
        lambda x: x[2:3, 4:5].expand(3, 8, 5).transpose(0, 2),
    )
    for view in views:
        for dim in axes_of(3):
            check_same(lambda m, x: view(x).sum(dim), x, dtypes=FLOATS)  # noqa: B023
            check_same(lambda m, x: view(x).amax(() if dim is None else dim), x, dtypes=("float32", "bfloat16"))  # noqa: B023
            check_same(lambda m, x: view(x).var(dim, correction=0), x, atol=1e-5)  # noqa: B023


def test_dtype_argument():
    x = np.arange(10)
    check_same(lambda m, x: m.sum(x, dtype=m.float32), x)
    check_same(lambda m, x: m.mean(x, 0, dtype=m.float64), x)
    check_same(lambda m, x: m.prod(x + 1, 0, dtype=m.int32), x)
    half = weft.full((70000,), 1.0, dtype=weft.float16)
    assert half.sum(dtype=weft.float32).item() == 70000
    assert half.mean().item() == 1


def test_accuracy_is_pairwise(isa):
    n = 1 << 22
    x = np.random.default_rng(0).random(n, dtype=np.float32)
    exact = x.astype(np.float64).sum()
    assert abs(weft.tensor(x).sum().item() / exact - 1) < 1e-6
    columns = x.reshape(-1, 4)
    got = weft.tensor(columns).sum(0).numpy()
    assert np.abs(got / columns.astype(np.float64).sum(0) - 1).max() < 1e-6
    # a large mean and a small spread
    shifted = (1e4 + x[:10000]).astype(np.float32)
    assert abs(weft.tensor(shifted).var().item() / shifted.astype(np.float64).var(ddof=1) - 1) < 1e-3


@pytest.mark.parametrize("shape,dim", (((3, 200001), 1), ((200001, 3), 0), ((200001,), None), ((40, 50, 60), (0, 2))))
def test_same_bits(isa, shape, dim):
    x = weft.tensor(randn(*shape).astype(np.float32))
    same_bits(lambda: (x.sum(dim), x.mean(dim), x.var(dim), x.amax(dim if dim is not None else ())))


def test_nan_and_infinity(isa):
    for n in (3, 16, 40, 100, 2000):
        for at in (0, n // 2, n - 1):
            x = randn(2, n).astype(np.float32)
            x[0, at] = np.nan
            x[1, at] = np.inf
            for dim in (None, 0, 1):
                check_same(lambda m, x: m.amax(x, () if dim is None else dim), x, grad=False, dtypes=FLOATS)  # noqa: B023
                check_same(lambda m, x: m.amin(x, () if dim is None else dim), x, grad=False, dtypes=FLOATS)  # noqa: B023
            check_same(lambda m, x: m.argmax(x, 1), x, grad=False)
            check_same(lambda m, x: m.argmin(x, 1), x, grad=False)
            check_same(lambda m, x: m.argmin(x.t().contiguous(), 0), x, grad=False)
    assert weft.tensor([1e38, 3e38]).float().sum().item() == np.inf


@pytest.mark.parametrize("name", ("max", "min"))
@pytest.mark.parametrize("shape", ((1,), (5,), (3, 17), (17, 3), (4, 65, 3), (2, 3, 300)), ids=str)
def test_max_with_positions(isa, name, shape):
    x = np.round(randn(*shape) * 2)  # many ties
    for dim in range(-len(shape), len(shape)):
        check_same(lambda m, x: tuple(getattr(m, name)(x, dim)), x, dtypes=FLOATS)  # noqa: B023
        check_same(lambda m, x: tuple(getattr(m, name)(x, dim, keepdim=True)), x)  # noqa: B023
        check_same(lambda m, x: getattr(m, "arg" + name)(x, dim, keepdim=True), x, grad=False)  # noqa: B023
        for dtype in INTEGERS:
            check_same(lambda m, x: tuple(getattr(m, name)(x, dim)), np.abs(x).astype(dtype))  # noqa: B023
    check_same(lambda m, x: getattr(m, name)(x), x)
    check_same(lambda m, x: getattr(m, "arg" + name)(x), x, grad=False)
    check_same(lambda m, x: getattr(m, name)(x, -x), x)


def test_named_tuple():
    result = weft.tensor([[1.0, 5.0, 2.0]]).max(dim=1)
    assert result._fields == ("values", "indices") and type(result).__name__ == "max"
    values, indices = result
    assert values.item() == 5 and indices.item() == 1 and indices.dtype is weft.int64


def test_variance_forms():
    x = randn(4, 5)
    check_same(lambda m, x: m.var(x), x)
    check_same(lambda m, x: x.var(unbiased=False), x)
    check_same(lambda m, x: x.var(False), x)
    check_same(lambda m, x: x.std(1, True, True), x)
    check_same(lambda m, x: m.std(x, dim=(0, 1), correction=2, keepdim=True), x)
    check_same(lambda m, x: m.var_mean(x, 1), x)
    check_same(lambda m, x: m.std_mean(x, dim=0, correction=0), x)
    check_same(lambda m, x: m.std(x, 0), np.ones((3, 2)))  # gradient 0, not NaN
    assert np.isnan(weft.ones(1).var().item())


@pytest.mark.parametrize("p", ("fro", 0, 1, 2, 3, 0.5, np.inf, -np.inf))
def test_norm(p):
    x = randn(4, 6)
    check_same(lambda m, x: m.norm(x, p), x, grad=p != 0, terms=200)
    check_same(lambda m, x: x.norm(p, 1, True), x, grad=p != 0, terms=200)
    if p in ("fro", 1, 2):
        check_same(lambda m, x: m.norm(x, p, dim=0), np.zeros((2, 3)))


def test_prod_gradient():
    x = randn(3, 4)
    check_same(lambda m, x: m.prod(x), x)
    check_same(lambda m, x: m.prod(x, 1, keepdim=True), x)
    x[0, 1] = 0
    x[1, 1] = x[1, 2] = 0
    check_same(lambda m, x: m.prod(x, 1), x)
    check_same(lambda m, x: m.prod(x, 0), x)


def test_ties_share_the_gradient():
    x = weft.tensor([[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], requires_grad=True)
    x.amax(1).sum().backward()
    assert_close(x.grad, np.array([[0, 0.5, 0.5], [1 / 3] * 3], np.float32), terms=4)
    x.grad = None
    x.max(1).values.sum().backward()
    assert x.grad.numpy().tolist() == [[0, 1, 0], [1, 0, 0]]


@pytest.mark.parametrize(
    "fn",
    (
        lambda x: (x.sum(0) ** 2).sum(),
        lambda x: (x.mean(1) ** 3).sum(),
        lambda x: x.var(1).sum(),
        lambda x: (x.std(0) ** 2).sum(),
        lambda x: x.prod(1).sum(),
        lambda x: (x.max(1).values ** 3).sum(),
        lambda x: (x.amin(0) ** 3).sum(),
        lambda x: x.norm(dim=1).sum(),
    ),
)
def test_second_derivative(fn):
    x = randn(3, 4)

    def slope(x):
        x.requires_grad = True
        return weft.autograd.grad(fn(x), x, create_graph=True)[0] * 1.5

    gradcheck(slope, x)


def test_truth():
    x = np.array([[0.0, 0.0], [0.0, np.nan], [1.0, -2.0]])
    for name in ("any", "all", "count_nonzero"):
        for dim in (None, 0, 1):
            check_same(lambda m, x: getattr(m, name)(x, dim), x, dtypes=FLOATS, grad=False)  # noqa: B023
    check(lambda x: weft.any(x, dim=1, keepdim=True), lambda x: x.any(1, keepdim=True), x > 0)


def test_bad_input():
    x = weft.ones(2, 3)
    with pytest.raises(IndexError, match=r"\[sum\]"):
        x.sum(2)
    with pytest.raises(RuntimeError, match="more than once"):
        x.sum((0, -2))
    with pytest.raises(RuntimeError, match=r"\[mean\].*int64"):
        weft.arange(3).mean()
    with pytest.raises(RuntimeError, match=r"\[var\]"):
        weft.arange(3).var()
    with pytest.raises(TypeError):
        x.sum("rows")
    with pytest.raises(ValueError, match="nuc"):
        x.norm("nuc")


@pytest.mark.parametrize("n", [1, 15, 16, 17, 49, 64, 65, 1000, 4095, 4096, 4097, 10_001])
def test_one_line_a_result(isa, n):
    for name in ("sum", "amax", "amin"):
        for rows in (1, 63, 64, 65):
            check_same(lambda m, x: getattr(m, name)(x, -1), randn(rows, n), terms=n, grad=False)  # noqa: B023
        check_same(lambda m, x: getattr(m, name)(x[:, :n], -1), randn(5, n + 3), terms=n, grad=False)  # noqa: B023
    check_same(lambda m, x: m.mean(x, (0, 2)), randn(3, 2, n), terms=3 * n)


@pytest.mark.parametrize("shape", [(4, 16, 3000), (2, 300, 40), (1, 5000, 20), (3, 4, 513)])
def test_one_column_a_result(isa, shape):
    check_same(lambda m, x: x.sum(1), randn(*shape), terms=shape[1])
    check_same(lambda m, x: x.amax((0, 1)), randn(*shape), grad=False)
