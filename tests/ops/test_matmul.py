import numpy as np
import pytest

import weft
from oracle import FLOATS, check_same, same_bits, to_weft
from weft.testing import assert_close, gradcheck, to_numpy

random = np.random.default_rng(0)


def randn(*shape):
    return random.standard_normal(shape)


# Around the edges of tiles (3, 6, 8 rows; 8 and 16 columns), of vectors and of blocks of the sum.
ROWS = (1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16, 17, 25, 67, 131)
COLUMNS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 65, 97, 130)
SUMS = (0, 1, 2, 3, 7, 8, 15, 16, 17, 33, 64, 100, 641)
EDGES = [
    *((m, 33, 20) for m in ROWS),
    *((9, n, 20) for n in COLUMNS),
    *((70, n, 20) for n in COLUMNS),
    *((5, 18, k) for k in SUMS),
    *((200, 50, k) for k in SUMS),
    (0, 3, 4),
    (3, 0, 4),
    (1, 1, 1),
    (300, 520, 700),
    (130, 1024, 70),
    (150, 40, 2100),
    (400, 70, 1100),
    (300, 1100, 8),
    (20, 530, 70),
    (49, 1100, 70),
]


def layouts(x):
    """The same matrix: by rows, by columns, a window of a larger one, every second element, backwards."""
    m, n = x.shape
    window = np.full((m + 3, n + 5), np.nan)
    window[2 : m + 2, 4 : n + 4] = x
    spread = np.full((2 * m, 3 * n), np.nan)
    spread[::2, ::3] = x
    return {
        "rows": lambda d: to_weft(x, d),
        "columns": lambda d: to_weft(np.ascontiguousarray(x.T), d).T,
        "window": lambda d: to_weft(window, d)[2 : m + 2, 4 : n + 4],
        "spread": lambda d: to_weft(spread, d)[::2, ::3],
    }


def check_product(a, b, result, dtype, name):
    rounded = [to_numpy(to_weft(x, dtype)).astype(np.float64) for x in (a, b)]
    assert_close(result, rounded[0] @ rounded[1], terms=max(a.shape[-1], 1), check_dtype=False, name=name)


@pytest.mark.parametrize("dtype", FLOATS)
def test_edges(isa, dtype):
    for m, n, k in EDGES:
        a, b = randn(m, k), randn(k, n)
        for turned in range(4):
            ta, tb = turned & 1, turned & 2
            x = to_weft(np.ascontiguousarray(a.T), dtype).T if ta else to_weft(a, dtype)
            y = to_weft(np.ascontiguousarray(b.T), dtype).T if tb else to_weft(b, dtype)
            check_product(a, b, x @ y, dtype, f"{m}x{n}x{k} {'T' if ta else 'N'}{'T' if tb else 'N'}")


@pytest.mark.parametrize("dtype", ("float32", "float64", "bfloat16"))
def test_layouts(isa, dtype):
    for m, n, k in ((1, 40, 70), (40, 1, 70), (5, 33, 18), (70, 90, 33), (200, 150, 64)):
        a, b = randn(m, k), randn(k, n)
        for la, x in layouts(a).items():
            for lb, y in layouts(b).items():
                check_product(a, b, x(dtype) @ y(dtype), dtype, f"{m}x{n}x{k} {la} {lb}")


def test_pairs_in_place(isa):
    for begin, k in ((1, 70), (2, 64), (1, 69), (2, 63)):
        a, b, wide = randn(200, k), randn(k, 90), np.full((200, 96), np.nan)
        wide[:, begin : begin + k] = a
        x = to_weft(wide, "bfloat16")[:, begin : begin + k]
        check_product(a, b, x @ to_weft(b, "bfloat16"), "bfloat16", f"{begin} {k}")


def test_repeated_rows(isa):
    a, b = randn(1, 50), randn(1, 60)
    x, y = to_weft(a, "float32").expand(30, 50), to_weft(b, "float32").expand(50, 60)
    check_product(np.tile(a, (30, 1)), np.tile(b, (50, 1)), x @ y, "float32", "stride 0")


@pytest.mark.parametrize(
    "a, b",
    [
        ((5,), (5,)),
        ((5,), (5, 3)),
        ((4, 5), (5,)),
        ((5,), (2, 5, 3)),
        ((2, 4, 5), (5,)),
        ((4, 5), (5, 3)),
        ((2, 4, 5), (5, 3)),
        ((2, 3, 4, 5), (5, 6)),
        ((4, 5), (2, 5, 3)),
        ((2, 4, 5), (2, 5, 3)),
        ((2, 1, 4, 5), (3, 5, 6)),
        ((1, 4, 5), (7, 5, 2)),
        ((7, 4, 5), (1, 5, 2)),
        ((2, 1, 3, 1, 5), (4, 1, 5, 2)),
        ((0, 4, 5), (5, 3)),
        ((2, 0, 5), (5, 3)),
        ((2, 4, 0), (0, 3)),
        ((3, 1, 5), (5, 4)),
        ((40, 20, 30), (40, 30, 50)),
    ],
)
def test_broadcasting(a, b):
    check_same(lambda m, x, y: m.matmul(x, y), randn(*a), randn(*b), terms=50)


def test_batch_of_views(isa):
    x = randn(3, 4, 6, 5)
    check_same(lambda m, x: m.matmul(x, x.transpose(-1, -2)), x)
    check_same(lambda m, x: m.matmul(x.permute(2, 1, 0, 3), x.permute(2, 1, 3, 0)), x)
    check_same(lambda m, x: m.matmul(x.transpose(1, 2), x[0, 0, :5].t()), x, terms=200)


@pytest.mark.parametrize("dtype", FLOATS)
def test_many_small_products(isa, dtype):
    for items, m, n, k in ((200, 3, 5, 7), (64, 33, 20, 16), (5, 130, 70, 40), (300, 1, 1, 9), (2, 300, 200, 100)):
        a, b = randn(items, m, k), randn(items, k, n)
        check_product(a, b, to_weft(a, dtype) @ to_weft(b, dtype), dtype, f"{items} of {m}x{n}x{k}")


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_long_sums(isa, dtype):
    for m, n, k in ((1, 1, 100_000), (3, 20, 20_000), (40, 30, 9_000), (1, 500, 8_200)):
        a, b = randn(m, k), randn(k, n)
        check_product(a, b, to_weft(a, dtype) @ to_weft(b, dtype), dtype, f"{m}x{n}x{k}")
        turned = to_weft(np.ascontiguousarray(b.T), dtype).T
        check_product(a, b, to_weft(a, dtype) @ turned, dtype, f"{m}x{n}x{k} NT")


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_vectors_and_matrices(isa, dtype):
    """Around the edges of the pieces of a row's product, by rows and by columns, with what an epilogue does."""
    for n, k in ((17, 1931), (48, 700), (1000, 131), (4096, 64), (4099, 67), (9001, 40), (33, 9001)):
        a, b, bias = randn(1, k), randn(k, n), randn(n)
        x = to_weft(a, dtype)
        for name, y in (("rows", to_weft(b, dtype)), ("columns", to_weft(np.ascontiguousarray(b.T), dtype).T)):
            check_product(a, b, x @ y, dtype, f"{n} {k} {name}")
            check_product(a, b, (y.T @ x[0]).reshape(1, n), dtype, f"{n} {k} {name}, from the right")
            shifted = weft.addmm(to_weft(bias, dtype), x, y) - to_weft(bias, dtype)
            check_product(a, b, shifted, dtype, f"{n} {k} {name}, with a bias")


@pytest.mark.parametrize("dtype", ("float32", "float64"))
def test_dot(isa, dtype):
    for k in (0, 1, 7, 8, 15, 16, 127, 128, 129, 65_535, 65_536, 65_537, 200_003):
        a, b = abs(randn(k)), abs(randn(k))  # nothing cancels
        check_product(a[None], b[:, None], (to_weft(a, dtype).dot(to_weft(b, dtype))).reshape(1, 1), dtype, str(k))


@pytest.mark.parametrize("dtype", ("uint8", "int8", "int16", "int32", "int64"))
def test_integers(isa, dtype):
    kind = np.dtype(dtype)
    limits = np.iinfo(kind)
    a = random.integers(limits.min, limits.max, (9, 20), dtype=kind, endpoint=True)
    b = random.integers(limits.min, limits.max, (20, 13), dtype=kind, endpoint=True)
    with np.errstate(over="ignore"):
        expected = a @ b
    assert_close(weft.tensor(a) @ weft.tensor(b), expected)
    assert_close(weft.tensor(np.ascontiguousarray(a.T)).T @ weft.tensor(np.ascontiguousarray(b.T)).T, expected)
    assert_close(weft.tensor(a) @ weft.tensor(b[:, 0].copy()), expected[:, 0])


@pytest.mark.parametrize("m, n, k", [(2, 3, 4), (9, 33, 20), (64, 100, 700), (1, 40, 64)])
def test_nan_and_infinity(isa, m, n, k):
    a, b = randn(m, k), randn(k, n)
    a[0, 1], b[2, n - 1], b[3, 0] = np.nan, np.inf, -np.inf
    with np.errstate(invalid="ignore"):
        expected = a @ b
    for y in (to_weft(b, "float32"), to_weft(np.ascontiguousarray(b.T), "float32").T):
        assert_close(to_weft(a, "float32") @ y, expected, terms=k, check_dtype=False)


def test_extremes(isa):
    huge, tiny = np.full((4, 8), 1e38), np.full((8, 20), 10.0)
    assert np.isinf(to_numpy(to_weft(huge, "float32") @ to_weft(tiny, "float32"))).all()
    assert_close(to_weft(huge, "float64") @ to_weft(tiny, "float64"), huge @ tiny, terms=8)


def test_family():
    a, b = randn(6, 5), randn(5, 7)
    check_same(lambda m, x, y: m.mm(x, y), a, b)
    check_same(lambda m, x, y: x.mm(y) + x @ y, a, b)
    check_same(lambda m, x, y: m.bmm(x, y), randn(3, 4, 5), randn(3, 5, 2))
    check_same(lambda m, x, y: m.mv(x, y), a, randn(5))
    check_same(lambda m, x, y: m.dot(x, y), randn(50), randn(50))
    check_same(lambda m, x, y: m.outer(x, y), randn(4), randn(6))


@pytest.mark.parametrize("beta, alpha", [(1, 1), (0.5, 2), (0, 1), (1, -3), (2, 0)])
@pytest.mark.parametrize("shape", [(6, 7), (7,), (1, 7), (6, 1), ()])
def test_addmm(shape, beta, alpha):
    c, a, b = randn(*shape) if shape else np.array(0.5), randn(6, 5), randn(5, 7)
    check_same(lambda m, c, a, b: m.addmm(c, a, b, beta=beta, alpha=alpha), c, a, b)
    check_same(lambda m, c, a, b: m.baddbmm(c, a, b, beta=beta, alpha=alpha), c, randn(3, 6, 5), randn(3, 5, 7))


def test_addmm_ignores_input_when_beta_is_zero():
    c = weft.full((3, 4), float("nan"))
    y = weft.addmm(c, weft.ones(3, 2), weft.ones(2, 4), beta=0)
    assert_close(y, np.full((3, 4), 2.0), check_dtype=False)


def test_second_derivatives():
    gradcheck(lambda a, b: (a @ b).tanh(), randn(3, 4), randn(4, 2))

    def of_gradient(a, b):
        a, b = (t if t.requires_grad else t.detach().requires_grad_() for t in (a, b))
        y = (a @ b).square().sum()
        da, db = weft.autograd.grad(y, (a, b), create_graph=True)
        return da, db

    gradcheck(of_gradient, randn(3, 4), randn(4, 2))
    gradcheck(of_gradient, randn(2, 3, 4), randn(4, 2))


def test_gradient_of_one_operand():
    a, b = weft.ones(3, 4, requires_grad=True), weft.ones(4, 2)
    (a @ b).sum().backward()
    assert a.grad.shape == (3, 4) and b.grad is None


def test_change_before_backward():
    a, b = weft.ones(3, 4, requires_grad=True), weft.ones(4, 2)
    y = a @ b
    b.add_(1)
    with pytest.raises(RuntimeError, match="matmul"):
        y.sum().backward()


@pytest.mark.parametrize(
    "m, n, k",
    [
        (1, 900, 800),
        (7, 500, 600),
        (64, 64, 64),
        (130, 260, 300),
        (520, 530, 700),
        (20, 20, 30_000),
        (1, 1, 300_000),
        (900, 800, 8),
    ],
)
@pytest.mark.parametrize("dtype", ("float32", "float64", "bfloat16"))
def test_same_bits_for_any_number_of_threads(m, n, k, dtype):
    a, b = to_weft(randn(m, k), dtype), to_weft(randn(k, n), dtype)
    turned = to_weft(randn(n, k), dtype).T
    same_bits(lambda: (a @ b, a @ turned, b.T @ a.T))


def test_same_bits_in_batches():
    a, b = to_weft(randn(50, 20, 30), "float32"), to_weft(randn(50, 30, 40), "float32")
    same_bits(lambda: (a @ b, a[:, :1] @ b))


@pytest.mark.parametrize(
    "fn, error, message",
    [
        (lambda x: x(2, 3) @ x(4, 5), RuntimeError, r"\[matmul\].*\[2, 3\] and \[4, 5\]"),
        (lambda x: x(3) @ x(4), RuntimeError, r"\[matmul\].*\[3\] and \[4\]"),
        (lambda x: x(2, 3) @ x(2), RuntimeError, r"\[matmul\].*\[2, 3\] and \[2\]"),
        (lambda x: x() @ x(3), RuntimeError, r"\[matmul\].*at least one dimension"),
        (lambda x: x(2, 3, 4) @ x(3, 4, 5), Exception, r"matmul.*\[2\].*\[3\]"),
        (lambda x: x(2, 3) @ x(3, 4).double(), RuntimeError, r"\[matmul\].*one dtype.*float32 and float64"),
        (lambda x: (x(2, 3) > 0) @ (x(3, 4) > 0), NotImplementedError, r"\[matmul\].*bool"),
        (lambda x: weft.mm(x(2, 3, 4), x(4, 5)), RuntimeError, r"\[mm\].*2 dimensions.*\[2, 3, 4\]"),
        (lambda x: weft.mm(x(2, 3), x(4, 5)), RuntimeError, r"\[mm\].*\[2, 3\] and \[4, 5\]"),
        (lambda x: weft.bmm(x(2, 3, 4), x(3, 4, 5)), RuntimeError, r"\[bmm\].*as many"),
        (lambda x: weft.mv(x(2, 3), x(3, 1)), RuntimeError, r"\[mv\].*1 dimension"),
        (lambda x: weft.dot(x(2), x(3)), RuntimeError, r"\[2\] and \[3\]"),
        (lambda x: weft.dot(x(2, 1), x(2)), RuntimeError, r"\[dot\].*1 dimension"),
        (lambda x: weft.outer(x(2, 1), x(2)), RuntimeError, r"\[outer\].*1 dimension"),
        (lambda x: weft.addmm(x(2, 3), x(4, 5), x(5, 6)), Exception, r"addmm.*\[2, 3\]"),
        (lambda x: weft.addmm(x(5, 4, 6), x(4, 5), x(5, 6)), RuntimeError, r"addmm.*\[5, 4, 6\]"),
        (lambda x: weft.baddbmm(x(6), x(2, 4, 5), x(3, 5, 6)), RuntimeError, r"\[baddbmm\].*as many"),
        (lambda x: x(2, 3) @ 3, TypeError, None),
        (lambda x: x(2, 3) @ "x", TypeError, None),
    ],
)
def test_bad_input(fn, error, message):
    with pytest.raises(error, match=message):
        fn(lambda *shape: weft.ones(*shape) if shape else weft.tensor(1.0))
