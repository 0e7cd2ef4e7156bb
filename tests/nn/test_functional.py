import numpy as np
import pytest

import weft
from weft.nn import functional as F

torch = pytest.importorskip("torch")
T = torch.nn.functional if torch else None


def normal(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    "pad, mode, value",
    [
        ((1, 2), "constant", None),
        ((1, 2, 3, 0), "constant", 1.5),
        ((-1, 2, 0, -2), "constant", None),
        ((2, 3), "reflect", None),
        ((1, 2, 3, 1), "replicate", None),
        ((5, 1, 2, 4), "circular", None),
        ((0, 0, 0, 0), "constant", None),
    ],
)
def test_pad(pad, mode, value):
    x = normal(2, 3, 4, 5)[0] if mode == "reflect" else normal(2, 3, 4, 5)
    a, b = weft.tensor(x).requires_grad_(), torch.tensor(x).requires_grad_()
    y, z = F.pad(a, pad, mode, value), T.pad(b, pad, mode, value)
    assert y.tolist() == z.tolist()
    (y * y).sum().backward()
    (z * z).sum().backward()
    np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-6)


def test_pad_errors():
    x = weft.zeros(2, 3)
    for pad in ((1,), (1, 1, 1, 1, 1, 1), (-2, -2)):
        with pytest.raises(ValueError, match=r"\[pad\]"):
            F.pad(x, pad)
    with pytest.raises(ValueError, match=r"\[pad\]"):
        F.pad(x, (3, 0), "reflect")
    with pytest.raises(ValueError, match="mode"):
        F.pad(x, (1, 1), "mirror")


@pytest.mark.parametrize("p", [1, 2, 3, float("inf")])
def test_normalize(p):
    x = normal(3, 4)
    np.testing.assert_allclose(
        F.normalize(weft.tensor(x), p, -1).numpy(), T.normalize(torch.tensor(x), p, -1).numpy(), rtol=1e-5
    )


def test_cosine_similarity():
    a, b = normal(3, 4), normal(4, 4)[:3]
    ours = F.cosine_similarity(weft.tensor(a), weft.tensor(b))
    np.testing.assert_allclose(ours.numpy(), T.cosine_similarity(torch.tensor(a), torch.tensor(b)).numpy(), rtol=1e-5)


def test_one_hot():
    x = weft.tensor([[0, 2], [1, 1]])
    assert F.one_hot(x).tolist() == T.one_hot(torch.tensor([[0, 2], [1, 1]])).tolist()
    assert F.one_hot(x, 5).shape == (2, 2, 5)
    for bad in (weft.tensor([3]), weft.tensor([-1])):
        with pytest.raises((ValueError, IndexError, RuntimeError), match=r"\[one_hot\]"):
            F.one_hot(bad, 3)
    with pytest.raises((TypeError, ValueError, RuntimeError), match=r"\[one_hot\]"):
        F.one_hot(weft.zeros(2))


def test_softmax_needs_a_dimension():
    for f in (F.softmax, F.log_softmax, F.softmin):
        with pytest.raises(ValueError, match="dim"):
            f(weft.zeros(2))
    assert F.softmax(weft.zeros(2), 0, dtype=weft.float64).dtype == weft.float64


def test_bad_arguments():
    with pytest.raises(ValueError, match="weights"):
        F.prelu(weft.zeros(2, 3), weft.zeros(2))
    with pytest.raises(ValueError, match="even"):
        F.glu(weft.zeros(2, 3))


def test_everything_exported_exists_and_is_documented():
    functions = {name: f for name, f in vars(F).items() if callable(f)}
    assert {"conv3d", "relu", "pad"} <= functions.keys()
    for name, f in functions.items():
        assert f.__doc__, name
