import numpy as np
import pytest

import weft
from oracle import check, same_bits, torch
from weft import _core as F
from weft.testing import assert_close, gradcheck, tolerance

rng = np.random.default_rng(3)
attention = F.scaled_dot_product_attention


def randn(*shape):
    return rng.standard_normal(shape)


def reference(q, k, v, mask=None, is_causal=False, scale=None, factors=None):
    """The definition, in float64; a row without anything to attend to is 0."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    s = q @ np.swapaxes(k, -1, -2) * scale
    if is_causal:
        mask = np.tril(np.ones(s.shape[-2:], bool))
    if mask is not None:
        s = np.where(mask, s, -np.inf) if mask.dtype == bool else s + mask
    top = s.max(-1, keepdims=True)
    e = np.exp(s - np.where(np.isfinite(top), top, 0))
    total = e.sum(-1, keepdims=True)
    p = e / np.where(total == 0, 1, total)
    return (p if factors is None else p * factors) @ v


def check_attention(*arrays, dtypes=("float32", "float64"), **options):
    """Arrays: query, key, value and possibly a mask. Values are of the order of 1, and some gradients are exactly 0."""
    terms = 64 * (arrays[0].shape[-2] + arrays[1].shape[-2])

    def oracle(*a):
        return torch.nn.functional.scaled_dot_product_attention(*a, **options)

    for dtype in dtypes:
        atol = tolerance(dtype, 256)
        check(lambda *a: attention(*a, **options), oracle, *arrays, dtypes=(dtype,), terms=terms, atol=atol)


# leading dimensions, queries, keys, dim, value dim
SHAPES = [
    ((), 1, 1, 1, 1),
    ((), 5, 7, 3, 3),
    ((2,), 16, 16, 16, 16),
    ((2, 3), 17, 33, 8, 5),
    ((2, 1, 2), 9, 4, 20, 20),
    ((1, 2), 64, 256, 64, 64),
    ((1, 2), 65, 257, 48, 49),
    ((1, 1), 300, 600, 17, 33),
    ((2, 2), 1, 500, 32, 32),
    ((1, 2), 130, 3, 130, 7),
    ((2, 2), 49, 100, 33, 17),
    ((1, 2), 100, 100, 16, 16),
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_against_torch(isa, shape):
    lead, queries, keys, dim, v_dim = shape
    q, k, v = randn(*lead, queries, dim), randn(*lead, keys, dim), randn(*lead, keys, v_dim)
    check_attention(q, k, v)
    check_attention(q, k, v, is_causal=True)
    check_attention(q, k, v, scale=0.2)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_masks(isa, shape):
    lead, queries, keys, dim, v_dim = shape
    q, k, v = randn(*lead, queries, dim), randn(*lead, keys, dim), randn(*lead, keys, v_dim)
    allowed = rng.random((*lead, queries, keys)) > 0.4
    allowed[..., 0] = True
    for mask in (allowed, randn(*lead, queries, keys), randn(queries, keys), randn(1, keys), randn(queries, 1)):
        check_attention(q, k, v, mask)
    check_attention(q, k, v, np.where(allowed, randn(*allowed.shape), -np.inf))
    check_attention(q, k, v, allowed[..., :1, :])
    check_attention(q, k, v, np.where(allowed[..., :1, :], randn(keys), -np.inf))
    if len(lead) > 1:
        check_attention(q, k, v, allowed[:, :1, :1])


@pytest.mark.parametrize("scale", [0.0, -0.3])
def test_scales_that_are_not_positive(isa, scale):
    for queries, keys in ((5, 7), (65, 257), (30, 300)):
        q, k, v = randn(2, queries, 24), randn(2, keys, 24), randn(2, keys, 17)
        for options in ({}, {"is_causal": True}):
            check_attention(q, k, v, scale=scale, **options)
        allowed = rng.random((queries, keys)) > 0.4
        allowed[:, 0] = True
        for mask in (allowed, np.where(allowed, 0.5, -np.inf)):
            check_attention(q, k, v, mask, scale=scale)


def test_against_the_definition(isa):
    q, k, v = randn(2, 2, 70, 24), randn(2, 2, 300, 24), randn(2, 2, 300, 24)
    for options in ({}, {"is_causal": True}, {"scale": 2.0}):
        y = attention(*(weft.tensor(a) for a in (q, k, v)), **options)
        assert_close(y, reference(q, k, v, **options), rtol=1e-11, atol=1e-12)


def test_rows_that_attend_to_nothing(isa):
    q, k, v = (randn(1, 2, n, 8) for n in (70, 300, 300))
    allowed = rng.random((70, 300)) > 0.5
    allowed[[0, 3, 69]] = False
    allowed[5, :256] = False  # nothing in the first block of keys
    for mask in (allowed, np.where(allowed, 0.0, -np.inf)):
        tensors = [weft.tensor(a).requires_grad_() for a in (q, k, v)]
        y = attention(*tensors, attn_mask=weft.tensor(mask))
        assert_close(y, reference(q, k, v, allowed), terms=300)
        assert (y[:, :, [0, 3, 69]].detach().numpy() == 0).all()
        y.sum().backward()
        assert all(np.isfinite(t.grad.numpy()).all() for t in tensors)
        assert (tensors[0].grad[:, :, [0, 3, 69]].numpy() == 0).all()
    gradcheck(
        lambda *a: attention(*a, attn_mask=weft.tensor(allowed[:6, 250:258])), *(randn(2, n, 3) for n in (6, 8, 8))
    )


def test_large_scores_do_not_overflow(isa):
    q, k, v = 100 * randn(1, 1, 20, 16), 100 * randn(1, 1, 300, 16), randn(1, 1, 300, 16)
    y = attention(*(weft.tensor(a) for a in (q, k, v)))
    assert_close(y, reference(q, k, v), rtol=1e-8, atol=1e-8)


def test_nan_spreads_along_its_row_only(isa):
    q, k, v = (randn(1, 1, n, 8).astype(np.float32) for n in (10, 300, 300))
    q[0, 0, 4, 2] = np.nan
    y = attention(*(weft.tensor(a) for a in (q, k, v))).numpy()
    assert (np.isnan(y).all(-1)[0, 0] == (np.arange(10) == 4)).all() and np.isnan(y).sum() == 8


def test_grouped_queries(isa):
    q, k, v = randn(2, 6, 40, 16), randn(2, 2, 300, 16), randn(2, 2, 300, 12)
    check_attention(q, k, v, enable_gqa=True)
    check_attention(q, k, v, enable_gqa=True, is_causal=True)
    check_attention(q, k, v, randn(2, 6, 40, 300), enable_gqa=True)


@pytest.mark.parametrize("queries", [1, 2, 5, 9, 30])
def test_heads_that_share_keys(isa, queries):
    """A block of rows may hold the queries of several heads."""
    q, k, v = randn(2, 6, queries, 16), randn(2, 2, 40, 16), randn(2, 2, 40, 12)
    check_attention(q, k, v, enable_gqa=True)
    check_attention(q, k, v, enable_gqa=True, is_causal=True)
    check_attention(q, k, v, randn(2, 6, queries, 40), enable_gqa=True)
    check_attention(q, k, v, rng.random((2, 6, queries, 40)) > 0.3, enable_gqa=True)


@pytest.mark.parametrize("rows", [(1, 1), (2, 1), (1, 3), (4, 1), (3, 2), (1, 8), (8, 1)], ids=str)
@pytest.mark.parametrize("keys", [1, 127, 128, 1000])
def test_few_queries_against_a_cache(isa, rows, keys):
    group, queries = rows
    for dim, v_dim in ((64, 64), (33, 70), (7, 15)):
        q, k, v = randn(2, 2 * group, queries, dim), randn(2, 2, keys, dim), randn(2, 2, keys, v_dim)
        check_attention(q, k, v, enable_gqa=True)
        check_attention(q, k, v, rng.random((2 * group, queries, keys)) > 0.4, enable_gqa=True)
        check_attention(q, k, v, randn(queries, keys), enable_gqa=True)
        half = [weft.tensor(a).to(weft.bfloat16) for a in (q, k, v)]
        y = attention(*half, enable_gqa=True)
        expected = attention(*(t.to(weft.float64) for t in half), enable_gqa=True)
        assert_close(y.to(weft.float64), expected, rtol=2**-7, atol=2**-8)


@pytest.mark.parametrize("shape", [(1, 40, 700), (2, 700, 40), (1, 300, 300), (1, 97, 289)])
def test_causal_over_several_blocks(isa, shape):
    heads, queries, keys = shape
    check_attention(*(randn(1, heads, n, 20) for n in (queries, keys, keys)), is_causal=True)


def test_results_lie_as_the_query_does(isa):
    """Rows of all heads side by side, where the query's are: a layer around needs no copies."""
    packed = weft.tensor(randn(2, 70, 3, 4, 16)).requires_grad_()
    q, k, v = (packed[:, :, i].transpose(1, 2) for i in range(3))
    y = attention(q, k, v, is_causal=True)
    assert y.transpose(1, 2).is_contiguous() and not y.is_contiguous()
    straight = [x.detach().contiguous().requires_grad_() for x in (q, k, v)]
    expected = attention(*straight, is_causal=True)
    assert expected.is_contiguous()
    assert (y.detach().numpy() == expected.detach().numpy()).all()
    dy = weft.tensor(randn(*y.shape))
    y.backward(dy)
    expected.backward(dy.transpose(1, 2).contiguous().transpose(1, 2))
    for i, t in enumerate(straight):
        assert (packed.grad[:, :, i].transpose(1, 2).numpy() == t.grad.numpy()).all()


def test_leading_dimensions_broadcast():
    check_attention(randn(2, 3, 5, 4), randn(3, 6, 4), randn(1, 3, 6, 4))
    check_attention(randn(5, 4), randn(2, 6, 4), randn(2, 6, 4))


def test_views(isa):
    def heads_last(m, q, k, v):
        f = attention if m is weft else torch.nn.functional.scaled_dot_product_attention
        return f(*(x.transpose(1, 2) for x in (q, k, v)), is_causal=True)

    arrays = [randn(2, 70, 3, 16) for _ in range(3)]
    check(lambda *a: heads_last(weft, *a), lambda *a: heads_last(torch, *a), *arrays, terms=4096)

    def transposed(m, q, k, v):
        f = attention if m is weft else torch.nn.functional.scaled_dot_product_attention
        return f(*(x.transpose(-1, -2)[..., ::2, :] for x in (q, k, v)))

    arrays = [randn(2, 2, 8, 30) for _ in range(3)]
    check(lambda *a: transposed(weft, *a), lambda *a: transposed(torch, *a), *arrays, terms=4096)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_half_precision(isa, shape, dtype):
    """Inputs and results are rounded, and in bfloat16 the probabilities; sums are not."""
    lead, queries, keys, dim, v_dim = shape
    arrays = [randn(*lead, queries, dim), randn(*lead, keys, dim), randn(*lead, keys, v_dim)]
    rounded = [weft.tensor(a).to(getattr(weft, dtype)) for a in arrays]
    exact = [t.to(weft.float64).requires_grad_() for t in rounded]
    inputs = [t.requires_grad_() for t in rounded]
    dy = weft.tensor(randn(*lead, queries, v_dim)).to(getattr(weft, dtype))
    allowed = weft.tensor(rng.random((queries, keys)) > 0.3)
    bias = weft.tensor(randn(queries, keys))
    step = 2.0**-8 if dtype == "bfloat16" else 2.0**-11
    for options in ({}, {"is_causal": True}, {"attn_mask": allowed}, {"attn_mask": bias}, {"scale": 0.3}):
        wide = dict(options)
        if wide.get("attn_mask") is bias:
            options = {"attn_mask": bias.to(getattr(weft, dtype))}
            wide = {"attn_mask": options["attn_mask"].to(weft.float64)}
        for t in (*inputs, *exact):
            t.grad = None
        y, expected = attention(*inputs, **options), attention(*exact, **wide)
        assert y.dtype == getattr(weft, dtype) and y.shape == expected.shape
        y.backward(dy)
        expected.backward(dy.to(weft.float64))
        pairs = [(y, expected), *((t.grad, e.grad) for t, e in zip(inputs, exact, strict=True))]
        for got, want in pairs:
            want = want.detach().numpy()
            error = np.abs(got.detach().to(weft.float64).numpy() - want).max()
            assert error <= 4 * step * max(1, np.abs(want).max()), (options.keys(), error)


def test_half_precision_like_torch():
    q, k, v = randn(2, 2, 20, 16), randn(2, 2, 30, 16), randn(2, 2, 30, 16)
    check_attention(q, k, v, dtypes=("float16", "bfloat16"))
    check_attention(q, k, v, randn(20, 30), dtypes=("float16", "bfloat16"))


def test_second_derivatives_in_half_precision():
    q, k, v = (weft.tensor(randn(1, 2, 5, 4)).to(weft.bfloat16).requires_grad_() for _ in range(3))
    y = attention(q, k, v)
    (dq,) = weft.autograd.grad((y * y).sum(), q, create_graph=True)
    assert dq.dtype == weft.bfloat16
    (dk,) = weft.autograd.grad(dq.sum(), k)
    assert dk.dtype == weft.bfloat16 and np.isfinite(dk.to(weft.float32).numpy()).all()


def test_gradients_by_differences():
    q, k, v = randn(1, 2, 5, 4), randn(1, 2, 6, 4), randn(1, 2, 6, 3)
    gradcheck(attention, q, k, v)
    gradcheck(lambda *a: attention(*a, is_causal=True), q, k, v)
    gradcheck(lambda *a: attention(*a), q, k, v, randn(5, 6))
    gradcheck(lambda *a: attention(*a), q, k, v, randn(2, 1, 6))


def test_second_derivatives():
    def first(q, k, v, *mask, **options):
        inputs = [t if t.requires_grad else t.requires_grad_() for t in (q, k, v)]
        y = attention(*inputs, *mask, **options)
        return weft.autograd.grad((y * y * y).sum(), inputs, create_graph=True)

    q, k, v = randn(1, 2, 4, 3), randn(1, 2, 5, 3), randn(1, 2, 5, 2)
    gradcheck(first, q, k, v)
    gradcheck(lambda *a: first(*a, is_causal=True), q, k, v)
    gradcheck(lambda *a: first(*a, enable_gqa=True), randn(1, 4, 4, 3), k, v)
    allowed = np.ones((4, 5), bool)
    allowed[1] = False
    gradcheck(lambda *a: first(*a, weft.tensor(allowed)), q, k, v)


def dropped(q, k, seed, p, **options):
    """What dropout multiplies the probabilities by, read off with the unit matrix as value."""
    keys = k.shape[-2]
    eye = weft.tensor(np.broadcast_to(np.eye(keys), (*k.shape[:-1], keys)).copy())
    weft.manual_seed(seed)
    with weft.no_grad():
        rows = attention(weft.zeros_like(q), weft.zeros_like(k), eye.to(q.dtype), dropout_p=p, **options)
    return rows.numpy() * keys


@pytest.mark.parametrize("keys", [5, 64, 300])
def test_dropout(isa, keys):
    p = 0.3
    q, k, v = (randn(2, 3, n, 8) for n in (40, keys, keys))
    tensors = [weft.tensor(a).requires_grad_() for a in (q, k, v)]
    factors = dropped(tensors[0], tensors[1], 7, p)
    kept = factors > 0.5
    assert_close(factors, np.where(kept, 1 / (1 - p), 0), rtol=1e-6)
    assert abs(kept.mean() - (1 - p)) < 5 * np.sqrt(p * (1 - p) / kept.size)

    weft.manual_seed(7)
    y = attention(*tensors, dropout_p=p)
    assert_close(y, reference(q, k, v, factors=factors), terms=keys)
    dy = randn(*y.shape)
    y.backward(weft.tensor(dy))
    for i, t in enumerate(tensors):  # backward draws the same numbers again
        step = [np.zeros_like(a) for a in (q, k, v)]
        step[i] = randn(*step[i].shape)
        up, down = ([a + s * d for a, d in zip((q, k, v), step, strict=True)] for s in (1e-5, -1e-5))
        slope = ((reference(*up, factors=factors) - reference(*down, factors=factors)) * dy).sum() / 2e-5
        assert abs((t.grad.numpy() * step[i]).sum() - slope) < 1e-5 * (1 + abs(slope))


def test_dropout_in_the_composed_gradient():
    q, k, v = (weft.tensor(randn(1, 2, n, 4)).requires_grad_() for n in (6, 9, 9))

    def gradients(create_graph):
        weft.manual_seed(3)
        y = attention(q, k, v, dropout_p=0.4)
        return weft.autograd.grad((y * y).sum(), (q, k, v), create_graph=create_graph)

    for a, b in zip(gradients(False), gradients(True), strict=True):
        assert_close(a, b.detach(), terms=9)


def test_dropout_of_everything_and_randomness():
    q = weft.tensor(randn(1, 1, 8, 4))
    assert (attention(q, q, q, dropout_p=1.0).numpy() == 0).all()
    weft.manual_seed(1)
    first, second = attention(q, q, q, dropout_p=0.5), attention(q, q, q, dropout_p=0.5)
    assert (first.numpy() != second.numpy()).any()


def test_empty():
    assert attention(weft.zeros(0, 2, 3, 4), weft.zeros(0, 2, 5, 4), weft.zeros(0, 2, 5, 6)).shape == (0, 2, 3, 6)
    assert attention(weft.zeros(2, 0, 4), weft.zeros(2, 5, 4), weft.zeros(2, 5, 4)).shape == (2, 0, 4)
    y = attention(weft.ones(2, 3, 4), weft.zeros(2, 0, 4), weft.zeros(2, 0, 4))
    assert y.shape == (2, 3, 4) and (y.numpy() == 0).all()
    y = attention(weft.ones(1, 2, 0), weft.ones(1, 3, 0), weft.tensor([[[1.0], [2.0], [6.0]]]))
    assert_close(y, np.full((1, 2, 1), 3, np.float32))


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("shape", [(2, 2, 130, 600), (1, 1, 70, 2000), (16, 4, 16, 16), (1, 2, 3, 5000)])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_same_bits_on_any_number_of_threads(shape, causal, dtype):
    batch, heads, queries, keys = shape
    arrays = [weft.tensor(randn(batch, heads, n, 32)).to(getattr(weft, dtype)) for n in (queries, keys, keys)]

    def run():
        weft.manual_seed(5)
        q, k, v = (a.detach().requires_grad_() for a in arrays)
        y = attention(q, k, v, dropout_p=0.1, is_causal=causal)
        (y * y).sum().backward()
        return y, q.grad, k.grad, v.grad, attention(*arrays, is_causal=causal)

    same_bits(run)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        (((4,), (5, 4), (5, 4)), {}, "2 dimensions"),
        (((3, 4), (5, 3), (5, 4)), {}, "last size"),
        (((3, 4), (5, 4), (6, 4)), {}, "rows"),
        (((2, 3, 4), (3, 5, 4), (3, 5, 4)), {}, "[2]"),
        (((3, 4), (5, 4), (5, 4), (3, 6)), {}, "[3, 6]"),
        (((3, 4), (5, 4), (5, 4), (2, 3, 5)), {}, "broadcasts"),
        (((3, 4), (5, 4), (5, 4), (3, 5)), {"is_causal": True}, "both"),
        (((3, 4), (5, 4), (5, 4)), {"dropout_p": 1.5}, "dropout_p"),
        (((3, 4), (5, 4), (5, 4)), {"enable_gqa": True}, "heads"),
        (((3, 3, 4), (2, 5, 4), (2, 5, 4)), {"enable_gqa": True}, "multiple"),
    ],
)
def test_bad_arguments(shapes, options, words):
    with pytest.raises((RuntimeError, ValueError), match=r"\[scaled_dot_product_attention\]") as info:
        attention(*(weft.zeros(*s) for s in shapes), **options)
    assert words in str(info.value)


def test_bad_dtypes():
    q = weft.zeros(3, 4)
    with pytest.raises(RuntimeError, match="one dtype"):
        attention(q, q.to(weft.float64), q)
    with pytest.raises(RuntimeError, match="floating"):
        attention(*(q.to(weft.int32),) * 3)
    with pytest.raises(RuntimeError, match="attn_mask of bool"):
        attention(q, q, q, weft.zeros(3, 3).to(weft.int32))
