import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check, same_bits, to_weft, torch
from weft import _core
from weft.testing import assert_close, gradcheck

TF = torch.nn.functional if torch else None
SHAPES = (
    (2, 1),
    (5, 3),
    (7, 16),
    (130, 17),
    (3, 5, 4),
    (2, 3, 1),
    (4, 3, 5, 7),
    (2, 17, 8, 8),
    (40, 2, 3, 3),
    (3, 64, 20, 20),
)


def randn(*shape, seed=0):
    return np.random.default_rng(seed + 100).standard_normal(shape)


def both(make, *arrays, **options):
    check(lambda *t: make(F, *t), lambda *t: make(TF, *t), *arrays, **options)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", (True, False))
def test_shapes(isa, shape, training):
    c = shape[1]
    x, w, b = randn(*shape) + 3, randn(c, seed=1), randn(c, seed=2)
    mean, var = randn(c, seed=3), np.abs(randn(c, seed=4)) + 0.5

    def run(f, x, w, b):
        m = (weft if f is F else torch).tensor
        stats = [m(s).to(x.dtype) for s in (mean, var)]
        y = f.batch_norm(x, *stats, w, b, training, 0.3, 1e-3)
        return (y, *stats)

    atol = 1e-4 if x.size == 2 * c else None  # y hardly depends on x
    both(run, x, w, b, atol=atol, dtypes=FLOATS if len(shape) == 4 and c == 3 else ("float32", "float64"))


@pytest.mark.parametrize("c", (1, 7, 8, 15, 16, 17, 33, 48))
def test_rows_of_a_few_vectors(isa, c):
    """Several channels share a vector."""
    for length in (2, 3, 15, 17, 31, 49, 100, 127):
        x, r = (weft.tensor(randn(3, c, length, seed=s)).float() for s in (0, 5))
        mean, w, b = (weft.tensor(randn(c, seed=s)).float() for s in (1, 2, 3))
        var = weft.tensor(np.abs(randn(c, seed=4)) + 0.5).float()

        def column(t):
            return t.numpy().astype(np.float64)[:, None]

        for dtype, rounding in ((weft.float32, 2**-22), (weft.bfloat16, 2**-8)):
            close = {"rtol": rounding, "atol": 4 * rounding, "check_dtype": False}
            v, residual = x.to(dtype), r.to(dtype)
            want = (v.float().numpy() - column(mean)) / np.sqrt(column(var) + 1e-5)
            assert_close(F.batch_norm(v, mean, var), want, **close)
            want = want * column(w) + column(b)
            assert_close(F.batch_norm(v, mean, var, w, b), want, **close)
            y = _core._batch_norm_relu(v, mean, var, w, b, residual=residual)
            assert_close(y, np.maximum(want + residual.float().numpy(), 0), **close)


def test_forms():
    x = randn(6, 3, 4)
    both(lambda f, x: f.batch_norm(x, None, None, training=True), x)
    both(lambda f, x, w: f.batch_norm(x, None, None, weight=w, training=True, eps=0.1), x, randn(3))
    both(lambda f, x, b: f.batch_norm(x.transpose(0, 2), None, None, bias=b, training=True), randn(4, 3, 6), randn(3))
    empty = F.batch_norm(weft.zeros(0, 3), weft.zeros(3), weft.ones(3), training=True)
    assert empty.shape == (0, 3)


@pytest.mark.parametrize("training", (True, False))
def test_channels_last(isa, training):
    x, w, b = randn(3, 5, 6, 17), randn(17, seed=1), randn(17, seed=2)
    stats = randn(17, seed=3), np.abs(randn(17, seed=4))

    def run(f, x, w, b):
        m = (weft if f is F else torch).tensor
        return f.batch_norm(x.permute(0, 3, 1, 2), *(m(s).to(x.dtype) for s in stats), w, b, training)

    both(run, x, w, b)
    y = run(F, *(weft.tensor(v) for v in (x, w, b)))
    assert y.stride() == (5 * 6 * 17, 1, 6 * 17, 17)


@pytest.mark.parametrize("dtype", ("float16", "bfloat16"))
def test_half_input_with_float_parameters(dtype):
    x = to_weft(randn(4, 3, 5), dtype)
    mean, var = weft.zeros(3), weft.ones(3)
    y = F.batch_norm(x, mean, var, weft.ones(3), weft.zeros(3), training=True, momentum=1.0)
    assert y.dtype is x.dtype
    exact = x.float().numpy().astype(np.float64)
    assert_close(mean, exact.mean((0, 2)), check_dtype=False, terms=20)
    assert_close(var, exact.var((0, 2), ddof=1), check_dtype=False, terms=20)


def test_running_statistics_change_in_place():
    mean, var = weft.zeros(3), weft.ones(3)
    view = mean[:]
    before = mean._version if hasattr(mean, "_version") else None
    F.batch_norm(weft.tensor(randn(8, 3)).float(), mean, var, training=True)
    assert (view.numpy() != 0).all()
    if before is not None:
        assert mean._version > before
    frozen = mean.numpy().copy()
    F.batch_norm(weft.tensor(randn(8, 3)).float(), mean, var, training=False)
    assert (mean.numpy() == frozen).all()


def test_large_mean(isa):
    for shape in ((1000, 4), (10, 4, 20, 20)):
        x = (1e4 + randn(*shape)).astype(np.float32)
        axes = (0,) if x.ndim == 2 else (0, 2, 3)
        exact = x.astype(np.float64)
        exact = (exact - exact.mean(axes, keepdims=True)) / np.sqrt(exact.var(axes, keepdims=True) + 1e-5)
        y = F.batch_norm(weft.tensor(x), None, None, training=True).numpy()
        assert np.abs(y - exact).max() < 2e-3


@pytest.mark.parametrize("shape", ((5000, 40), (64, 10, 13, 13), (70, 37, 7, 7)), ids=str)
def test_same_bits(isa, shape):
    x, dy = weft.tensor(randn(*shape)).float(), weft.tensor(randn(*shape, seed=1)).float()

    def run():
        v, w, b = x.detach(), weft.ones(shape[1]), weft.zeros(shape[1])
        mean, var = weft.zeros(shape[1]), weft.ones(shape[1])
        for t in (v, w, b):
            t.requires_grad = True
        y = F.batch_norm(v, mean, var, w, b, training=True)
        y.backward(dy)
        return y.detach(), mean, var, v.grad, w.grad, b.grad

    same_bits(run)


@pytest.mark.parametrize("columns", [False, True])
@pytest.mark.parametrize("shape", [(8, 331, 21, 80), (8, 5600, 7, 15)], ids=str)
def test_larger_than_the_caches(isa, shape, columns):
    """Bits are those of the halves, which the caches hold."""
    order = (0, 3, 1, 2) if columns else (0, 1, 2, 3)
    x, dy = (weft.randn(*shape).permute(order) for _ in range(2))
    c = x.shape[1]
    mean, var, w, b = weft.randn(c), weft.rand(c) + 0.5, weft.randn(c), weft.randn(c)

    def run(x, dy):
        x = x.detach().requires_grad_()
        y = F.batch_norm(x, mean, var, w, b)
        y.backward(dy)
        return y.detach(), x.grad

    whole = run(x, dy)
    for half in (slice(0, 4), slice(4, 8)):
        for part, of in zip(run(x[half], dy[half]), whole, strict=True):
            assert weft.equal(part, of[half])


@pytest.mark.parametrize("training", (True, False))
def test_second_derivative(training):
    x, w, b, v = randn(4, 2, 3), randn(2, seed=1), randn(2, seed=2), weft.tensor(randn(4, 2, 3, seed=3))

    def slopes(x, w, b):
        for t in (x, w, b):
            t.requires_grad = True
        stats = weft.zeros(2, dtype=weft.float64), weft.ones(2, dtype=weft.float64)
        y = F.batch_norm(x, *stats, w, b, training)
        return tuple(weft.autograd.grad((y * y * v).sum(), (x, w, b), create_graph=True))

    gradcheck(slopes, x, w, b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("training", (True, False))
@pytest.mark.parametrize("added", (True, False))
def test_relu_and_residual_in_one_pass(isa, shape, training, added):
    c = shape[1]
    x, r, w, b = randn(*shape), randn(*shape, seed=5), randn(c, seed=1), randn(c, seed=2)
    stats = randn(c, seed=3), np.abs(randn(c, seed=4)) + 0.5

    def run(f, x, r, w, b):
        m = weft if f is F else torch
        mean, var = (m.tensor(s).to(x.dtype) for s in stats)
        if f is F:
            y = weft._core._batch_norm_relu(x, mean, var, w, b, training, 0.3, 1e-2, r if added else None)
        else:
            y = torch.relu(f.batch_norm(x, mean, var, w, b, training, 0.3, 1e-2) + (r if added else 0 * r))
        return (y if added else y + 0 * r, mean, var)

    both(run, x, r, w, b, atol=1e-4 if x.size == 2 * c else None, dtypes=("float32", "float64"))


@pytest.mark.parametrize("added", (True, False))
def test_relu_in_channels_last_memory(isa, added):
    x, r, w, b = (
        weft.tensor(a).float() for a in (randn(3, 5, 6, 17), randn(3, 5, 6, 17, seed=3), randn(17), randn(17))
    )

    def run(fused):
        v, s, u, z = (t.detach() for t in (x, r, w, b))
        for t in (v, s, u, z):
            t.requires_grad = True
        image, other = v.permute(0, 3, 1, 2), s.permute(0, 3, 1, 2) if added else None
        if fused:
            y = weft._core._batch_norm_relu(image, None, None, u, z, True, residual=other)
            assert y.stride() == image.stride()
        else:
            y = F.batch_norm(image, None, None, u, z, True)
            y = weft.relu(y + other if added else y)
        (y * y).sum().backward()
        return [y.detach(), v.grad, u.grad, z.grad, *([s.grad] if added else [])]

    for one, two in zip(run(True), run(False), strict=True):
        assert_close(one, two, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("added", (True, False))
def test_relu_second_derivative(added):
    x, r, w, b = randn(4, 2, 3), randn(4, 2, 3, seed=4), randn(2, seed=1), randn(2, seed=2)

    def slopes(x, r, w, b):
        for t in (x, r, w, b):
            t.requires_grad = True
        y = weft._core._batch_norm_relu(x, None, None, w, b, True, residual=r if added else None) + 0 * r
        return tuple(weft.autograd.grad((y * y * y).sum(), (x, r, w, b), create_graph=True))

    gradcheck(slopes, x, r, w, b, rtol=1e-5, atol=1e-6)


def test_sequential_fuses_what_it_may():
    x = weft.tensor(randn(4, 3, 5, 5)).float()

    def names(model):
        with weft.no_grad():
            model(x)
        y = model(x.detach().requires_grad_())
        return y.grad_fn.name()

    def model():
        return weft.nn.Sequential(weft.nn.BatchNorm2d(3), weft.nn.ReLU(inplace=True))

    assert "batch_norm" in names(model()).lower()
    plain, fused = model(), model()
    plain[1].register_forward_hook(lambda *_: None)
    assert "relu" in names(plain).lower()
    names(fused)
    assert_close(plain(x), fused(x))
    assert_close(plain[0].running_var, fused[0].running_var)
    assert int(fused[0].num_batches_tracked) == int(plain[0].num_batches_tracked)
    with pytest.raises(ValueError, match=r"module 0\)"):
        fused(weft.ones(2, 3))


def test_bad_input():
    x, mean, var = weft.ones(2, 3), weft.zeros(3), weft.ones(3)
    with pytest.raises(ValueError, match="more than one value per channel"):
        F.batch_norm(weft.ones(1, 3), mean, var, training=True)
    with pytest.raises(RuntimeError, match="running_mean"):
        F.batch_norm(x, None, None)
    with pytest.raises(RuntimeError, match=r"\[3\].*got \[2\]"):
        F.batch_norm(x, weft.zeros(2), weft.zeros(2))
    with pytest.raises(ValueError, match=r"\[N, C"):
        F.batch_norm(weft.ones(3), mean, var)
    with pytest.raises(RuntimeError, match="int64"):
        F.batch_norm(weft.arange(6).reshape(2, 3), mean, var)
