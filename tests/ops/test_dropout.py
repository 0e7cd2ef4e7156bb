import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import same_bits
from weft.testing import assert_close, to_numpy


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("n", [1, 15, 16, 17, 31, 33, 100_003])
def test_keeps_the_right_share_and_scales(isa, dtype, n):
    weft.manual_seed(1)
    x = weft.full((n,), 3.0, dtype=getattr(weft, dtype))
    y = to_numpy(F.dropout(x, 0.25)).astype(np.float64)
    kept = y != 0
    assert_close(y[kept], np.full(kept.sum(), 4.0))
    if n > 1000:
        assert abs(kept.mean() - 0.75) < 0.01


def test_backward_uses_the_same_mask(isa):
    weft.manual_seed(2)
    x = weft.randn(1000, requires_grad=True)
    y = F.dropout(x, 0.4)
    y.backward(weft.ones(1000))
    kept = to_numpy(y) != 0
    assert_close(x.grad, kept * np.float32(1 / 0.6))
    # Linear: the second derivative reaches dy through the same mask.
    dy = weft.ones(1000, requires_grad=True)
    (dx,) = weft.autograd.grad(F.dropout(x, 0.4), x, dy, create_graph=True)
    dx.sum().backward()
    assert_close(dy.grad, dx)


def test_in_place():
    x = weft.ones(1000)
    y = F.dropout(x, 0.5, inplace=True)
    assert y is x and set(np.unique(to_numpy(x))) == {0.0, 2.0}
    t = weft.ones(20, 30)
    F.dropout(t.t(), 0.5, inplace=True)
    assert set(np.unique(to_numpy(t))) == {0.0, 2.0}
    a = weft.ones(100, requires_grad=True)
    b = a * 3
    F.dropout(b, 0.5, inplace=True).sum().backward()
    assert_close(a.grad, to_numpy(b))
    with pytest.raises(RuntimeError, match="leaf"):
        F.dropout(a, 0.5, inplace=True)


def test_off_in_evaluation_and_for_zero():
    x = weft.ones(10)
    assert F.dropout(x, 0.5, training=False) is x
    assert F.dropout(x, 0.0) is x


def test_everything_dropped():
    x = weft.ones(10, requires_grad=True)
    y = F.dropout(x, 1.0)
    y.sum().backward()
    assert_close(y, np.zeros(10, np.float32))
    assert_close(x.grad, np.zeros(10, np.float32))


def test_masks_differ_from_call_to_call_and_repeat_with_the_seed():
    x = weft.ones(1000)
    weft.manual_seed(3)
    a, b = to_numpy(F.dropout(x)), to_numpy(F.dropout(x))
    weft.manual_seed(3)
    c = to_numpy(F.dropout(x))
    assert (a != b).any() and (a == c).all()


def test_same_bits_for_any_number_of_threads():
    def run():
        weft.manual_seed(4)
        return F.dropout(weft.ones(300_001), 0.1)

    same_bits(run)


def test_non_contiguous():
    weft.manual_seed(5)
    a = F.dropout(weft.ones(30, 20).t(), 0.5)
    weft.manual_seed(5)
    assert_close(a, F.dropout(weft.ones(20, 30), 0.5))


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_bad_probability(p):
    with pytest.raises(ValueError, match="probability between 0 and 1"):
        F.dropout(weft.ones(3), p)


def test_integers_are_refused():
    with pytest.raises(RuntimeError, match="floating"):
        F.dropout(weft.ones(3, dtype=weft.int64))
