"""Operations on "cuda": on a GPU, or under the emulation, against the CPU."""

from functools import partial

import numpy as np
import pytest
from agree import FLOATS, HALVES, agree

import weft
import weft.nn.functional as F
from weft.testing import assert_close

rng = np.random.default_rng(0)


def normal(*shape):
    return rng.standard_normal(shape)


@pytest.fixture
def check(device):
    return partial(agree, device=device)


# Moving elements.


@pytest.mark.parametrize("shape", [(), (0,), (1,), (3,), (4,), (5,), (7, 3), (2, 3, 4), (1025,)])
@pytest.mark.parametrize(
    "dtype", ["bool", "uint8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
)
def test_to_and_back(device, shape, dtype):
    x = weft.tensor(rng.integers(0, 2, shape)).to(getattr(weft, dtype))
    y = x.to(device)
    assert y.is_cuda and y.dtype == x.dtype
    assert (y.cpu() == x).all()


def test_conversions(device):
    names = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
    x = weft.tensor(np.array([0.0, 1.0, 2.5, 100.75, 3.0, 7.25, 65.0]))
    for a in names:
        source = x.to(getattr(weft, a))
        for b in names:
            got = source.to(device).to(getattr(weft, b))
            assert_close(got, source.to(getattr(weft, b)), name=f"{a} to {b}")


def test_rounding_to_half(device):
    values = np.array([1 + 2.0**-11, 1 + 3 * 2.0**-11, 65519.0, 65520.0, 1e-8, 6e-8, -0.0, np.inf, np.nan, 2.0**-14])
    x = weft.tensor(values.astype(np.float32))
    for dtype in (weft.float16, weft.bfloat16):
        assert_close(x.to(device).to(dtype), x.to(dtype))


def test_views_are_copied(check):
    x = normal(6, 5, 4)
    for view in (
        lambda x: x.permute(2, 0, 1),
        lambda x: x[1:5, ::2],
        lambda x: x.transpose(0, 2)[:, 1:],
        lambda x: x[:, :, 1],
        lambda x: x.expand(3, 6, 5, 4),
    ):
        check(lambda x, view=view: view(x).contiguous(), x, dtypes=("float32", "bfloat16", "float64"), terms=16)


def test_fill_and_slices(device):
    x = weft.zeros(5, 6, device=device)
    x[1:4, ::2] = 2.0
    x[:, 5].fill_(3.0)
    e = weft.zeros(5, 6)
    e[1:4, ::2] = 2.0
    e[:, 5].fill_(3.0)
    assert_close(x, e)


# The pointwise family.

UNARY = ["neg", "abs", "square", "reciprocal", "exp", "exp2", "expm1", "sin", "cos", "tan", "sinh", "cosh", "tanh"]
UNARY += ["atan", "erf", "sigmoid", "relu", "sign", "floor", "ceil", "round", "trunc"]
POSITIVE = ["sqrt", "rsqrt", "log", "log2", "log10", "log1p"]
ACTIVATIONS = ["relu6", "gelu", "silu", "mish", "selu", "hardsigmoid", "hardswish", "softplus", "elu", "leaky_relu"]
ACTIVATIONS += ["logsigmoid", "hardtanh"]


@pytest.mark.parametrize("name", UNARY)
def test_unary(check, name):
    check(getattr(weft, name), normal(3, 37) * 2, terms=4)


@pytest.mark.parametrize("name", POSITIVE)
def test_unary_of_positive(check, name):
    check(getattr(weft, name), np.abs(normal(3, 37)) + 0.1, terms=4)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation(check, name):
    check(getattr(F, name), normal(3, 37) * 3, terms=16)


def test_gelu_tanh(check):
    check(partial(F.gelu, approximate="tanh"), normal(50) * 3, terms=16)


@pytest.mark.parametrize("dtypes", [HALVES])
def test_half_precision(check, dtypes):
    check(lambda a, b: (a * b + a).sigmoid(), normal(5, 12), normal(5, 12), dtypes=dtypes, terms=64)
    check(F.gelu, normal(5, 13), dtypes=dtypes, terms=64)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((7,), (7,)),
        ((4, 8), (8,)),
        ((4, 1), (1, 9)),
        ((3, 5, 7), (5, 1)),
        ((0, 3), (3,)),
        ((1,), (6,)),
        ((1025,), (1,)),
    ],
)
@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "maximum", "minimum"])
def test_binary(check, name, a, b):
    check(getattr(weft, name), normal(*a), normal(*b) + 3, terms=64)


def test_numbers_and_types(device):
    x = weft.tensor([1, 2, 3, 4, 5]).to(device)
    assert_close(x * 2 + 1, weft.tensor([3, 5, 7, 9, 11]))
    assert_close(x / 2, weft.tensor([0.5, 1, 1.5, 2, 2.5]))
    assert_close(x // 2, weft.tensor([0, 1, 1, 2, 2]))
    assert_close(x % 3, weft.tensor([1, 2, 0, 1, 2]))
    assert_close(-x % 3, weft.tensor([2, 1, 0, 2, 1]))
    assert_close(x**2, weft.tensor([1, 4, 9, 16, 25]))
    assert_close(x > 2, weft.tensor([False, False, True, True, True]))
    assert_close(weft.where(x > 2, x, 0), weft.tensor([0, 0, 3, 4, 5]))
    assert_close(x + weft.tensor([0.5]).to(device), weft.tensor([1.5, 2.5, 3.5, 4.5, 5.5]))


def test_nan_and_infinity(device):
    x = weft.tensor([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0])
    for fn in (weft.isnan, weft.isinf, weft.isfinite, weft.relu, weft.exp, weft.tanh, weft.sigmoid, weft.abs):
        assert_close(fn(x.to(device)), fn(x))
    y = weft.tensor([1.0, np.nan, 0.0, 0.0, 0.0, np.nan])
    for fn in (weft.maximum, weft.minimum):
        assert_close(fn(x.to(device), y.to(device)), fn(x, y))


# Reductions.


@pytest.mark.parametrize("dim", [None, 0, 1, 2, (0, 2), (1, 2), (0, 1)])
@pytest.mark.parametrize("name", ["sum", "mean", "amax", "amin"])
def test_reduce(check, name, dim):
    fn = getattr(weft, name)
    kwargs = {} if dim is None else {"dim": dim}
    check(lambda x: fn(x, **kwargs), normal(5, 33, 12))
    check(lambda x: fn(x.transpose(0, 1), **kwargs), normal(5, 34, 7))


@pytest.mark.parametrize("shape", [(1,), (31,), (1030,), (40000,), (3, 5000), (5000, 3), (70000, 2)])
def test_long_sums(check, shape):
    check(weft.sum, normal(*shape))
    check(lambda x: x.sum(0), normal(*shape))
    check(lambda x: x.sum(-1), normal(*shape), dtypes=("float32", "bfloat16"))


def test_other_reductions(device, check):
    x = rng.integers(-3, 4, (6, 50))
    t, d = weft.tensor(x), weft.tensor(x).to(device)
    assert_close(d.sum(), t.sum())
    assert_close(d.sum(0), t.sum(0))
    assert_close((d > 0).any(1), (t > 0).any(1))
    assert_close((d > -9).all(), (t > -9).all())
    assert_close(weft.count_nonzero(d), weft.count_nonzero(t))
    check(lambda x: x.var(1), normal(4, 70))
    check(lambda x: x.prod(1), normal(4, 7))
    assert_close(weft.zeros(0, 3, device=device).sum(0), weft.zeros(3))


def test_arg_reduce(device):
    x = rng.integers(0, 9, (4, 40, 3)).astype(np.float32)
    x[1, 5, 1] = x[1, 9, 1] = np.nan
    t, d = weft.tensor(x), weft.tensor(x).to(device)
    for dim in (0, 1, 2):
        assert_close(d.argmax(dim), t.argmax(dim))
        assert_close(d.argmin(dim), t.argmin(dim))
    assert_close(d.argmax(), t.argmax())
    values, indices = weft.tensor(x[0]).to(device).max(1)
    assert_close(values, t[0].max(1)[0])
    assert_close(indices, t[0].max(1)[1])


# Rows.


@pytest.mark.parametrize("cols", [1, 3, 31, 32, 33, 128, 130, 256, 512, 516, 1000, 3000, 9000])
@pytest.mark.parametrize("fn", [F.softmax, F.log_softmax])
def test_softmax(check, fn, cols):
    check(lambda x: fn(x, dim=-1), normal(3, cols) * 4)


@pytest.mark.parametrize("cols", [24, 33, 600, 1500])
def test_softmax_in_half_precision(check, cols):
    check(lambda x: F.softmax(x, dim=-1), normal(2, cols), dtypes=HALVES)


@pytest.mark.parametrize("cols", [8, 40, 700])
def test_softmax_extremes(device, cols):
    x = rng.standard_normal((4, cols)).astype(np.float32)
    x[0, 1:] = -np.inf
    x[1] = -np.inf
    x[2, 0] = 1e30
    x[3, 3] = np.nan
    t = weft.tensor(x)
    assert_close(F.softmax(t.to(device), dim=-1), F.softmax(t, dim=-1), terms=cols)


@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 7), (5, 32), (9, 64), (4, 128), (70, 256), (3, 257), (5, 512), (3, 2100)]
)
def test_layer_norm(check, shape):
    cols = shape[-1]
    check(lambda x, w, b: F.layer_norm(x, (cols,), w, b), normal(*shape) + 1, normal(cols), normal(cols))
    check(lambda x: F.layer_norm(x, (cols,)), normal(*shape) * 3)


def test_layer_norm_in_half_precision(check):
    check(lambda x: F.layer_norm(x, (96,)), normal(5, 96), dtypes=HALVES)


# Products.


@pytest.mark.parametrize("m", [1, 5, 64, 65])
@pytest.mark.parametrize("n", [1, 7, 64, 100])
@pytest.mark.parametrize("k", [1, 16, 17, 50])
def test_matmul(check, m, n, k):
    check(weft.matmul, normal(m, k), normal(k, n), dtypes=("float32",), terms=max(m, n, k))


def test_matmul_layouts(check):
    a, b = normal(70, 40), normal(40, 72)
    check(lambda a, b: a.t().contiguous().t() @ b, a, b)
    check(lambda a, b: a @ b.t().contiguous().t(), a, b)
    check(lambda a, b: a[::2, 1::3] @ b[1::3], a, b)
    check(weft.matmul, normal(3, 1, 5, 6), normal(4, 6, 7))
    check(weft.matmul, normal(6), normal(4, 6, 7))
    check(weft.matmul, normal(0, 6), normal(6, 3))
    check(weft.matmul, normal(2, 0), normal(0, 3))


def test_matmul_with_big_tiles(check):
    check(weft.matmul, normal(200, 24), normal(24, 260), dtypes=("float32",), terms=260)


@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 8, 8), (16, 16, 16), (64, 64, 32), (70, 72, 40), (33, 24, 104), (5, 7, 9)]
)
def test_matmul_in_half_precision(check, m, n, k):
    check(weft.matmul, normal(m, k), normal(k, n), dtypes=HALVES, terms=max(m, n, k))


def test_matmul_in_half_precision_with_big_tiles(check):
    check(weft.matmul, normal(200, 40), normal(40, 264), dtypes=("bfloat16",), grad=False, terms=40)


def test_matmul_of_integers(device):
    a, b = rng.integers(-9, 9, (5, 20)), rng.integers(-9, 9, (20, 6))
    assert_close(weft.tensor(a).to(device) @ weft.tensor(b).to(device), weft.tensor(a @ b))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_product_of_bytes(device, dtype):
    a, b = (
        rng.integers(0, 128, (5, 20)).astype(dtype) * (-1 if dtype == "int8" else 2),
        rng.integers(-128, 128, (20, 6)),
    )
    y = weft._core._int_mm(weft.tensor(a).to(device), weft.tensor(b.astype("int8")).to(device))
    assert_close(y, weft.tensor((a.astype("int64") @ b).astype("int32")))


@pytest.mark.parametrize("bias", [True, False])
def test_linear(check, bias):
    arrays = (normal(6, 20), normal(9, 20), *([normal(9)] if bias else []))
    check(F.linear, *arrays)
    check(F.linear, *arrays, dtypes=HALVES)


# Indexing, losses, layers.


def test_index(check, device):
    ids = rng.integers(0, 9, (5, 3))
    check(lambda x, i: x[i], normal(9, 6), ids, terms=16)
    check(lambda x, i: x[i[:, 0], i[:, 1] % 6], normal(9, 6), ids, terms=16)
    x = weft.zeros(9, 4, device=device)
    x[weft.tensor([3, 3, 1]).to(device)] = weft.tensor(np.arange(12.0, dtype=np.float32).reshape(3, 4)).to(device)
    e = weft.zeros(9, 4)
    e[3], e[1] = weft.tensor([4.0, 5, 6, 7]), weft.tensor([8.0, 9, 10, 11])
    assert_close(x, e)
    with pytest.raises(IndexError):
        weft.zeros(4, device=device)[weft.tensor([1, 4]).to(device)]


def test_embedding(check, device):
    ids = rng.integers(0, 7, (11, 30))
    check(lambda w, i: F.embedding(i, w), normal(9, 5), ids)
    check(lambda w, i: F.embedding(i, w, padding_idx=2), normal(9, 300), ids)
    with pytest.raises(IndexError):
        F.embedding(weft.tensor([1, 9]).to(device), weft.zeros(9, 2, device=device))


def test_sparse_gradient(device):
    ids, dy, start = rng.integers(0, 7, (11, 30)), normal(11, 30, 5), normal(9, 5)
    weights = [weft.tensor(start).to(d).requires_grad_() for d in ("cpu", device)]
    for w in weights:
        rows = F.embedding(weft.tensor(ids).to(w.device), w, padding_idx=2, sparse=True)
        for _ in range(2):
            (rows * weft.tensor(dy).to(w.device)).sum().backward(retain_graph=True)
        optimizer = weft.optim.SparseAdam([w], lr=0.1)
        optimizer.step(max_norm=3.0)
        optimizer.step()
    assert_close(weights[1].grad.indices().cpu(), weights[0].grad.indices())
    assert_close(weights[1].grad.to_dense().cpu(), weights[0].grad.to_dense(), terms=60)
    assert_close(weights[1].cpu(), weights[0], terms=60)


def test_dropout_is_the_cpus(device):
    x = weft.ones(1003)
    weft.manual_seed(5)
    expected = F.dropout(x, 0.3)
    weft.manual_seed(5)
    assert_close(F.dropout(x.to(device), 0.3), expected)


def test_random_numbers_are_the_cpus(device):
    for make in (
        partial(weft.rand, 1001),
        partial(weft.randn, 1001),
        partial(weft.randint, 0, 1000, (1001,)),
        partial(weft.rand, 77, dtype=weft.float64),
        partial(weft.randn, 77, dtype=weft.float64),
    ):
        weft.manual_seed(3)
        expected = make()
        weft.manual_seed(3)
        got = make(device=device)
        assert got.is_cuda
        np.testing.assert_allclose(got.cpu().numpy(), expected.numpy(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("shape", [(6, 5), (40, 70), (3, 4, 5, 6)])
def test_batch_norm(check, shape, training):
    c = shape[1]
    mean, var = normal(c) * 0.1, np.abs(normal(c)) + 0.5

    def fn(x, w, b):
        m, v = weft.tensor(mean).to(x.dtype).to(x.device), weft.tensor(var).to(x.dtype).to(x.device)
        return F.batch_norm(x, m, v, w, b, training=training), m, v

    check(fn, normal(*shape) + 1, normal(c), normal(c))

    def fused(x, w, b, residual=None):
        m, v = weft.tensor(mean).to(x.dtype).to(x.device), weft.tensor(var).to(x.dtype).to(x.device)
        return weft._core._batch_norm_relu(x, m, v, w, b, training, residual=residual), m, v

    check(fused, normal(*shape) + 1, normal(c), normal(c))
    check(fused, normal(*shape) + 1, normal(c), normal(c), normal(*shape))


@pytest.mark.parametrize(
    "options", [{}, {"stride": 1, "padding": 1}, {"dilation": 2}, {"ceil_mode": True, "stride": 3}]
)
def test_max_pool(check, options):
    check(lambda x: F.max_pool2d(x, 3, **options), normal(2, 3, 9, 10))


def test_average_pools(check):
    check(lambda x: F.avg_pool2d(x, 3, stride=2, padding=1), normal(2, 3, 9, 10))
    check(lambda x: F.avg_pool2d(x, 2, count_include_pad=False), normal(2, 3, 8, 7))
    check(lambda x: F.adaptive_avg_pool2d(x, (3, 4)), normal(2, 3, 10, 9))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2, "padding": 1},
        {"dilation": 2, "padding": 2},
        {"groups": 2},
        {"stride": (2, 1), "padding": (0, 2)},
    ],
)
def test_conv2d(check, options):
    g = options.get("groups", 1)
    check(lambda x, w, b: F.conv2d(x, w, b, **options), normal(2, 4, 9, 8), normal(6, 4 // g, 3, 3), normal(6))


def test_conv_transpose2d(check):
    check(
        lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1),
        normal(2, 4, 5, 6),
        normal(4, 3, 3, 3),
        normal(3),
    )


def test_wide_convolution(check):
    check(lambda x, w: F.conv2d(x, w, padding=1), normal(2, 16, 12, 12), normal(70, 16, 3, 3), dtypes=("float32",))


@pytest.mark.parametrize("dtypes", [FLOATS])
def test_losses(check, dtypes):
    check(lambda x, i: F.cross_entropy(x, i), normal(9, 12), rng.integers(0, 12, 9), dtypes=dtypes)
    check(F.mse_loss, normal(9, 12), normal(9, 12), dtypes=dtypes)
    check(
        F.binary_cross_entropy_with_logits, normal(9, 4), rng.integers(0, 2, (9, 4)).astype(np.float64), dtypes=dtypes
    )


# Resizing, sampling, alignments.


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic", "area"])
def test_interpolate(check, mode):
    for size in ((3, 4), (5, 9), (4, 1)):
        check(lambda x, size=size: F.interpolate(x, size, mode=mode), normal(2, 3, 4, 6))


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_grid_sample(check, mode, padding):
    x, grid = normal(2, 3, 4, 5), rounded_off(normal(2, 7, 9, 2))
    check(lambda x, g: F.grid_sample(x, g, mode, padding, False), x, grid)
    if mode != "bicubic":
        x, grid = normal(1, 2, 3, 4, 5), rounded_off(normal(1, 2, 3, 4, 3))
        check(lambda x, g: F.grid_sample(x, g, mode, padding, True), x, grid)


def rounded_off(x):
    """Away from the positions where rounding decides."""
    return np.round(x * 64) / 64 + 1 / 256


def test_ctc_loss(check):
    x, targets = normal(20, 4, 6), weft.tensor(rng.integers(1, 6, (4, 7)))
    x -= np.log(np.exp(x).sum(-1, keepdims=True))

    def loss(x):
        return weft._core._ctc_loss(x, targets.to(x.device), weft.tensor([20, 15, 14, 3]), lengths, 0, True)

    lengths = weft.tensor([7, 4, 0, 1])
    check(loss, x, terms=20000)


# Graphs and sequences.


@pytest.mark.parametrize("kind", ["sum", "mean", "max", "min", "softmax"])
@pytest.mark.parametrize("ascending", [False, True])
def test_segments(device, check, kind, ascending):
    ids = np.array([0, 0, 1, 3, 3, 3, 3]) if ascending else np.array([3, 0, 1, 3, 3, 0, 3])
    reduce = getattr(weft, f"segment_{kind}")

    def run(x):
        return reduce(x, weft.tensor(ids).to(x.device), 5, sorted=ascending)[:2]

    check(run, normal(7, 3, 11), dtypes=(*FLOATS, *HALVES))
    x = weft.arange(14).reshape(7, 2)
    if kind in ("sum", "max", "min"):
        assert (
            reduce(x.to(device), weft.tensor(ids).to(device), 5).cpu().tolist()
            == reduce(x, weft.tensor(ids), 5).tolist()
        )


def test_csr_matmul(check):
    crow, col = np.array([0, 2, 2, 5]), np.array([0, 3, 1, 2, 3])

    def run(values, dense):
        return weft.csr_matmul(weft.tensor(crow).to(dense.device), weft.tensor(col).to(dense.device), values, dense)

    check(run, normal(5), normal(4, 37), dtypes=(*FLOATS, *HALVES))


@pytest.mark.parametrize("shape", [(3, 20, 5), (9, 20, 1), (2, 2100, 3)])
@pytest.mark.parametrize("reverse", [False, True])
def test_linear_scan(check, shape, reverse):
    first = normal(shape[0], shape[2])
    check(lambda a, b, h: weft.linear_scan(a, b, 1, h, reverse), normal(*shape) * 0.5, normal(*shape), first, terms=100)


@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, np.inf])
@pytest.mark.parametrize("n", [1, 5, 33, 70])
def test_distances(check, p, n):
    mode = "donot_use_mm_for_euclid_dist"
    check(lambda x, y: weft.cdist(x, y, p, mode), normal(2, 5, n), normal(2, 4, n))
    # By a product, in which close points cancel.
    check(lambda x, y: weft.cdist(x, y), normal(30, n), normal(30, n), dtypes=("float64",), terms=10**6)
