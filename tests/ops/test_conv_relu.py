"""Convolution and ReLU in one pass: the same as one after the other, along every way that a kernel has."""

import numpy as np
import pytest

import weft
from oracle import check as check_both
from oracle import same_bits, torch
from weft import _core as F

rng = np.random.default_rng(0)


def randn(*shape):
    return rng.standard_normal(shape)


# The shape of the input, outputs, kernel, options.
LAYERS = [
    ((2, 3, 9, 8), 5, (3, 3), {"padding": 1}),
    ((1, 1, 7, 9), 2, (3, 3), {}),
    ((2, 3, 20, 20), 33, (7, 7), {"stride": 2, "padding": 3}),
    ((1, 24, 6, 6), 40, (3, 3), {"padding": 1, "stride": 2}),
    ((1, 48, 14, 15), 80, (3, 3), {"padding": 1}),
    ((1, 600, 3, 3), 20, (3, 3), {"padding": 1}),
    ((2, 64, 4, 4), 96, (1, 1), {}),
    ((2, 20, 5, 4), 17, (1, 1), {}),
    ((2, 40, 9, 8), 40, (3, 3), {"padding": 1, "groups": 40}),
    ((2, 40, 9, 8), 40, (3, 2), {"padding": 1, "groups": 40, "dilation": 2}),
    ((3, 6, 4, 4), 8, (4, 4), {}),
    ((2, 5, 9), 7, (3,), {"padding": 1}),
    ((2, 5, 4, 5, 6), 7, (3, 3, 3), {"padding": 1}),
]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("layer", LAYERS, ids=str)
def test_against_torch(isa, layer, last):
    shape, outputs, kernel, options = layer
    name = f"conv{len(kernel)}d"
    weight = randn(outputs, shape[1] // options.get("groups", 1), *kernel)
    formats = {4: weft.channels_last, 5: weft.channels_last_3d}

    def ours(x, w, b):
        if last and x.ndim in formats:
            x = x.to(memory_format=formats[x.ndim])
        return getattr(F, f"_{name}_relu")(x, w, b, **options)

    def theirs(x, w, b):
        return torch.relu(getattr(torch.nn.functional, name)(x, w, b, **options))

    check_both(ours, theirs, randn(*shape), weight, randn(outputs))


def test_half_precision():
    x, w = weft.randn(1, 8, 6, 6).half(), weft.randn(16, 8, 3, 3).half()
    np.testing.assert_array_equal(F._conv2d_relu(x, w).numpy(), F.conv2d(x, w).relu().numpy())


def test_nan_stays(isa):
    x = np.zeros((1, 16, 5, 5), np.float32)
    x[0, 0, 2, 2] = np.nan
    y = F._conv2d_relu(weft.tensor(x), weft.ones(16, 16, 3, 3)).numpy()
    assert np.isnan(y).all()


def test_empty_batch():
    x, w, b = weft.zeros(0, 3, 5, 5), weft.zeros(4, 3, 3, 3), -weft.ones(4)
    assert F._conv2d_relu(x, w, b).shape == (0, 4, 3, 3)
    assert not F._conv2d_relu(weft.zeros(1, 0, 5, 5), weft.zeros(4, 0, 3, 3), b).any()


def test_second_derivatives():
    x, w = weft.randn(1, 2, 4, 4, requires_grad=True), weft.randn(3, 2, 3, 3, requires_grad=True)
    grads = []
    for y in (F._conv2d_relu(x, w), F.conv2d(x, w).relu()):
        (first,) = weft.autograd.grad((y**3).sum(), [w], create_graph=True)
        grads.append(weft.autograd.grad((first**2).sum(), [x, w]))
    for one, other in zip(*grads, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-4, atol=1e-3)


def test_errors_name_the_convolution():
    with pytest.raises(RuntimeError, match=r"\[conv2d\] .* has 3 channels"):
        F._conv2d_relu(weft.zeros(1, 3, 5, 5), weft.zeros(4, 2, 3, 3))


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("shape", [(1, 64, 32, 32), (1, 128, 14, 14), (2, 40, 9, 30), (1, 256, 7, 7)])
def test_same_bits_on_any_number_of_threads(shape, last):
    x, w = weft.randn(*shape), weft.randn(shape[1], shape[1], 3, 3)
    if last:
        x = x.to(memory_format=weft.channels_last)
    same_bits(lambda: F._conv2d_relu(x, w, padding=1))
