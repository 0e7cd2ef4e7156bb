import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check, same_bits, to_torch, to_weft, torch
from weft.testing import assert_close, gradcheck

TF = torch.nn.functional if torch else None


def randn(*shape, seed=0):
    return np.random.default_rng(seed + 100).standard_normal(shape)


def both(make, *arrays, **options):
    check(lambda *t: make(F, *t), lambda *t: make(TF, *t), *arrays, **options)


@pytest.mark.parametrize(
    "rows,cols", ((1, 1), (3, 2), (2, 15), (5, 16), (5, 17), (4, 63), (4, 65), (300, 33), (3, 1000))
)
def test_rows(isa, rows, cols):
    x, w, b = randn(rows, cols), randn(cols, seed=1), randn(cols, seed=2)
    atol = 1e-4 if cols < 3 else None  # y hardly depends on x
    both(lambda f, x, w, b: f.layer_norm(x, (cols,), w, b), x, w, b, dtypes=("float32", "float64"), atol=atol)
    both(lambda f, x: f.layer_norm(x, (cols,)), x, atol=atol)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes(isa, dtype):
    x, w, b = randn(9, 40), randn(40, seed=1), randn(40, seed=2)
    both(lambda f, x, w, b: f.layer_norm(x, (40,), w, b), x, w, b, dtypes=(dtype,), terms=64)


def test_forms():
    x, w, b = randn(4, 6, 5), randn(6, 5, seed=1), randn(6, 5, seed=2)
    both(lambda f, x, w, b: f.layer_norm(x, (6, 5), w, b, eps=1e-3), x, w, b)
    both(lambda f, x, w: f.layer_norm(x, [6, 5], w), x, w)
    both(lambda f, x, b: f.layer_norm(x, [6, 5], bias=b), x, b)
    both(lambda f, x, w: f.layer_norm(x.transpose(1, 2), [5, 6], w.t()), x, w)
    both(lambda f, x: f.layer_norm(x, (4, 6, 5)), x)
    both(lambda f, x: f.layer_norm(x, (5,)), randn(0, 5))


def test_only_some_gradients():
    x, w, b = (weft.tensor(v) for v in (randn(4, 6), randn(6, seed=1), randn(6, seed=2)))
    w.requires_grad = True
    F.layer_norm(x, (6,), w, b).sum().backward()
    assert x.grad is None and b.grad is None and w.grad.shape == (6,)


def test_large_mean(isa):
    x = (1e4 + randn(2, 512)).astype(np.float32)
    y = F.layer_norm(weft.tensor(x), (512,)).numpy()
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    assert np.abs(y - exact).max() < 2e-3
    assert_close(F.layer_norm(weft.zeros(2, 3), (3,)), np.zeros((2, 3), np.float32))


@pytest.mark.parametrize("shape", ((1000, 37), (130, 700)))
def test_same_bits(isa, shape):
    x, dy = weft.tensor(randn(*shape).astype(np.float32)), weft.tensor(randn(*shape, seed=1).astype(np.float32))

    def run():
        v, w, b = x.detach(), weft.ones(shape[1]), weft.zeros(shape[1])
        for t in (v, w, b):
            t.requires_grad = True
        y = F.layer_norm(v, shape[1:], w, b)
        y.backward(dy)
        return y.detach(), v.grad, w.grad, b.grad

    same_bits(run)


def test_larger_than_the_caches(isa):
    """Bits are those of the halves, which the caches hold."""
    w, b = weft.randn(1027, requires_grad=True), weft.randn(1027, requires_grad=True)
    x, dy = weft.randn(4100, 1027, requires_grad=True), weft.randn(4100, 1027)
    y = F.layer_norm(x, (1027,), w, b)
    y.backward(dy)
    for half in (slice(0, 2050), slice(2050, 4100)):
        part = x[half].detach().requires_grad_()
        again = F.layer_norm(part, (1027,), w, b)
        again.backward(dy[half])
        assert weft.equal(again, y[half]) and weft.equal(part.grad, x.grad[half])


def test_second_derivative():
    x, w, b, v = randn(3, 4), randn(4, seed=1), randn(4, seed=2), weft.tensor(randn(3, 4, seed=3))

    def slopes(x, w, b):
        for t in (x, w, b):
            t.requires_grad = True
        y = F.layer_norm(x, (4,), w, b)
        return tuple(weft.autograd.grad((y * y * v).sum(), (x, w, b), create_graph=True))

    gradcheck(slopes, x, w, b, rtol=1e-5, atol=1e-6)


def test_bad_input():
    x = weft.ones(2, 3)
    with pytest.raises(RuntimeError, match=r"\[layer_norm\].*\[4\].*\[2, 3\]"):
        F.layer_norm(x, (4,))
    with pytest.raises(RuntimeError, match="weight"):
        F.layer_norm(x, (3,), weft.ones(2))
    with pytest.raises(RuntimeError):
        F.layer_norm(x, ())
    with pytest.raises(RuntimeError, match="int64"):
        F.layer_norm(weft.arange(3), (3,))


@pytest.mark.parametrize("rows,cols", ((1, 2), (3, 2), (5, 17), (4, 63), (300, 33), (3, 1000)))
def test_rms_norm(isa, rows, cols):
    x, w = randn(rows, cols), randn(cols, seed=1)
    both(lambda f, x, w: f.rms_norm(x, (cols,), w, 1e-3), x, w)
    both(lambda f, x: f.rms_norm(x, (cols,), eps=1e-3), x)


@pytest.mark.parametrize("dtype", FLOATS)
def test_rms_norm_dtypes(dtype):
    x, w = randn(9, 6, 40), randn(6, 40, seed=1)
    both(lambda f, x, w: f.rms_norm(x, [6, 40], w), x, w, dtypes=(dtype,), terms=64)
    if torch is None:
        return
    tiny = np.full((1, 4), 1e-3, np.float32)  # where the default eps shows
    ours, theirs = F.rms_norm(to_weft(tiny, dtype), (4,)), TF.rms_norm(to_torch(tiny, dtype), (4,))
    assert np.allclose(ours.float().numpy(), theirs.float().numpy(), rtol=1e-2)


def test_rms_norm_second_derivatives_and_no_rows():
    def first(x, w):
        x, w = (t if t.requires_grad else t.requires_grad_() for t in (x, w))
        y = F.rms_norm(x, (5,), w, 1e-2)
        return weft.autograd.grad((y * y * y).sum(), (x, w), create_graph=True)

    gradcheck(first, randn(3, 5), randn(5, seed=1))
    for norm in (F.rms_norm, F.layer_norm):
        w = weft.ones(3, requires_grad=True)
        norm(weft.zeros(0, 3), (3,), w).sum().backward()
        assert not w.grad.numpy().any()
