import math

import numpy as np
import pytest

import weft
from oracle import check, check_same, same_bits
from weft import nn
from weft.autograd import gradgradcheck
from weft.nn import functional as F
from weft.testing import assert_close

torch = pytest.importorskip("torch")
random = np.random.default_rng(0)
ORDERS = [0, 0.5, 1, 1.5, 2, 3, 17, math.inf]


def randn(*shape):
    return random.standard_normal(shape)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("n", [1, 3, 8, 17, 70])
def test_cdist(isa, p, n):
    check_same(lambda m, x, y: m.cdist(x, y, p, compute_mode="donot_use_mm_for_euclid_dist"), randn(5, n), randn(4, n))


@pytest.mark.parametrize("p", [0, 1, 2, 3, math.inf])
@pytest.mark.parametrize(
    "shape", [(1, 1, 5), (150, 1, 3), (1, 150, 3), (40, 7, 70), (7, 40, 65), (130, 65, 2), (3, 1100, 3)]
)
def test_cdist_of_any_sides(isa, p, shape):
    """Few and many rows on either side; features in one block and in several."""
    a, b, n = shape
    x, y = np.round(randn(2, a, n) * 4) / 4, np.round(randn(2, b, n) * 4) / 4
    for dtype in ("float32", "float64"):
        d = np.abs(x[:, :, None] - y[:, None])
        expected = (d != 0).sum(-1) if p == 0 else d.max(-1) if p == math.inf else (d**p).sum(-1) ** (1 / p)
        args = (weft.tensor(t, dtype=getattr(weft, dtype)) for t in (x, y))
        got = weft.cdist(*args, p, "donot_use_mm_for_euclid_dist")
        assert_close(got, expected, rtol=3e-6 if dtype == "float32" else 1e-13, atol=0, check_dtype=False)


@pytest.mark.parametrize("p", ORDERS)
def test_batches_views_and_empty_sides(p):
    check_same(lambda m, x, y: m.cdist(x, y, p), randn(2, 1, 5, 6), randn(3, 4, 6))
    check_same(lambda m, x, y: m.cdist(x.transpose(0, 1), y[::2], p), randn(6, 5), randn(9, 6))
    for a, b in (((0, 3), (4, 3)), ((4, 3), (0, 3)), ((2, 0), (3, 0)), ((0, 2, 3), (0, 4, 3))):
        check_same(lambda m, x, y: m.cdist(x, y, p), np.zeros(a), np.zeros(b))


@pytest.mark.parametrize("mode", ["use_mm_for_euclid_dist", "use_mm_for_euclid_dist_if_necessary"])
def test_euclidean_by_products(mode):
    check_same(lambda m, x, y: m.cdist(x, y, compute_mode=mode), randn(40, 9), randn(30, 9), rtol=1e-4, atol=1e-5)
    check_same(lambda m, x, y: m.cdist(x, y, compute_mode=mode), randn(2, 3, 9), randn(2, 4, 9), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("p", ORDERS)
@pytest.mark.parametrize("rows", [3, 30])
def test_no_gradient_where_the_distance_is_zero(p, rows):
    x = weft.tensor(np.tile(random.integers(-4, 4, (1, 5)), (rows, 1)).astype(float), requires_grad=True)
    weft.cdist(x, x.detach(), p).sum().backward()
    assert x.grad.tolist() == np.zeros((rows, 5)).tolist()


@pytest.mark.parametrize("mode", ["use_mm_for_euclid_dist", "donot_use_mm_for_euclid_dist"])
def test_second_derivative(mode):
    def twice(m, x, y):
        (g,) = m.autograd.grad(m.cdist(x, y, compute_mode=mode).square().square().sum(), x, create_graph=True)
        return g

    def by_hand(m, x, y):
        (g,) = m.autograd.grad((x[:, None] - y).square().sum(-1).square().sum(), x, create_graph=True)
        return g

    with_grad = [a for a in (randn(4, 3), randn(5, 3))]
    check(lambda x, y: twice(weft, x, y), lambda x, y: by_hand(torch, x, y), *with_grad, dtypes=("float64",))


@pytest.mark.parametrize("p", [0, 0.5, 1, 1.5, 3, math.inf])
def test_second_derivative_in_other_norms(p):
    x, y = (weft.tensor(randn(*shape), requires_grad=True) for shape in ((2, 4, 3), (5, 3)))
    assert gradgradcheck(lambda x, y: weft.cdist(x, y, p), (x, y))
    d = weft.cdist(x, y, p)
    dy = weft.tensor(randn(*d.shape))
    plain = weft.autograd.grad(d, (x, y), dy, retain_graph=True)
    composed = weft.autograd.grad(d, (x, y), dy, create_graph=True)
    for one, other in zip(plain, composed, strict=True):
        assert_close(one, other.detach(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_same_bits_for_any_number_of_threads(p):
    x, y = (weft.tensor(randn(150, 70), dtype=weft.float32, requires_grad=True) for _ in "xy")

    def run():
        d = weft.cdist(x, y, p, "donot_use_mm_for_euclid_dist")
        return (d, *weft.autograd.grad(d.sum(), (x, y)))

    same_bits(lambda: tuple(t.detach() for t in run()))


def test_nan_and_infinity():
    x = weft.tensor([[math.nan, 1.0], [math.inf, 1.0], [2.0, 1.0]])
    for p in ORDERS[1:]:
        d = weft.cdist(x, weft.zeros(1, 2), p)
        assert math.isnan(d[0].item()) and d[1].item() == math.inf and math.isfinite(d[2].item())


@pytest.mark.parametrize(
    ("a", "b", "options"),
    [
        (weft.ones(3), weft.ones(2, 3), {}),
        (weft.ones(2, 3), weft.ones(2, 4), {}),
        (weft.ones(2, 2, 3), weft.ones(3, 2, 3), {}),
        (weft.ones(2, 3), weft.ones(2, 3, dtype=weft.float64), {}),
        (weft.ones(2, 3).long(), weft.ones(2, 3).long(), {}),
        (weft.ones(2, 3), weft.ones(2, 3), {"p": -1}),
        (weft.ones(2, 3), weft.ones(2, 3), {"compute_mode": "fast"}),
    ],
)
def test_cdist_refuses(a, b, options):
    with pytest.raises((RuntimeError, ValueError), match="cdist"):
        weft.cdist(a, b, **options)


@pytest.mark.parametrize("p", ORDERS)
def test_pdist_is_half_of_cdist(isa, p):
    for rows, n in ((6, 4), (70, 3), (201, 66)):
        x = weft.tensor(randn(rows, n))
        full = weft.cdist(x, x, p, "donot_use_mm_for_euclid_dist").numpy()
        assert_close(F.pdist(x, p), full[np.triu_indices(rows, 1)], rtol=1e-6, atol=0)
    assert F.pdist(x[:1], p).shape == (0,) and F.pdist(x[:0], p).shape == (0,)


@pytest.mark.parametrize("p", ORDERS)
def test_pdist_gradient(isa, p):
    for shape in ((7, 5), (2, 17), (1, 3)):
        check(lambda x: F.pdist(x, p), lambda x: torch.nn.functional.pdist(x, p), randn(*shape), rtol=1e-4)


@pytest.mark.parametrize("p", [0, 1, 1.5, 2, 3, math.inf])
def test_pdist_second_derivative(p):
    x = weft.tensor(randn(4, 3), requires_grad=True)
    assert gradgradcheck(lambda x: F.pdist(x, p), x)


@pytest.mark.parametrize("p", [0.5, 1, 2, 3, math.inf, -math.inf, 0, -1])
def test_norms_where_they_are_zero(p):
    """Values and gradients beside zeros, in part of a row and in all of it."""
    x = np.array([[3.0, 0.0, -4.0], [0.0, 0.0, 0.0], [1.0, 2.0, 2.0]])
    check(
        lambda x: F.pairwise_distance(x, x * 0, p, eps=0),
        lambda x: torch.nn.functional.pairwise_distance(x, x * 0, p, eps=0),
        x,
        dtypes=("float64",),
    )


def test_great_lengths_do_not_overflow():
    x = weft.full((2, 3), 1e30)
    assert_close(F.normalize(x, p=3), np.full((2, 3), 3 ** (-1 / 3)), rtol=1e-5, check_dtype=False)


def test_similarity_broadcasts():
    def far_from_zero(*shape):  # where the direction is sharp
        x = randn(*shape)
        return np.asarray(x + np.sign(x))

    for a, b, dim in (((4, 3), (3,), 1), ((4, 1, 3), (5, 3), -1), ((4, 1), (4, 3), 1), ((), (), 0), ((3,), (2, 3), 0)):
        check(
            lambda x, y, dim=dim: F.cosine_similarity(x, y, dim),
            lambda x, y, dim=dim: torch.nn.functional.cosine_similarity(x, y, dim),
            far_from_zero(*a),
            far_from_zero(*b),
            atol=1e-6,
        )
    with pytest.raises(TypeError, match="cosine_similarity"):
        F.cosine_similarity(weft.ones(2).long(), weft.ones(2).long(), 0)


def test_modules():
    a, b = randn(3, 4), randn(3, 4)
    for name, options in (("PairwiseDistance", {"p": 1, "keepdim": True}), ("CosineSimilarity", {"dim": 0})):
        layer, twin = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
        assert repr(layer) == repr(twin)
        check(layer, twin, a, b)


def test_names():
    for name in ("bilinear", "cosine_similarity", "pairwise_distance", "pdist"):
        assert getattr(weft, name) is getattr(F, name) and hasattr(torch, name)
