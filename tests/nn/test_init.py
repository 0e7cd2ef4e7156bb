import math

import numpy as np
import pytest

import weft
from weft import nn
from weft.nn import init


def seeded(f, *shape):
    weft.manual_seed(0)
    t = f(weft.empty(*shape))
    return t.numpy()


@pytest.mark.parametrize(
    "f, bound",
    [
        (init.xavier_uniform_, math.sqrt(6 / 700)),
        (lambda t: init.kaiming_uniform_(t, nonlinearity="relu"), math.sqrt(6 / 400)),
        (lambda t: init.kaiming_uniform_(t, a=math.sqrt(5)), math.sqrt(1 / 400)),
        (lambda t: init.kaiming_uniform_(t, mode="fan_out"), math.sqrt(6 / 300)),
        (lambda t: init.uniform_(t, -2, 2), 2),
    ],
)
def test_uniform(f, bound):
    x = seeded(f, 300, 400)
    assert np.abs(x).max() <= bound and x.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert abs(x.mean()) < 0.01 * bound


@pytest.mark.parametrize(
    "f, std",
    [
        (init.xavier_normal_, math.sqrt(2 / 700)),
        (lambda t: init.kaiming_normal_(t, nonlinearity="relu"), math.sqrt(2 / 400)),
        (lambda t: init.normal_(t, 0, 3), 3),
    ],
)
def test_normal(f, std):
    x = seeded(f, 300, 400)
    assert x.std() == pytest.approx(std, rel=0.01) and abs(x.mean()) < 0.01 * std


def test_trunc_normal():
    x = seeded(lambda t: init.trunc_normal_(t, 1, 2, 0, 2), 300, 400)
    assert x.min() >= 0 and x.max() <= 2 and x.mean() == pytest.approx(1, abs=0.01)
    with pytest.raises(ValueError):
        init.trunc_normal_(weft.empty(3), 0, 1, 50, 60)


def test_constants():
    assert init.ones_(weft.empty(2)).tolist() == [1, 1] and init.zeros_(weft.empty(2)).tolist() == [0, 0]
    assert init.eye_(weft.empty(2, 3)).tolist() == [[1, 0, 0], [0, 1, 0]]
    x = init.dirac_(weft.empty(4, 2, 3, 3), groups=2).numpy()
    assert x.sum() == 4 and x[0, 0, 1, 1] == x[3, 1, 1, 1] == 1


@pytest.mark.parametrize("shape", [(5, 8), (8, 5), (4, 2, 3)])
def test_orthogonal(shape):
    x = seeded(lambda t: init.orthogonal_(t, 2.0), *shape).reshape(shape[0], -1)
    gram = x @ x.T if x.shape[0] <= x.shape[1] else x.T @ x
    np.testing.assert_allclose(gram, 4 * np.eye(len(gram)), atol=1e-5)


def test_in_place_off_the_tape_and_reproducible():
    p = nn.Parameter(weft.empty(3, 3))
    assert init.xavier_uniform_(p) is p and p.is_leaf and p.requires_grad
    assert np.array_equal(seeded(init.normal_, 50), seeded(init.normal_, 50))


def test_errors():
    with pytest.raises(ValueError, match="fewer than 2"):
        init.xavier_normal_(weft.empty(3))
    with pytest.raises(ValueError, match="nonlinearity"):
        init.calculate_gain("wavy")
    with pytest.raises(ValueError, match="Mode"):
        init.kaiming_normal_(weft.empty(2, 2), mode="fan")
    with pytest.raises(ValueError):
        init.eye_(weft.empty(3))


@pytest.mark.parametrize(
    "make", ["Linear(64, 200)", "Conv2d(8, 100, 3)", "ConvTranspose2d(20, 30, 3)", "Conv1d(8, 100, 3)"]
)
def test_layers_start_with_pytorchs_distributions(make):
    torch = pytest.importorskip("torch")
    weft.manual_seed(0)
    torch.manual_seed(0)
    ours, theirs = eval("nn." + make, {"nn": nn}), eval("nn." + make, {"nn": torch.nn})
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        a, b = a.detach().numpy(), b.detach().numpy()
        assert a.std() == pytest.approx(b.std(), rel=0.25 if a.ndim == 1 else 0.05)
        assert np.abs(a).max() == pytest.approx(np.abs(b).max(), rel=0.1)
