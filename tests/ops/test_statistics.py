import numpy as np
import pytest

import weft
from oracle import check_same
from weft import linalg

torch = pytest.importorskip("torch")


def randn(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


@pytest.mark.parametrize("shape", ((5,), (3, 4), (2, 3, 17), (1,)), ids=str)
def test_logsumexp(isa, shape):
    x = randn(*shape) * 3
    for dim in [*range(len(shape)), *([(0, -1)] if len(shape) > 1 else [])]:
        check_same(lambda m, x: m.logsumexp(x, dim), x)  # noqa: B023
        check_same(lambda m, x: x.logsumexp(dim, keepdim=True), x)  # noqa: B023


def test_logsumexp_of_extremes(isa):
    inf, nan = np.inf, np.nan
    x = np.array([[1e4, 1e4, -1e4], [-inf, -inf, -inf], [inf, 1, 2], [inf, -inf, 0], [nan, 1, inf], [-inf, 0, 1]])
    check_same(lambda m, x: m.logsumexp(x, 1), x, grad=False)
    check_same(lambda m, x: m.logsumexp(x, 1), x[[0, 1, 5]], dtypes=("float64",), rtol=1e-10)
    check_same(lambda m, x: m.logsumexp(x, -1), np.array(2.0))
    check_same(lambda m, x: m.logsumexp(x, 1), np.zeros((3, 0)))
    check_same(lambda m, x: m.logsumexp(x, 0), np.arange(4))


@pytest.mark.parametrize("shape", ((40, 7, 3), (3, 300)), ids=str)
def test_extremes_of_transposed_arrays(isa, shape):
    x = np.round(randn(*shape) * 3)
    for dim in range(len(shape)):
        for keepdim in (False, True):
            check_same(lambda m, x: m.max(x.transpose(0, -1), dim, keepdim), x)  # noqa: B023
            check_same(lambda m, x: m.argmin(x.transpose(0, 1), dim, keepdim), x, grad=False)  # noqa: B023
            check_same(lambda m, x: m.min(x[:, ::2].transpose(0, 1), dim, keepdim), x)  # noqa: B023


def test_names_of_numpy():
    x = weft.tensor(randn(3, 4))
    assert x.sum(axis=1, keepdims=True).shape == (3, 1)
    assert weft.mean(x, axis=(0, 1)).shape == ()
    assert weft.max(x, axis=1).indices.tolist() == x.max(dim=1).indices.tolist()
    assert x.argmax(axis=0).shape == (4,) and x.std(axis=0).shape == (4,) and x.cumsum(axis=1).shape == (3, 4)
    assert x.sort(axis=0).values.tolist() == x.sort(dim=0).values.tolist()
    with pytest.raises(TypeError):
        x.sum(ax=1)
    with pytest.raises(TypeError):
        x.sum(out=weft.empty(()))


@pytest.mark.parametrize("name", ("var_mean", "std_mean", "var", "std"))
def test_forms_of_variance(name):
    x = randn(4, 5)
    for options in (
        {"unbiased": False},
        {"dim": 1, "unbiased": False},
        {"dim": 0, "unbiased": True, "keepdim": True},
        {"dim": (0, 1), "correction": 0},
        {"correction": 2},
        {"dim": None, "correction": 1, "keepdim": True},
    ):
        check_same(lambda m, x: getattr(m, name)(x, **options), x)  # noqa: B023
        if "_" not in name:
            check_same(lambda m, x: getattr(x, name)(**options), x)  # noqa: B023
    check_same(lambda m, x: getattr(m, name)(x, 1, False, True), x)
    check_same(lambda m, x: getattr(m, name)(x, False), x)


def test_quantile_of_several():
    x = randn(6, 5, 4)
    for method in ("linear", "lower", "higher", "midpoint", "nearest"):
        for dim in (None, 0, -1):
            for keepdim in (False, True):
                check_same(
                    lambda m, x, q: m.quantile(x, q, dim, keepdim, interpolation=method),  # noqa: B023
                    x,
                    np.array([0, 0.3, 0.5, 1.0]),
                    grad=[0],
                )
    x[0, 1, 2] = x[3] = np.nan
    for dim in (None, 0, 1, 2):
        check_same(lambda m, x: m.quantile(x, 0.4, dim), x, grad=False)  # noqa: B023
        check_same(lambda m, x: m.nanquantile(x, 0.4, dim), x, grad=False)  # noqa: B023
    for q in (-0.1, 1.1):
        with pytest.raises(RuntimeError, match="between 0 and 1"):
            weft.quantile(weft.ones(3), q)


def test_counts():
    x = np.random.default_rng(0).integers(0, 9, 50)
    check_same(lambda m, x: m.bincount(x, minlength=20), x)
    check_same(lambda m, x, w: m.bincount(x, w), x, randn(50), grad=False)
    check_same(lambda m, x: m.bincount(x), np.zeros(0, np.int64))
    with pytest.raises(RuntimeError, match="at least 0"):
        weft.bincount(weft.tensor([-1]))
    y = np.r_[randn(100), -3, 3, np.nan]
    check_same(lambda m, x: m.histc(x, 10, -3, 3), y, grad=False)
    check_same(lambda m, x: m.histc(x, 7), y[:-1], grad=False)
    check_same(lambda m, x: m.histc(x, 4), np.ones(3), grad=False)


def test_membership():
    x, tests = np.random.default_rng(0).integers(0, 1000, (30, 40)), np.arange(0, 1000, 7)
    check_same(lambda m, x, t: m.isin(x, t), x, tests)
    check_same(lambda m, x, t: m.isin(x, t, invert=True), x, tests)
    check_same(lambda m, x: m.isin(x, 7), x)
    check_same(lambda m, x: m.isin(x, x[:1]), np.array([1.0, np.nan, 2.0]), grad=False)


def test_unique_forms():
    x = np.random.default_rng(0).integers(0, 5, (6, 7))
    for fn in ("unique", "unique_consecutive"):
        for dtype in (np.int64, np.uint8, np.bool_, np.float32):
            check_same(
                lambda m, x: getattr(m, fn)(x, return_inverse=True, return_counts=True),  # noqa: B023
                x.astype(dtype),
                grad=False,
            )
    assert weft.unique(weft.tensor([2, 1, 2])).tolist() == [1, 2]


@pytest.mark.parametrize("ord", (None, 0, 1, 2, 3, 0.5, -1, np.inf, -np.inf))
def test_vector_norms(ord):
    x = randn(4, 6)
    if ord is not None:
        check_same(lambda m, x: m.linalg.vector_norm(x, ord), x, terms=200, grad=ord != 0)
        check_same(lambda m, x: m.linalg.vector_norm(x, ord, 1, True, dtype=m.float64), x, grad=False)
    check_same(lambda m, x: m.linalg.norm(x, ord, dim=0), x, terms=200, grad=ord != 0)


@pytest.mark.parametrize("ord", ("fro", 1, -1, np.inf, -np.inf))
def test_matrix_norms(ord):
    x = randn(3, 4, 5)
    for dim in ((-2, -1), (0, 2), (2, 0)):
        for keepdim in (False, True):
            check_same(lambda m, x: m.linalg.matrix_norm(x, ord, dim, keepdim), x, terms=200)  # noqa: B023
    check_same(lambda m, x: m.linalg.norm(x[0], ord), x, terms=200)


def test_norms_that_need_singular_values():
    x = weft.ones(3, 3)
    for ord in ("nuc", 2, -2):
        with pytest.raises(NotImplementedError, match="singular values"):
            linalg.matrix_norm(x, ord)
    for dim in (0, (0, 0), (0, 5), (0, 1, 2)):
        with pytest.raises((RuntimeError, IndexError), match=r"linalg\.matrix_norm"):
            linalg.matrix_norm(x, dim=dim)
    with pytest.raises(RuntimeError, match=r"linalg\.norm"):
        linalg.norm(weft.ones(2, 2, 2), 1)


def test_integration():
    y, x = randn(3, 5), np.sort(randn(5))
    check_same(lambda m, y, x: m.trapezoid(y, x), y, x)
    check_same(lambda m, y, x: m.cumulative_trapezoid(y, x, dim=1), y, x)
    check_same(lambda m, y: m.trapz(y, dx=0.3, dim=0), y)
    check_same(lambda m, y: m.diff(y, 2, 0), y)
    check_same(lambda m, y: y.diff(prepend=y[:, :2], append=y[:, :1]), y)
    check_same(lambda m, y: m.diff(y), np.array([True, False, False, True]))
