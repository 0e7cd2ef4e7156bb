"""Tensors that become views of themselves: squeeze_ and its like, detach_, resize_, .data."""

import numpy as np
import pytest

import weft
from oracle import check_same

X = np.random.default_rng(0).standard_normal((3, 1, 4))

BECOMING = {
    "squeeze_": lambda x: x.squeeze_(),
    "squeeze_ of one": lambda x: x.squeeze_(1),
    "squeeze_ of none": lambda x: x.squeeze_(0),
    "unsqueeze_": lambda x: x.unsqueeze_(-1),
    "transpose_": lambda x: x.transpose_(0, 2),
    "swapaxes_": lambda x: x.swapaxes_(0, 1),
    "swapdims_": lambda x: x.swapdims_(1, 2),
    "t_": lambda x: x.squeeze_(1).t_(),
    "as_strided_": lambda x: x.as_strided_((2, 3), (1, 2), 1),
}


@pytest.mark.parametrize("name", BECOMING)
def test_history_goes_on(name):
    def become(m, x):
        y = x * 2
        z = BECOMING[name](y)
        assert z is y
        y.mul_(3)
        return y * y

    check_same(become, X)


@pytest.mark.parametrize("name", ["transpose_", "unsqueeze_", "squeeze_"])
def test_of_a_view(name):
    def become(m, x):
        y = x * 2
        part = y[:2]
        BECOMING[name](part)
        part.mul_(3)
        return y * 1, part * part

    check_same(become, X)


def test_of_leaves():
    x = weft.zeros(2, 3)
    x.t_()
    assert x.shape == (3, 2) and x.stride() == (1, 3)
    x.requires_grad_()
    with pytest.raises(RuntimeError, match="leaf"):
        x.t_()
    with weft.no_grad():
        x.t_()
    assert x.shape == (2, 3) and x.is_leaf


def test_saved_values_are_guarded():
    x = weft.tensor(X, requires_grad=True)
    y = x * 2
    z = y * y
    y.transpose_(0, 2)
    with pytest.raises(RuntimeError, match="changed in place"):
        z.sum().backward()


def test_detach_in_place():
    x = weft.tensor(X, requires_grad=True)
    y = x * 2
    assert y.detach_() is y and not y.requires_grad and y.is_leaf
    with pytest.raises(RuntimeError, match="view"):
        (x * 2)[0].detach_()


def test_resize():
    x = weft.arange(6.0)
    y = x.view(2, 3)
    x.resize_(2, 2)
    assert x.tolist() == [[0, 1], [2, 3]]
    x.resize_((3, 3))
    assert x.shape == (3, 3) and x.flatten()[:6].tolist() == [0, 1, 2, 3, 4, 5]
    x.flatten()[0] = 9  # the memory is still one
    assert y[0, 0].item() == 9
    assert weft.zeros(3).resize_(0).shape == (0,)
    with pytest.raises(RuntimeError, match="requires grad"):
        weft.zeros(3, requires_grad=True).resize_(4)
    with pytest.raises(RuntimeError, match="somebody else"):
        weft.from_numpy(np.zeros(3)).resize_(4)


def test_data_takes_over_memory():
    x, y = weft.zeros(2, requires_grad=True), weft.ones(3, 2)
    x.data = y
    assert x.shape == (3, 2) and x.requires_grad
    y.fill_(5)
    assert x.sum().item() == 30
