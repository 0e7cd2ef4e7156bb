import numpy as np
import pytest

import weft
from oracle import same_bits
from weft.testing import assert_close, gradcheck

random = np.random.default_rng(0)
IDS = {
    "unsorted": np.array([2, 0, 2, 5, 0, 2, 1]),
    "sorted": np.array([0, 0, 1, 2, 2, 2, 5]),
    "one segment": np.zeros(7, np.int64),
    "int32": np.array([1, 0, 1, 0, 3, 3, 3], np.int32),
}
EMPTY = {"sum": 0.0, "mean": 0.0, "max": -np.inf, "min": np.inf}


def reference(kind, x, ids, count):
    y = np.full((count, *x.shape[1:]), EMPTY[kind])
    for s in set(ids.tolist()):
        y[s] = getattr(np, kind)(x[ids == s].astype(np.float64), 0)
    return y


def softmax(x, ids):
    y = np.zeros(x.shape)
    for s in set(ids.tolist()):
        e = np.exp(x[ids == s] - x[ids == s].max(0))
        y[ids == s] = e / e.sum(0)
    return y


@pytest.mark.parametrize("kind", EMPTY)
@pytest.mark.parametrize("which", IDS)
@pytest.mark.parametrize("width", [(), (1,), (3, 5), (16,), (67,), (128,)])
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
def test_reductions(kind, which, width, dtype, isa):
    ids = IDS[which]
    x = weft.tensor(random.standard_normal((7, *width))).to(getattr(weft, dtype))
    y = getattr(weft, f"segment_{kind}")(x, weft.tensor(ids), 7)
    assert y.dtype == x.dtype
    assert_close(y, reference(kind, x.double().numpy(), ids, 7), terms=7, check_dtype=False)
    if which == "sorted":
        again = getattr(weft, f"segment_{kind}")(x, weft.tensor(ids), 7, sorted=True)
        assert again.float().numpy().tobytes() == y.float().numpy().tobytes()


@pytest.mark.parametrize("kind", ["sum", "max", "min"])
def test_integers(kind):
    x = random.integers(-100, 100, (7, 19))
    for dtype in (weft.int64, weft.int32, weft.int8):
        y = getattr(weft, f"segment_{kind}")(weft.tensor(x).to(dtype), weft.tensor(IDS["one segment"]), 1)
        assert y.dtype == dtype
        want = getattr(np, kind)(x, 0, keepdims=True).astype(str(dtype)[5:])
        np.testing.assert_array_equal(y.numpy(), want)


@pytest.mark.parametrize("which", IDS)
@pytest.mark.parametrize("width", [(), (3,), (2, 20)])
def test_softmax(which, width):
    x = random.standard_normal((7, *width)) * 5
    y = weft.segment_softmax(weft.tensor(x), weft.tensor(IDS[which]))
    assert_close(y, softmax(x, IDS[which]), rtol=1e-12)
    assert weft.isfinite(weft.segment_softmax(weft.tensor(x * 1e4).float(), weft.tensor(IDS[which]))).all()


@pytest.mark.parametrize("name", ["segment_sum", "segment_mean", "segment_max", "segment_min", "segment_softmax"])
def test_gradients_of_both_orders(name):
    ids = weft.tensor([1, 0, 1, 2, 0, 2, 1])
    x = random.standard_normal((7, 2))
    gradcheck(lambda x: getattr(weft, name)(x, ids, 3), x, atol=1e-6)
    assert weft.autograd.gradgradcheck(lambda x: getattr(weft, name)(x, ids, 3), weft.tensor(x, requires_grad=True))


def test_equal_extremes_share_the_gradient():
    x = weft.tensor([1.0, 3.0, 3.0, 2.0], requires_grad=True)
    weft.segment_max(x, weft.tensor([0, 0, 0, 1]), 2).sum().backward()
    assert x.grad.tolist() == [0, 0.5, 0.5, 1]


def test_same_bits_and_long_segments():
    x = weft.tensor(random.standard_normal((40_000, 17)).astype(np.float32))
    ids = weft.tensor(np.minimum(random.geometric(0.01, 40_000), 500))
    for name in ("segment_sum", "segment_mean", "segment_max", "segment_softmax"):
        same_bits(lambda name=name: getattr(weft, name)(x, ids, 501))
    want = np.zeros((501, 17))
    np.add.at(want, ids.numpy(), x.numpy().astype(np.float64))
    assert_close(weft.segment_sum(x, ids, 501), want, terms=4000, check_dtype=False)


def test_defaults_empty_and_nan():
    x = weft.tensor([1.0, float("nan"), 2.0])
    assert weft.segment_sum(x, weft.tensor([0, 4, 0])).shape == (5,)
    assert weft.isnan(weft.segment_max(x, weft.tensor([0, 1, 1]), 2)).tolist() == [False, True]
    none = weft.zeros(0, dtype=weft.int64)
    assert weft.segment_sum(weft.zeros(0, 3), none).shape == (0, 3)
    assert weft.segment_sum(weft.zeros(0, 3), none, 2).tolist() == [[0, 0, 0]] * 2
    assert weft.segment_sum(weft.zeros(2, 0), weft.tensor([0, 0]), 2).shape == (2, 0)
    view = weft.randn(4, 6)[:, ::2]
    ids = weft.tensor([1, 0, 1, 1])
    assert_close(weft.segment_sum(view, ids), weft.segment_sum(view.contiguous(), ids))


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: weft.segment_sum(x, weft.tensor([0, 1, 3, 0]), 3), IndexError, "id 3 at position 2"),
        (lambda x: weft.segment_sum(x, weft.tensor([0, -1, 1, 0]), 3), IndexError, "id -1 at position 1"),
        (lambda x: weft.segment_sum(x, weft.tensor([0, 2, 1, 0]), 3, sorted=True), ValueError, "ascending"),
        (lambda x: weft.segment_sum(x, weft.tensor([0, 1]), 3), ValueError, "segment_ids"),
        (lambda x: weft.segment_sum(x, weft.zeros(4), 3), TypeError, "int64"),
        (lambda x: weft.segment_mean(x.long(), weft.tensor([0, 1, 0, 0])), TypeError, "floating"),
        (lambda x: weft.segment_sum(x, weft.tensor([0, 1, 0, 0]), -1), ValueError, "num_segments"),
    ],
)
def test_wrong_input(call, error, words):
    with pytest.raises(error, match=words):
        call(weft.zeros(4, 3))
