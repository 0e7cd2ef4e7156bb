import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check, torch
from weft.testing import gradcheck

TF = torch.nn.functional if torch else None
REDUCTIONS = ("none", "mean", "sum")


def randn(*shape, seed=0):
    return np.random.default_rng(seed + 100).standard_normal(shape)


def uniform(*shape, seed=0):
    return np.random.default_rng(seed).random(shape)


def both(make, *arrays, **options):
    options = {"terms": 64, **options}
    check(lambda *t: make(F, *t), lambda *t: make(TF, *t), *arrays, **options)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("name", ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"))
def test_distances(name, reduction):
    x, y = randn(5, 6) * 2, randn(5, 6, seed=1)
    both(lambda f, x, y: getattr(f, name)(x, y, reduction=reduction), x, y)
    both(lambda f, x, y: getattr(f, name)(x, y, reduction=reduction), x, x.copy())  # all differences 0
    both(
        lambda f, x, y: getattr(f, name)(x, y, reduction=reduction),
        randn(3),
        randn(3, seed=1),
        dtypes=FLOATS[:2],
        rtol=0.05,
        atol=0.05,
    )


def test_parameters():
    x, y, w = randn(5, 6) * 2, randn(5, 6, seed=1), uniform(5, 6)
    both(lambda f, x, y: f.smooth_l1_loss(x, y, beta=0.3), x, y)
    both(lambda f, x, y: f.smooth_l1_loss(x, y, beta=0.0), x, y)
    both(lambda f, x, y: f.huber_loss(x, y, delta=0.3), x, y)
    both(lambda f, x, y, w: f.huber_loss(x, y, reduction="sum", weight=w), x, y, w, grad=[0, 1])
    loss = F.mse_loss(weft.tensor(x), weft.tensor(y[:1]), reduction="none")  # broadcasts
    assert loss.shape == (5, 6)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy(reduction):
    p, t, w = uniform(5, 6), uniform(5, 6, seed=1), uniform(6, seed=2)
    both(lambda f, p, t: f.binary_cross_entropy(p, t, reduction=reduction), p, t)
    both(lambda f, p, t, w: f.binary_cross_entropy(p, t, w, reduction=reduction), p, t, w, grad=[0])
    edges, targets = np.array([0.0, 0.0, 1.0, 1.0, 0.5]), np.array([0.0, 1.0, 0.0, 1.0, 0.5])
    both(
        lambda f, p, t: f.binary_cross_entropy(p, t, reduction=reduction),
        edges,
        targets,
        grad=[0],  # PyTorch's for the target is infinite
        dtypes=("float64",),
        rtol=1e-8,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_binary_cross_entropy_with_logits(reduction):
    x, t, w, p = randn(5, 6) * 4, uniform(5, 6, seed=1), uniform(5, 6, seed=2), uniform(6, seed=3) + 0.5
    x[0] = (0, 0, 1000, -1000, 50, -50)
    name = "binary_cross_entropy_with_logits"
    both(lambda f, x, t: getattr(f, name)(x, t, reduction=reduction), x, t)
    both(lambda f, x, t, w, p: getattr(f, name)(x, t, w, reduction=reduction, pos_weight=p), x, t, w, p, grad=[0])
    both(lambda f, x, t: getattr(f, name)(x, t, reduction=reduction), x, (t > 0.5).astype(float))


@pytest.mark.parametrize("reduction", (*REDUCTIONS, "batchmean"))
def test_kl_div(reduction):
    x, t = np.log(uniform(4, 5)), uniform(4, 5, seed=1)
    t[0, 0] = 0
    both(lambda f, x, t: f.kl_div(x, t, reduction=reduction), x, t, grad=[0])
    both(lambda f, x, t: f.kl_div(x, t, reduction=reduction, log_target=True), x, np.log(t + 0.1))


@pytest.mark.parametrize("name", ("mse_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy_with_logits"))
def test_second_derivative(name):
    x, t = randn(6) * 0.5, weft.tensor(uniform(6))

    def slope(x):
        x.requires_grad = True
        return weft.autograd.grad(getattr(F, name)(x, t), x, create_graph=True)[0]

    gradcheck(slope, x)


def test_bad_input():
    x, y = weft.ones(2, 3), weft.ones(2, 4)
    for name in ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div"):
        with pytest.raises((ValueError, RuntimeError), match=name):
            getattr(F, name)(x, y)
    for name in ("binary_cross_entropy", "binary_cross_entropy_with_logits"):
        with pytest.raises(ValueError, match=name):
            getattr(F, name)(x, weft.ones(2, 1))
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(x * 1.5, x)
    with pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(x * float("nan"), x)
    with pytest.raises(ValueError, match="reduction"):
        F.mse_loss(x, x, reduction="median")
    with pytest.raises(ValueError, match="delta"):
        F.huber_loss(x, x, delta=0.0)
    with pytest.raises(RuntimeError, match="floating"):
        F.mse_loss(weft.arange(3), weft.arange(3))
