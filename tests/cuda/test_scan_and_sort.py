"""Scans and sorting on "cuda": on a GPU, or under the emulation, against the CPU."""

from functools import partial

import numpy as np
import pytest
from agree import FLOATS, HALVES, agree

import weft

rng = np.random.default_rng(11)
SHAPES = [((1,), 0), ((5,), 0), ((1023,), 0), ((2, 1025), 1), ((3000,), 0), ((40, 3), 0), ((4, 37, 40), 1)]


@pytest.fixture
def check(device):
    return partial(agree, device=device)


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("name", ["cumsum", "cumprod", "logcumsumexp"])
def test_sums(check, name, shape, dim):
    x = rng.standard_normal(shape) if name != "cumprod" else 1 + 0.01 * rng.standard_normal(shape)
    check(lambda x: getattr(weft, name)(x, dim), x, terms=10**5, dtypes=("float64",))


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("name", ["cummax", "cummin"])
def test_extremes(check, name, shape, dim):
    x = np.round(rng.standard_normal(shape) * 4)  # with equals
    x.reshape(-1)[x.size // 2 :: 700] = np.nan
    check(lambda x: tuple(getattr(weft, name)(x, dim)), x, grad=False)


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int32", "int64", "bool"])
def test_integers(device, dtype):
    x = weft.tensor(rng.integers(0, 2 if dtype == "bool" else 100, (3, 500))).to(getattr(weft, dtype))
    on = x.to(device)
    assert (on.cumsum(1).cpu() == x.cumsum(1)).all()
    for got, expected in zip(on.sort(1, descending=True), x.sort(1, descending=True), strict=True):
        assert (got.cpu() == expected).all()


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (2, 256), (2, 257), (1, 2000)])
def test_sort(check, shape, descending):
    x = np.round(rng.standard_normal(shape) * 20) / 4  # with equals, and zeros of both signs
    x[0, -1] = np.nan
    check(lambda x: tuple(x.sort(1, descending=descending)), x, dtypes=(*FLOATS, *HALVES), grad=False)
    check(lambda x: x.sort(1, descending=descending)[0], np.nan_to_num(x))
    check(lambda x: tuple(x.topk(min(3, shape[1]), 1)), np.nan_to_num(x), grad=False)


@pytest.mark.parametrize("shape", [(1, 1), (4, 9), (2, 300)])
def test_picks(check, shape):
    x = np.round(rng.standard_normal(shape) * 4)
    for nan in (False, True):
        x[0, 0] = np.nan if nan else 0
        for pick in (weft.median, weft.nanmedian, weft.mode):
            check(lambda x, pick=pick: tuple(pick(x, 1)), x, grad=False)
    check(lambda x: tuple(x.kthvalue(1 + shape[1] // 3, 1)), np.nan_to_num(x), grad=False)


@pytest.mark.parametrize("diagonal", [-2, 0, 3])
def test_triangles(check, diagonal):
    check(lambda x: x.tril(diagonal) * 2 + x.triu(diagonal), rng.standard_normal((2, 5, 7)))


def test_places_in_sorted_rows(check):
    rows, values = np.sort(rng.integers(0, 9, (3, 40)), -1), rng.integers(-1, 10, (3, 17))
    for right in (False, True):
        check(lambda s, x, right=right: weft.searchsorted(s, x, right=right), rows, values, grad=False)
        check(lambda s, x, right=right: weft.bucketize(x, s[0], right=right), rows * 0.5, values * 0.5, grad=False)
    check(lambda x, y: weft.isin(x, y), values, rows[:, :2], grad=False)


@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (700, 2), (90, 5)])
def test_unique_rows(check, shape):
    x = rng.integers(0, 4, shape)
    check(lambda x: weft.unique(x, return_inverse=True, return_counts=True, dim=0), x, grad=False)
