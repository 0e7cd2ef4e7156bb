import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check, check_same, same_bits, to_weft, torch
from weft import _core
from weft.testing import assert_close, gradcheck, to_numpy

random = np.random.default_rng(0)


def randn(*shape):
    return random.standard_normal(shape)


@pytest.mark.parametrize("rows", [(), (1,), (2,), (3,), (7,), (8,), (9,), (33,), (2, 5), (2, 1, 4), (0,)])
@pytest.mark.parametrize("features, out", [(4, 16), (16, 3), (1, 1), (17, 33), (70, 10)])
def test_linear(isa, rows, features, out):
    x, w, b = randn(*rows, features), randn(out, features), randn(out)
    check_same(lambda m, x, w, b: m.nn.functional.linear(x, w, b), x, w, b, terms=100)
    check_same(lambda m, x, w: m.nn.functional.linear(x, w), x, w, terms=100)


@pytest.mark.parametrize("dtype", FLOATS)
def test_bias_after_several_blocks_of_the_sum(isa, dtype):
    x, w, b = randn(40, 1500), randn(50, 1500), randn(50)
    y = F.linear(to_weft(x, dtype), to_weft(w, dtype), to_weft(b, dtype))
    x, w, b = (to_numpy(to_weft(v, dtype)).astype(np.float64) for v in (x, w, b))
    assert_close(y, x @ w.T + b, terms=1500, check_dtype=False)


def test_weight_without_rows():
    check_same(lambda m, x, w: m.nn.functional.linear(x, w), randn(3, 5), randn(5))


def test_views():
    check_same(lambda m, x, w, b: m.nn.functional.linear(x.transpose(0, 1), w.t(), b[::2]),
               randn(6, 3, 5), randn(5, 8), randn(16))  # fmt: skip


ACTIVATIONS = {
    "relu": lambda m, x: m.nn.functional.relu(x),
    "gelu": lambda m, x: m.nn.functional.gelu(x),
    "gelu_tanh": lambda m, x: m.nn.functional.gelu(x, approximate="tanh"),
    "silu": lambda m, x: m.nn.functional.silu(x),
}


@pytest.mark.parametrize("act", ACTIVATIONS)
@pytest.mark.parametrize("rows, features, out", [(1, 20, 16), (5, 9, 30), (130, 700, 70)])
def test_fused_activation(isa, act, rows, features, out):
    x, w, b = randn(rows, features), randn(out, features) / np.sqrt(features), randn(out)
    check(
        lambda x, w, b: _core.linear_act(x, w, b, act),
        lambda x, w, b: ACTIVATIONS[act](torch, torch.nn.functional.linear(x, w, b)),
        x, w, b, terms=1000,
    )  # fmt: skip


def test_fused_activation_keeps_nan(isa):
    x = weft.tensor(np.array([[np.nan, 1.0], [1.0, 1.0]], dtype=np.float32))
    y = to_numpy(_core.linear_act(x, weft.ones(3, 2), None, "relu"))
    assert np.isnan(y[0]).all() and (y[1] == 2).all()


def test_fused_activation_of_integers():
    x, w = weft.tensor([[1, -2, 3]]), weft.tensor([[1, 2, 1], [1, 1, -1]])
    assert _core.linear_act(x, w, None, "relu").tolist() == [[0, 0]]
    assert _core.linear_act(x, -w, weft.tensor([1, 2]), "relu").tolist() == [[1, 6]]


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_second_derivatives(act):
    def of_gradient(x, w, b):
        x, w, b = (t if t.requires_grad else t.detach().requires_grad_() for t in (x, w, b))
        return weft.autograd.grad(_core.linear_act(x, w, b, act).square().sum(), (x, w, b), create_graph=True)

    gradcheck(of_gradient, randn(3, 4) + 0.1, randn(2, 4), randn(2))


def test_same_bits_for_any_number_of_threads():
    x, w, b = (to_weft(v, "float32") for v in (randn(128, 784), randn(512, 784), randn(512)))

    def step():
        leaves = [t.detach().requires_grad_() for t in (x, w, b)]
        y = F.linear(*leaves)
        y.square().sum().backward()
        return (y, *(t.grad for t in leaves))

    same_bits(step)


@pytest.mark.parametrize(
    "shapes, message",
    [
        (((4, 784), (10, 512)), r"\[linear\] input has 784 features in its last dimension, weight expects 512"),
        (((4, 5), (10, 5), (5,)), r"\[linear\].*bias of shape \[10\], got \[5\]"),
        (((4, 5), (2, 10, 5)), r"\[linear\].*\[out, in\], got \[2, 10, 5\]"),
        (((), (10, 5)), r"\[linear\].*at least one dimension"),
    ],
)
def test_bad_shapes(shapes, message):
    tensors = [weft.ones(*s) if s else weft.tensor(1.0) for s in shapes]
    with pytest.raises(RuntimeError, match=message):
        F.linear(*tensors)


def test_bad_dtypes():
    with pytest.raises(RuntimeError, match="one dtype"):
        F.linear(weft.ones(2, 3), weft.ones(4, 3).double())
    with pytest.raises(RuntimeError, match="one dtype"):
        F.linear(weft.ones(2, 3), weft.ones(4, 3), weft.ones(4).double())
