import numpy as np
import pytest

import weft
from oracle import FLOATS, check_same, same_bits

torch = pytest.importorskip("torch")
INTEGERS = (np.uint8, np.int8, np.int16, np.int32, np.int64)


def distinct(*shape, seed=0):
    n = int(np.prod(shape))
    return (np.random.default_rng(seed).permutation(n) - n / 3).reshape(shape).astype(np.float64)


@pytest.mark.parametrize("shape", ((1,), (5,), (33,), (300,), (4, 40), (40, 4), (2, 3, 50), ()), ids=str)
def test_picks(isa, shape):
    x = distinct(*shape)
    for dim in range(-max(len(shape), 1), max(len(shape), 1)):
        n = shape[dim] if shape else 1
        for keepdim in (False, True):
            for k in {1, (n + 1) // 2, n}:
                check_same(lambda m, x: m.kthvalue(x, k, dim, keepdim), x)  # noqa: B023
            check_same(lambda m, x: m.median(x, dim, keepdim), x)  # noqa: B023
            check_same(lambda m, x: m.nanmedian(x, dim, keepdim), x)  # noqa: B023
    check_same(lambda m, x: m.median(x), x, dtypes=FLOATS[2:])
    check_same(lambda m, x: x.nanmedian(), x)


def test_selection_of_awkward_rows(isa):
    rows = [np.arange(5000), np.arange(5000)[::-1], np.r_[np.arange(2500), np.arange(2500)[::-1]], np.zeros(5000)]
    rows += [np.arange(5000) % 7, np.random.default_rng(0).standard_normal(5000)]
    for dtype in (np.float32, np.float64, np.int64, np.int16):
        x = np.stack(rows).astype(dtype)
        for k in (1, 17, 2500, 5000):
            got = weft.tensor(x).kthvalue(k, 1)
            assert (got.values.numpy() == np.sort(x, 1)[:, k - 1]).all()
            assert (np.take_along_axis(x, got.indices.numpy()[:, None], 1)[:, 0] == got.values.numpy()).all()


def test_median_and_nan(isa):
    x = distinct(6, 9)
    x[0, 3] = x[0, 7] = x[1, 0] = np.nan
    for name in ("median", "nanmedian"):
        check_same(lambda m, x: getattr(m, name)(x, 1), x, grad=False)  # noqa: B023
        check_same(lambda m, x: getattr(m, name)(x, 0), x, grad=False)  # noqa: B023
        check_same(lambda m, x: getattr(m, name)(x), x, grad=False)  # noqa: B023
    assert np.isnan(weft.zeros(0).median().item())
    assert np.isnan(weft.full((3,), float("nan")).nanmedian().item())


def test_median_shares_its_gradient():
    check_same(lambda m, x: m.median(x), np.array([[1.0, 2.0, 2.0], [2.0, 5.0, 0.0]]))


@pytest.mark.parametrize("dtype", (*INTEGERS, np.bool_, np.float32, np.float64))
def test_mode(isa, dtype):
    x = np.random.default_rng(0).integers(0, 4, (5, 9)).astype(dtype)
    for dim in (0, 1):
        check_same(lambda m, x: m.mode(x, dim), x)  # noqa: B023
        check_same(lambda m, x: m.mode(x, dim, keepdim=True).values, x)  # noqa: B023


def test_named_tuples():
    x = weft.tensor([[3.0, 1.0, 2.0]])
    for result in (x.sort(), x.topk(2), x.kthvalue(2), x.median(1), x.nanmedian(1), x.mode(), x.cummax(1), x.min(1)):
        assert result._fields == ("values", "indices") and result.indices.dtype is weft.int64


def test_out():
    x = weft.tensor([3.0, 1.0, 2.0])
    values, indices = weft.empty(3), weft.empty(3, dtype=weft.int64)
    weft.sort(x, out=(values, indices))
    assert values.tolist() == [1, 2, 3] and indices.tolist() == [1, 2, 0]
    out = weft.empty(())
    assert weft.sum(x, out=out) is out and out.item() == 6
    assert weft.max(weft.ones(2, 3), 1, out=(weft.empty(2), weft.empty(2, dtype=weft.int64)))[0].tolist() == [1, 1]
    with pytest.raises(ValueError, match=r"\[sum\].*shape"):
        weft.sum(x, out=weft.empty(2))
    with pytest.raises(RuntimeError, match="does not fit"):
        weft.sum(x, out=weft.empty((), dtype=weft.int64))
    with pytest.raises(RuntimeError, match="requires grad"):
        weft.sum(x.requires_grad_(), out=out)
    with pytest.raises(TypeError, match="sum"):
        weft.sum(x, nonsense=1)


def test_search(isa):
    rng = np.random.default_rng(0)
    for dtype in (np.float32, np.float64, *INTEGERS):
        edges = np.sort(rng.integers(0, 50, 20)).astype(dtype)
        x = rng.integers(0, 60, (4, 7)).astype(dtype)
        for right in (False, True):
            check_same(lambda m, e, x: m.searchsorted(e, x, right=right), edges, x, grad=False)  # noqa: B023
            check_same(lambda m, e, x: m.bucketize(x, e, right=right, out_int32=True), edges, x, grad=False)  # noqa: B023
    rows = np.sort(rng.standard_normal((3, 11)), 1)
    check_same(lambda m, e, x: m.searchsorted(e, x, side="right"), rows, rng.standard_normal((3, 5)), grad=False)
    check_same(lambda m, e, x: m.searchsorted(e, x), rows.T.copy().T, rng.standard_normal((3, 5)), grad=False)
    check_same(lambda m, e: m.searchsorted(e, 0.5), rows[0], grad=False)
    check_same(lambda m, e: m.searchsorted(e, m.tensor([float("nan")]).to(e.dtype)), rows[0], grad=False)
    mixed = rng.standard_normal(9)
    check_same(lambda m, e, x: m.searchsorted(e, x, sorter=m.argsort(e)), mixed, rows, grad=False)


def test_unique_rows(isa):
    x = np.random.default_rng(0).integers(0, 2, (40, 3, 2))
    for dtype in (np.int64, np.float32, np.bool_):
        for dim in (0, 1, -1):
            check_same(
                lambda m, x: m.unique(x, return_inverse=True, return_counts=True, dim=dim),  # noqa: B023
                x.astype(dtype),
                grad=False,
            )
    x = np.array([[0.0, np.nan], [0.0, 1.0], [-0.0, 1.0]])
    assert len(weft.unique(weft.tensor(x), dim=0)) == 2
    with pytest.raises(IndexError, match="unique"):
        weft.unique(weft.tensor(1.0), dim=0)


def test_same_bits(isa):
    x = weft.tensor(np.random.default_rng(0).standard_normal((300, 70)).astype(np.float32))
    same_bits(lambda: (*x.median(1), *x.mode(0), *x.kthvalue(7, 0), weft.searchsorted(x[0].sort().values, x)))


def test_bad_input():
    x = weft.ones(2, 3)
    for k in (0, 4):
        with pytest.raises(RuntimeError, match=r"\[kthvalue\] expected k between 1 and 3"):
            x.kthvalue(k)
    for name in ("median", "nanmedian", "mode"):
        with pytest.raises(IndexError, match=name):
            getattr(x, name)(2)
        with pytest.raises(IndexError, match="at least one element"):
            getattr(weft.zeros(2, 0), name)(1)
    with pytest.raises(RuntimeError, match="sorter"):
        weft.searchsorted(x[0], x, sorter=weft.tensor([0, 1, 3]))
    with pytest.raises(RuntimeError, match="dtype"):
        weft.searchsorted(x[0], weft.arange(3))
