"""as_strided, unfold and diagonal as views: memory shared, in-place history; flip and roll."""

import numpy as np
import pytest

import weft
from oracle import check_same
from weft.testing import assert_close, to_numpy


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape)


VIEWS = {
    "as_strided": lambda x: x.as_strided((2, 2), (6, 2), 1),
    "unfold": lambda x: x.unfold(1, 2, 2),
    "diagonal": lambda x: x.diagonal(1),
    "diagonal of the last": lambda x: x.unsqueeze(0).diagonal(-1, 1, 2),
    "movedim": lambda x: x.movedim(0, 1),
    "moveaxis": lambda x: x.moveaxis((0, 1), (1, 0)),
    "swapdims": lambda x: x.swapdims(0, 1),
    "narrow": lambda x: x.narrow(0, 1, 2),
    "narrow from a tensor": lambda x: x.narrow(0, (x.narrow(0, 0, 1) * 0).sum().long(), 2),
    "select": lambda x: x.select(1, -1),
    "unbind": lambda x: x.unbind(1)[2],
    "split": lambda x: x.split((1, 2, 1), 0)[1],
    "tensor_split": lambda x: x.tensor_split(3, 1)[1],
    "hsplit": lambda x: x.hsplit([1, 3])[1],
    "vsplit": lambda x: x.vsplit(2)[1],
    "expand": lambda x: x.unsqueeze(0).expand(1, 4, 6)[0],
}
# PyTorch allows no change of one view of several that an operation returns.
ALONE = {"unbind": lambda x: x[:, 2], "split": lambda x: x[1:3]}


def view(m, name, x):
    return (VIEWS if m is weft else VIEWS | ALONE)[name](x)


@pytest.mark.parametrize("name", VIEWS)
def test_changes_through_a_view_reach_the_tensor(name):
    def change(m, x, v):
        y = x * 1
        before = y.sum()
        part = view(m, name, y)
        part.mul_(3).add_(v)
        return y * y, part * 2, before

    check_same(change, values(4, 6), np.array(0.5))


@pytest.mark.parametrize("name", VIEWS)
def test_views_see_changes_of_the_tensor(name):
    def change(m, x):
        y = x * 1
        part = view(m, name, y)
        y.mul_(2)
        return part * 1

    check_same(change, values(4, 6))
    x = weft.tensor(values(4, 6))
    first, last = x.data_ptr(), x.data_ptr() + x.nbytes
    assert first <= VIEWS[name](x).data_ptr() < last


def test_windows_that_overlap():
    for size, step in ((3, 1), (3, 2), (2, 3), (5, 1), (1, 1)):
        check_same(lambda m, x: x.unfold(0, size, step) * 1, values(5, 2))  # noqa: B023
        check_same(lambda m, x: x.t().unfold(-1, size, step) * 1, values(5, 2))  # noqa: B023
    check_same(lambda m, x: (x * 1).as_strided((3, 3), (1, 1)) * 1, values(5))
    check_same(lambda m, x: (x * 1).expand(2, 3).as_strided((2, 2), (1, 1)) * 1, values(3))


def test_second_derivatives():
    for fn in (
        lambda x: x.unfold(0, 3, 1),
        lambda x: x.as_strided((3, 3), (1, 2)),
        lambda x: x.diagonal(),
        lambda x: weft.diag_embed(x),
        lambda x: x.flip(0),
        lambda x: x.roll(1, 0),
        lambda x: weft.slice_scatter(x, x[:2] * 2, 0, 1, 3),
        lambda x: weft.constant_pad_nd(x, (1, -1), 2.0),
    ):

        def gradient(a, fn=fn):
            x = weft.tensor(a, requires_grad=True)
            (dx,) = weft.autograd.grad((fn(x * 1) ** 3).sum(), x, create_graph=True)
            return x, (dx * weft.tensor(values(4, 4, seed=2))).sum()

        a, d, h = values(4, 4), values(4, 4, seed=3), 1e-6
        x, g = gradient(a)
        (ddx,) = weft.autograd.grad(g, x)
        slope = (gradient(a + h * d)[1] - gradient(a - h * d)[1]).item() / (2 * h)
        np.testing.assert_allclose((to_numpy(ddx) * d).sum(), slope, rtol=1e-5)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (3, 0, 2), (4, 5), (70, 3), (3, 70), (2, 3, 33)])
def test_flip_and_roll(shape):
    n = len(shape)
    for dims in ([], [0], [-1], list(range(n))) if n else ([],):
        check_same(lambda m, x: m.flip(x, dims), values(*shape), dtypes=("float32", "float64", "float16"))  # noqa: B023
        check_same(lambda m, x: x.transpose(0, -1).flip(dims) if n else x.flip(()), values(*shape))  # noqa: B023
    check_same(lambda m, x: m.roll(x, 2), values(*shape))
    if n:
        check_same(lambda m, x: m.roll(x, (-1, 5), (0, -1)), values(*shape))
    x = weft.arange(6, dtype=weft.int8).reshape(2, 3)
    assert x.flip(0, 1).tolist() == [[5, 4, 3], [2, 1, 0]]
    assert list(reversed(weft.arange(3)).tolist()) == [2, 1, 0]


def test_bad_input():
    x = weft.zeros(3, 4)
    with pytest.raises(RuntimeError, match=r"\[as_strided\] .* leave the memory of the tensor, which has 12"):
        x.as_strided((3, 4), (4, 2))
    with pytest.raises(RuntimeError, match="storage_offset must not be negative"):
        x.as_strided((1,), (1,), -1)
    with pytest.raises(RuntimeError, match="as many strides"):
        x.as_strided((1, 2), (1,))
    with pytest.raises(RuntimeError, match="leave the memory"):
        x.as_strided((2, 2**40), (2**40, 2**40))
    with pytest.raises(RuntimeError, match=r"\[unfold\] expected a size from 0 to that of dimension 1, 4, got 5"):
        x.unfold(1, 5, 1)
    with pytest.raises(RuntimeError, match="step must be positive"):
        x.unfold(1, 2, 0)
    with pytest.raises(RuntimeError, match=r"\[flip\] dimension 1 comes twice"):
        x.flip(1, -1)
    with pytest.raises(RuntimeError, match="two different dimensions"):
        x.diagonal(0, 1, -1)
    with pytest.raises(RuntimeError, match=r"\[slice_scatter\] expected src of shape \[2, 4\]"):
        x.slice_scatter(weft.zeros(1, 4), 0, 1, 3)
    with pytest.raises(IndexError):
        x.flip(2)
    with pytest.raises(RuntimeError, match=r"\[constant_pad_nd\]"):
        weft.constant_pad_nd(x, (1, 2, 3))
    with pytest.raises(RuntimeError, match="share one place"):
        weft.zeros(3).expand(2, 3).diagonal().as_strided((2, 3), (0, 1)).fill_(1)


def test_fill_diagonal():
    for shape, wrap in (((3, 3), False), ((2, 5), False), ((7, 2), False), ((7, 2), True), ((3, 3, 3), False)):
        check_same(lambda m, x: (x * 1).fill_diagonal_(2.5, wrap), values(*shape))  # noqa: B023
    x = weft.zeros(4, 3).t()
    x.fill_diagonal_(1)
    assert_close(x, np.eye(3, 4, dtype=np.float32))
    with pytest.raises(RuntimeError, match="fill_diagonal_"):
        weft.zeros(2, 3, 2).fill_diagonal_(1)
