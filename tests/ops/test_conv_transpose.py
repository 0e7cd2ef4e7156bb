import numpy as np
import pytest

import weft
from oracle import check_same, same_bits, torch
from weft import _core as F
from weft.testing import assert_close, gradcheck

rng = np.random.default_rng(1)


def randn(*shape):
    return rng.standard_normal(shape)


def functional(m):
    return F if m is weft else torch.nn.functional


def check_transpose(*arrays, dtypes=("float32", "float64"), **options):
    check_same(lambda m, *a: functional(m).conv_transpose2d(*a, **options), *arrays, dtypes=dtypes)


# channels, outputs, groups, size, kernel, stride, padding, output_padding, dilation
GEOMETRIES = [
    (1, 1, 1, (1, 1), (1, 1), 1, 0, 0, 1),
    (3, 4, 1, (5, 7), (3, 3), 1, 1, 0, 1),
    (3, 4, 1, (5, 7), (3, 3), 2, 1, 1, 1),
    (4, 6, 2, (5, 4), (4, 2), (2, 1), (1, 0), 0, 1),
    (2, 3, 1, (6, 5), (2, 2), 3, 0, (2, 1), 1),
    (2, 3, 1, (6, 5), (3, 3), (2, 3), 2, (1, 2), (2, 3)),
    (5, 5, 5, (9, 17), (3, 3), 2, 1, 1, 1),
    (16, 3, 1, (8, 9), (4, 4), 2, 1, 0, 1),
    (2, 2, 1, (1, 1), (4, 4), 4, 0, 0, 1),
    (2, 2, 1, (3, 2), (3, 3), 4, 0, 0, 2),
    (20, 33, 1, (12, 12), (3, 3), 1, 1, 0, 1),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_against_torch(isa, geometry):
    channels, outputs, groups, size, kernel, stride, padding, output_padding, dilation = geometry
    check_transpose(
        randn(3, channels, *size),
        randn(channels, outputs // groups, *kernel),
        randn(outputs),
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
    )


@pytest.mark.parametrize("width", [1, 8, 15, 16, 17, 24, 25, 48, 49])
def test_widths(isa, width):
    check_transpose(randn(2, 3, 2, width), randn(3, 4, 3, 3), stride=2, padding=1)


def test_is_the_gradient_of_conv2d(isa):
    x = weft.tensor(randn(2, 3, 9, 8)).requires_grad_()
    w, dy = weft.tensor(randn(5, 3, 3, 3)), weft.tensor(randn(2, 5, 5, 4))
    F.conv2d(x, w, stride=2, padding=1).backward(dy)
    assert_close(F.conv_transpose2d(dy, w, stride=2, padding=1, output_padding=(0, 1)), x.grad)


def test_unbatched_half_and_views():
    check_transpose(randn(3, 4, 5), randn(3, 2, 3, 3))
    check_transpose(randn(1, 3, 4, 5), randn(3, 2, 3, 3), randn(2), dtypes=("float16", "bfloat16"), stride=2)
    check_same(
        lambda m, x, w: functional(m).conv_transpose2d(x.transpose(-1, -2)[..., ::2], w.transpose(0, 1)),
        randn(2, 3, 8, 5),
        randn(2, 3, 3, 3),
    )


def test_conv_transpose1d():
    for options in ({}, {"stride": 3, "padding": 1, "output_padding": 2}, {"groups": 2}, {"dilation": 2}):
        w = randn(4, 6 // options.get("groups", 1), 5)
        check_same(lambda m, *a, o=options: functional(m).conv_transpose1d(*a, **o), randn(2, 4, 9), w, randn(6))


def test_empty_batch():
    x, w = weft.zeros(0, 3, 4, 4, requires_grad=True), weft.ones(3, 2, 2, 2, requires_grad=True)
    y = F.conv_transpose2d(x, w, stride=2)
    assert y.shape == (0, 2, 8, 8)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert_close(w.grad, np.zeros((3, 2, 2, 2), np.float32))


def test_gradients():
    def first(x, w, b):
        x, w, b = (t if t.requires_grad else t.requires_grad_() for t in (x, w, b))
        y = F.conv_transpose2d(x, w, b, stride=2, padding=1)
        return weft.autograd.grad((y * y * y).sum(), (x, w, b), create_graph=True)

    arrays = randn(2, 2, 3, 3), randn(2, 3, 3, 2), randn(3)
    gradcheck(lambda *a: F.conv_transpose2d(*a, stride=2, output_padding=1), *arrays)
    gradcheck(first, *arrays)


def test_same_bits_on_any_number_of_threads():
    arrays = [randn(8, 32, 12, 12), randn(32, 24, 4, 4), randn(24)]

    def run():
        x, w, b = (weft.tensor(a.astype(np.float32)).requires_grad_() for a in arrays)
        y = F.conv_transpose2d(x, w, b, stride=2, padding=1)
        (y * y).sum().backward()
        return y, x.grad, w.grad, b.grad

    same_bits(run)


@pytest.mark.parametrize(
    ("shapes", "options", "words"),
    [
        (((2, 3, 4, 4), (4, 2, 3, 3)), {}, "channels"),
        (((2, 3, 4, 4), (3, 2, 3)), {}, "4 dimensions"),
        (((2, 3, 4, 4), (3, 2, 3, 3), (3,)), {}, "bias"),
        (((2, 3, 4, 4), (3, 2, 3, 3)), {"groups": 2}, "groups"),
        (((2, 3, 4, 4), (3, 2, 3, 3)), {"output_padding": 1}, "output_padding"),
        (((2, 3, 4, 4), (3, 2, 3, 3)), {"padding": 4}, "size of"),
        (((2, 3, 4, 4), (3, 2, 3, 3)), {"stride": 0}, "stride"),
        (((2, 3, 4, 4), (3, 2, 3, 3)), {"padding": -1}, "padding"),
        (((2, 3, 0, 4), (3, 2, 3, 3)), {}, "at least 1"),
    ],
)
def test_bad_arguments(shapes, options, words):
    with pytest.raises(RuntimeError, match=r"\[conv_transpose2d\]") as info:
        F.conv_transpose2d(*(weft.zeros(*s) for s in shapes), **options)
    assert words in str(info.value)
