import numpy as np
import pytest

import weft
import weft.nn.functional as F
from oracle import FLOATS, check_same, same_bits, torch
from weft.testing import gradcheck

# channels, size, kernel, dilation, padding, stride
WINDOWS = [
    (1, (1, 1), 1, 1, 0, 1),
    (3, (6, 7), 3, 1, 1, 1),
    (2, (9, 16), (2, 3), (1, 2), (0, 1), (2, 1)),
    (2, (7, 5), 4, 1, 3, 3),
    (1, (3, 40), (3, 1), 1, 2, (1, 5)),
]


def randn(*shape):
    return np.random.default_rng(sum(shape)).standard_normal(shape)


def functional(m):
    return F if m is weft else torch.nn.functional


@pytest.mark.parametrize("windows", WINDOWS, ids=str)
def test_unfold_and_fold(isa, windows):
    channels, size, *options = windows
    x = randn(2, channels, *size)
    check_same(lambda m, x: functional(m).unfold(x, *options), x)
    columns = F.unfold(weft.tensor(x), *options)
    y = randn(*columns.shape)
    check_same(lambda m, y: functional(m).fold(y, size, *options), y)


@pytest.mark.parametrize("dtype", FLOATS)
def test_dtypes_unbatched_and_views(dtype):
    check_same(lambda m, x: functional(m).unfold(x, 2), randn(3, 4, 5), dtypes=(dtype,))
    check_same(lambda m, x: functional(m).fold(x, (4, 5), 2), randn(12, 12), dtypes=(dtype,))
    check_same(lambda m, x: functional(m).unfold(x.transpose(1, 3), (2, 1)), randn(2, 3, 4, 5), dtypes=(dtype,))


def test_empty_batch_and_infinity():
    assert F.unfold(weft.zeros(0, 2, 4, 4), 3).shape == (0, 18, 4)
    assert F.fold(weft.zeros(0, 18, 4), 4, 3).shape == (0, 2, 4, 4)
    x = weft.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = float("inf")
    assert not weft.isnan(F.unfold(x, 2, padding=1)).any()


def test_gradients_of_gradients():
    def first(x):
        x = x if x.requires_grad else x.requires_grad_()
        y = F.unfold(x, 2, stride=2, padding=1)
        return weft.autograd.grad((y * y * y).sum(), x, create_graph=True)[0]

    gradcheck(first, randn(1, 2, 4, 5))


def test_same_bits_on_any_number_of_threads():
    columns = weft.tensor(randn(4, 16 * 9, 900)).float()
    same_bits(lambda: F.fold(columns, (30, 30), 3, padding=1))


def test_bad_arguments():
    with pytest.raises(RuntimeError, match="3 .unbatched. or 4"):
        F.unfold(weft.zeros(4, 4), 2)
    with pytest.raises(RuntimeError, match="kernel no larger"):
        F.unfold(weft.zeros(1, 1, 2, 2), 3)
    with pytest.raises(RuntimeError, match=r"expected an input of shape \[N, C \* 4, 9\]"):
        F.fold(weft.zeros(1, 4, 8), (4, 4), 2)
    with pytest.raises(NotImplementedError, match="floating"):
        F.unfold(weft.zeros(1, 1, 2, 2, dtype=weft.int64), 2)
