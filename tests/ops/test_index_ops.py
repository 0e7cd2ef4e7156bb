"""gather, scatter, index_select, index_add, take_along_dim, masked_select, one_hot, sort, topk, cumsum, triangles."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import check, check_same, same_bits, torch
from weft.testing import assert_close, gradcheck, to_numpy

ALL = ("float16", "bfloat16", "float32", "float64")


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


def index(shape, size, seed=1):
    return np.random.default_rng(seed).integers(0, size, shape)


@pytest.mark.parametrize(
    "shape, index_shape, dim",
    [
        ((5,), (7,), 0),
        ((5,), (0,), 0),
        ((), (), 0),
        ((4, 6), (4, 3), 1),
        ((4, 6), (9, 6), 0),
        ((4, 6), (2, 8), 1),
        ((4, 6), (3, 5), -2),
        ((3, 4, 5), (3, 6, 5), 1),
        ((3, 4, 5), (2, 6, 3), 1),
        ((2, 1, 70), (2, 40, 70), 1),
    ],
)
def test_gather_and_scatter_add(shape, index_shape, dim):
    size = shape[dim] if shape else 1
    i = index(index_shape, size)
    check_same(lambda m, x, j: m.gather(x, dim, j), values(*shape), i)
    check_same(lambda m, x, j, s: m.scatter_add(x, dim, j, s), values(*shape), i, values(*index_shape))


@pytest.mark.parametrize("dim", [0, 1])
def test_scatter_without_duplicates(dim):
    x, src = values(6, 8), values(6, 8, seed=2)
    i = np.argsort(values(6, 8, seed=3), axis=dim)
    check_same(lambda m, a, j, s: m.scatter(a, dim, j, s), x, i, src, terms=1)
    check_same(lambda m, a, j: m.scatter(a, dim, j[:3, :3], 2.5), x, i, terms=1)
    check_same(lambda m, a, j, s: m.scatter(a, dim, j[:3, :3], s), x, i, src, terms=1, grad=False)  # PyTorch cannot


def test_scatter_in_place_into_a_view():
    check_same(
        lambda m, x, j, s: (x * 1).t().scatter_(0, j, s), values(4, 6), np.argsort(values(6, 4), 0), values(6, 4)
    )
    check_same(lambda m, x, j, s: (x * 1).scatter_add_(1, j, s), values(4, 6), index((4, 9), 6), values(4, 9))
    x = weft.zeros(3, 5)
    x.scatter_(1, weft.tensor([[0], [2], [4]]), 1.0)
    assert_close(x, np.eye(5, dtype=np.float32)[[0, 2, 4]])


def test_the_last_of_equal_writes_stays():
    y = weft.zeros(3).scatter(0, weft.tensor([1, 1, 1]), weft.tensor([1.0, 2.0, 3.0]))
    assert_close(y, np.float32([0, 3, 0]))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64"])
def test_scatter_add_of_integers(dtype):
    src = index((50,), 2).astype(dtype)
    i = index((50,), 4, seed=2)
    expected = np.zeros(4, dtype)
    np.add.at(expected, i, src)
    y = weft.zeros(4, dtype=getattr(weft, dtype)).scatter_add(0, weft.tensor(i), weft.tensor(src))
    assert_close(y, expected)


def test_every_instruction_set(isa):
    i = index((40, 33), 20)
    check_same(lambda m, x, j: m.gather(x, 0, j), values(20, 33), i, dtypes=ALL, terms=64)
    check_same(lambda m, x: m.cumsum(x, 0), values(37, 65), dtypes=ALL)
    check_same(lambda m, x: tuple(m.sort(x, stable=True)), values(7, 65), dtypes=ALL, terms=1)
    check_same(lambda m, x: tuple(m.topk(x, 3)), values(7, 65), dtypes=("float32", "float64"), terms=1)


def test_index_select_and_index_add():
    for dim in (0, 1, -1):
        size = (4, 5, 6)[dim]
        i = index((9,), size)
        check_same(lambda m, x, j, d=dim: m.index_select(x, d, j), values(4, 5, 6), i)
        shape = [4, 5, 6]
        shape[dim] = 9
        check_same(lambda m, x, j, s, d=dim: m.index_add(x, d, j, s), values(4, 5, 6), i, values(*shape, seed=2))
        check_same(
            lambda m, x, j, s, d=dim: m.index_add(x, d, j, s, alpha=-2), values(4, 5, 6), i, values(*shape, seed=2)
        )


def test_take_along_dim():
    x = values(3, 4)
    check_same(lambda m, a, j: m.take_along_dim(a, j, 1), x, np.argsort(x, 1))
    check_same(lambda m, a, j: m.take_along_dim(a, j, dim=0), x, index((2, 1), 3))
    check_same(lambda m, a, j: m.take_along_dim(a, j), x, index((5,), 12))


def test_masked_select():
    x = values(4, 5)
    check_same(lambda m, a, k: m.masked_select(a, k), x, x > 0)
    check_same(lambda m, a, k: m.masked_select(a, k), x, values(5) > 0)
    check_same(lambda m, a, k: m.masked_select(a, k), x, np.zeros((4, 5), bool))


def test_one_hot():
    i = index((3, 4), 5)
    check(lambda j: F.one_hot(j, 7), lambda j: torch.nn.functional.one_hot(j, 7), i, grad=False)
    assert_close(F.one_hot(weft.tensor(i)), np.eye(i.max() + 1, dtype=np.int64)[i])
    with pytest.raises((IndexError, RuntimeError), match="one_hot"):
        F.one_hot(weft.tensor([3]), 3)
    with pytest.raises((IndexError, RuntimeError), match="one_hot"):
        F.one_hot(weft.tensor([-1]))
    with pytest.raises(RuntimeError, match="int64"):
        F.one_hot(weft.ones(3))


@pytest.mark.parametrize("n", [0, 1, 2, 31, 32, 33, 300, 5000])
@pytest.mark.parametrize("descending", [False, True])
def test_sort(n, descending):
    x = np.round(values(3, n) * 10)  # many equal elements
    check_same(lambda m, a: tuple(m.sort(a, dim=-1, descending=descending, stable=True)), x, terms=1)
    check_same(lambda m, a: m.argsort(a, dim=-1, descending=descending, stable=True), x, grad=False)


def test_sort_along_any_dimension():
    for dim in (0, 1, 2):
        check_same(lambda m, a, d=dim: tuple(m.sort(a, dim=d, stable=True)), values(4, 50, 6), terms=1)


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int8", "int16", "int32", "int64"])
def test_sort_of_integers(dtype):
    low, high = (0, 2) if dtype == "bool" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    x = np.random.default_rng(0).integers(
        low, high, (2, 100), endpoint=dtype != "bool", dtype=np.int64 if dtype == "bool" else dtype
    )
    x = x.astype(dtype)
    y, i = weft.sort(weft.tensor(x))
    assert_close(y, np.sort(x))
    assert_close(i, np.argsort(x, kind="stable"))


def test_sort_special_values():
    nan, inf = np.nan, np.inf
    x = np.array([nan, 1.0, -inf, 0.0, -0.0, inf, -nan, -1.0] * 6)
    for dtype in ALL:
        for descending in (False, True):
            t = weft.tensor(x).to(getattr(weft, dtype))
            y, i = t.sort(descending=descending)
            order = np.argsort(np.where(np.isnan(x), np.inf, x) * (-1 if descending else 1), kind="stable")
            if descending:  # NaN counts as greater than infinity
                order = np.concatenate([np.flatnonzero(np.isnan(x)), order[~np.isnan(x[order])]])
            else:
                order = np.concatenate([order[~np.isnan(x[order])], np.flatnonzero(np.isnan(x))])
            assert_close(i, order, name=f"{dtype} {descending}")
            assert_close(to_numpy(y).astype(np.float64), x[order])


@pytest.mark.parametrize("n, k", [(1, 1), (5, 0), (5, 5), (40, 3), (40, 20), (1000, 1), (1000, 100), (1000, 400)])
@pytest.mark.parametrize("largest", [False, True])
def test_topk(n, k, largest):
    x = np.stack([np.random.default_rng(s).permutation(n) for s in range(3)]).astype(np.float64)
    check_same(lambda m, a: tuple(m.topk(a, k, largest=largest)), x, terms=1)
    check_same(lambda m, a: tuple(m.topk(a, k, dim=0, largest=largest)), x.T.copy(), terms=1)


@pytest.mark.parametrize("dtype", [*ALL, "uint8", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("largest", [False, True])
def test_topk_is_the_beginning_of_sort(isa, dtype, largest):
    """Long rows, where most elements are passed over: equals, NaN, zeros of both signs, ordered and random ones."""
    n = 2500
    rows = [values(n), np.round(values(n)), np.arange(n) % 100 - 50, -np.arange(n) / 20, np.arange(n) / 20, np.zeros(n)]
    x = np.stack(rows)
    if dtype in ALL:
        x = np.concatenate([x, x[:2], np.full((1, n), np.nan)])
        x[6, ::300] = np.nan
        x[7, ::7], x[7, 1::7], x[7, -1] = 0, -0.0, -np.inf
    x = weft.tensor(x).to(getattr(weft, dtype))
    for count in (n, 1024 + 5, 333):
        part = x[:, :count].contiguous()
        ordered = part.sort(descending=largest)
        for k in (1, 2, 10, count // 16):
            top = part.topk(k, largest=largest)
            assert (top.indices == ordered.indices[:, :k]).all()
            assert_close(top.values, ordered.values[:, :k])


def test_denormal_numbers_have_an_order():
    for dtype, least in ((np.float16, 6e-8), (np.float32, 1e-45), (np.float64, 5e-324)):
        x = (np.array([3, -2, 0, 1, -1, 2]) * least).astype(dtype)
        assert weft.tensor(x).sort().indices.tolist() == [1, 4, 2, 3, 5, 0]


def test_named_results():
    r = weft.tensor([2.0, 1.0]).sort()
    assert_close(r.values, np.float32([1, 2]))
    assert_close(weft.topk(weft.tensor([2.0, 1.0]), 1).indices, np.array([0]))


@pytest.mark.parametrize(
    "shape, dim", [((), 0), ((0,), 0), ((1,), 0), ((100,), 0), ((5, 70), 0), ((5, 70), 1), ((3, 4, 5), 1)]
)
def test_cumsum(shape, dim):
    check_same(lambda m, x: m.cumsum(x, dim), values(*shape))
    check_same(lambda m, x: m.cumsum(x, dim), index(shape, 10).astype(np.int32))
    check_same(lambda m, x: m.cumsum(x, dim, dtype=m.float64), values(*shape), grad=False)


@pytest.mark.parametrize("shape", [(0, 3), (1, 1), (4, 4), (3, 7), (7, 3), (2, 3, 5, 4)])
@pytest.mark.parametrize("diagonal", [-8, -1, 0, 1, 3, 9])
def test_triangles(shape, diagonal):
    check_same(lambda m, x: m.tril(x, diagonal), values(*shape), terms=1)
    check_same(lambda m, x: m.triu(x, diagonal), values(*shape), terms=1)


def test_triangles_far_off_the_matrix():
    x = values(3, 4)
    t = weft.tensor(x)
    for far in (2**62, 2**63 - 1):
        assert_close(weft.tril(t, far), x)
        assert_close(weft.triu(t, -far), x)
        assert_close(weft.tril(t, -far), 0 * x)
        assert_close(weft.triu(t, far), 0 * x)


def test_second_derivatives():
    i = index((4, 3), 5)
    for fn in (
        lambda x: weft.gather(x, 1, weft.tensor(i)),
        lambda x: weft.cumsum(x, 1),
        lambda x: weft.sort(x)[0],
        lambda x: weft.tril(x),
        lambda x: weft.scatter(x, 1, weft.tensor(i), 0.0),
    ):

        def gradient(x, fn=fn):
            y = fn(x)
            (dx,) = weft.autograd.grad((y * y * y).sum(), x, create_graph=True)
            return dx

        x = weft.tensor(values(4, 5), requires_grad=True)
        (ddx,) = weft.autograd.grad(gradient(x).sum(), x)
        h = 1e-6
        up, down = (to_numpy(gradient(weft.tensor(values(4, 5) + s, requires_grad=True))) for s in (h, -h))
        assert_close(ddx.sum(), ((up - down) / (2 * h)).sum(), rtol=1e-6)


def test_gradients_without_the_oracle():
    gradcheck(lambda x: weft.gather(x, 0, weft.tensor(index((6, 3), 4))), values(4, 3))
    gradcheck(lambda x, s: weft.scatter_add(x, 0, weft.tensor(index((6, 3), 4)), s), values(4, 3), values(6, 3))
    gradcheck(lambda x: weft.cumsum(x, -1), values(4, 3))


def test_bits_do_not_depend_on_threads():
    x = weft.tensor(values(300, 400).astype(np.float32))
    i = weft.tensor(index((700, 400), 300))
    s = weft.tensor(values(700, 400, seed=5).astype(np.float32))

    def run():
        return (
            x.gather(0, i),
            x.scatter_add(0, i, s),
            x.cumsum(0),
            x.cumsum(1),
            *x.sort(),
            *x.topk(7),
            x.tril(),
            x.index_add(0, i[:, 0], s),
            x.scatter(0, i, s),
        )

    same_bits(run)


@pytest.mark.parametrize("dim", [0, 1])
def test_first_wrong_index_is_named(isa, dim):
    """In one piece of the work and in many; an in-place scatter changes nothing then."""
    for shape in ((3, 5), (300, 200), (2, 70_000)):
        x, s = weft.tensor(values(*shape)), weft.tensor(values(*shape, seed=2))
        i = index(shape, shape[dim])
        for at, wrong in ((-1, shape[dim]), (i.size // 2, -2), (i.size // 3, shape[dim] + 7)):
            i.reshape(-1)[at] = wrong
            j, before = weft.tensor(i), x.clone()
            for f in (x.gather, lambda dim, j: x.scatter_add(dim, j, s), lambda dim, j: x.scatter_(dim, j, s)):  # noqa: B023
                with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for dimension {dim} with size"):
                    f(dim, j)
            assert (x == before).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_gather_in_many_pieces(isa, dtype):
    """Rows of every length within chunks of indices; columns as one tile and as several, in blocks of rows."""
    for shape, count in (((400, 3), 100), ((40, 900), 1500), ((1, 10), 70_000), ((2, 70_000), 5), ((90, 17), 16)):
        x, i = (100 * values(*shape)).astype(dtype), index((shape[0], count), shape[1])
        got = weft.tensor(x).gather(1, weft.tensor(i))
        assert to_numpy(got).tobytes() == np.take_along_axis(x, i, 1).tobytes()
    for shape, count in (((2, 700, 130), 300), ((3, 9, 2), 40_000), ((1, 70_000, 35), 3), ((1, 5, 20_000), 7)):
        x, i = (100 * values(*shape)).astype(dtype), index((shape[0], count, shape[2]), shape[1])
        got = weft.tensor(x).gather(1, weft.tensor(i))
        assert to_numpy(got).tobytes() == np.take_along_axis(x, i, 1).tobytes()


def test_scatter_leaves_its_input(isa):
    """Where the index reaches all of the input and a part of it; where the input lies differently."""
    for dim, shape, reach in (
        (0, (30, 40), (30, 40)),
        (0, (30, 40), (9, 25)),
        (1, (30, 40), (30, 90)),
        (1, (30, 40), (7, 90)),
        (0, (5, 3, 7000), (9, 3, 7000)),
    ):
        x, i, s = values(*shape), index(reach, shape[dim]), values(*reach, seed=2)
        for dtype in ALL:
            check_same(lambda m, x, i, s, d=dim: m.scatter_add(x, d, i, s), x, i, s, dtypes=(dtype,), terms=100)
        t = weft.tensor(x)
        t.scatter_add(dim, weft.tensor(i), weft.tensor(s))
        assert (t.numpy() == x).all()
    x, i, s = values(40, 30), index((30, 40), 40), values(30, 40, seed=2)
    check_same(lambda m, x, i, s: m.scatter_add(x.T, 1, i, s), x, i, s, terms=100)


def test_bad_input():
    x, i = weft.zeros(3, 4), weft.tensor(index((3, 4), 3))
    with pytest.raises(IndexError, match=r"\[gather\] index 7 is out of bounds for dimension 1 with size 4"):
        x.gather(1, weft.tensor([[0, 7]]))
    with pytest.raises(IndexError, match="index -1 is out of bounds"):
        x.gather(1, weft.tensor([[-1]]))
    with pytest.raises(IndexError, match=r"\[scatter\] index 3"):
        x.scatter_(0, weft.tensor([[3]]), 1.0)
    with pytest.raises(TypeError, match="int64 or int32, got float32"):
        x.gather(0, x)
    with pytest.raises(RuntimeError, match="2 dimensions"):
        x.gather(0, weft.tensor([0]))
    with pytest.raises(RuntimeError, match="no larger than the input apart from dimension 0"):
        x.gather(0, weft.zeros(1, 5, dtype=weft.int64))
    with pytest.raises(IndexError):
        x.gather(2, i)
    with pytest.raises(RuntimeError, match="no larger than src"):
        x.scatter(0, i, weft.zeros(2, 4))
    with pytest.raises(RuntimeError, match="float32, got float64"):
        x.scatter(0, i, weft.zeros(3, 4, dtype=weft.float64))
    with pytest.raises(IndexError, match="index_select"):
        x.index_select(0, weft.tensor([3]))
    with pytest.raises(RuntimeError, match=r"\[index_add\] expected source of shape \[2, 4\], got \[1, 4\]"):
        x.index_add(0, weft.tensor([0, 1]), weft.zeros(1, 4))
    with pytest.raises(RuntimeError, match="mask of bool"):
        x.masked_select(i)
    with pytest.raises(RuntimeError, match="k between 0 and 4"):
        x.topk(5)
    with pytest.raises(RuntimeError, match="at least 2 dimensions"):
        weft.tril(weft.zeros(3))
    with pytest.raises(IndexError):
        x.cumsum(2)
    assert float(x.abs().sum()) == 0  # nothing was written
