import numpy as np
import pytest

import weft
from oracle import check_same, same_bits, torch
from weft import _core as F
from weft.testing import assert_close, gradcheck

rng = np.random.default_rng(0)


def randn(*shape):
    return rng.standard_normal(shape)


def functional(m):
    return F if m is weft else torch.nn.functional


def check_conv(x, w, b=None, dtypes=("float32", "float64"), **options):
    arrays = (x, w) if b is None else (x, w, b)
    check_same(lambda m, *a: functional(m).conv2d(*a, **options), *arrays, dtypes=dtypes)


def naive(x, w, stride, padding, dilation, groups):
    """The definition, in float64."""
    x = np.pad(x, ((0, 0), (0, 0), (padding[0],) * 2, (padding[1],) * 2))
    n, _, height, width = x.shape
    out, per_group, kh, kw = w.shape
    oh = (height - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    ow = (width - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((n, groups, out // groups, oh, ow))
    xg = x.reshape(n, groups, per_group, height, width)
    wg = w.reshape(groups, out // groups, per_group, kh, kw)
    for k in range(kh):
        for l in range(kw):
            rows = slice(k * dilation[0], k * dilation[0] + (oh - 1) * stride[0] + 1, stride[0])
            cols = slice(l * dilation[1], l * dilation[1] + (ow - 1) * stride[1] + 1, stride[1])
            y += np.einsum("ngchw,goc->ngohw", xg[:, :, :, rows, cols], wg[..., k, l])
    return y.reshape(n, out, oh, ow)


# channels, outputs, groups, size, kernel, stride, padding, dilation
GEOMETRIES = [
    (1, 1, 1, (1, 1), (1, 1), 1, 0, 1),
    (1, 16, 1, (8, 8), (3, 3), 1, 1, 1),
    (3, 5, 1, (7, 9), (3, 3), 1, 0, 1),
    (3, 64, 1, (13, 11), (7, 7), 2, 3, 1),
    (4, 6, 2, (6, 5), (3, 2), (2, 1), (1, 0), 1),
    (5, 9, 1, (16, 16), (1, 1), 1, 0, 1),
    (5, 9, 1, (15, 17), (1, 1), 2, 0, 1),
    (2, 3, 1, (20, 18), (3, 3), 1, (4, 2), (4, 2)),
    (2, 3, 1, (20, 18), (3, 5), 3, (4, 2), (2, 3)),
    (6, 6, 6, (9, 50), (3, 3), 1, 1, 1),
    (6, 12, 6, (10, 9), (5, 5), 2, 2, 1),
    (7, 10, 1, (3, 3), (3, 3), 1, 2, 1),
    (2, 4, 1, (12, 12), (4, 4), 4, 0, 1),
    (2, 4, 1, (12, 13), (2, 2), 5, 1, 1),
    (1, 8, 1, (30, 40), (3, 40), 1, 0, 1),
    (17, 33, 1, (4, 4), (3, 3), 1, 1, 1),
    (40, 48, 1, (14, 14), (3, 3), 1, 1, 1),
    (20, 40, 1, (7, 7), (3, 3), 1, 1, 1),
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_against_torch(isa, geometry):
    channels, outputs, groups, size, kernel, stride, padding, dilation = geometry
    check_conv(
        randn(3, channels, *size),
        randn(outputs, channels // groups, *kernel),
        randn(outputs),
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )


def test_against_the_definition(isa):
    for stride, padding, dilation, groups in [((1, 1), (1, 1), (1, 1), 1), ((2, 3), (0, 2), (1, 2), 2)]:
        x, w = randn(2, 4, 11, 12), randn(6, 4 // groups, 3, 2)
        y = F.conv2d(weft.tensor(x), weft.tensor(w), None, stride, padding, dilation, groups)
        assert_close(y, naive(x, w, stride, padding, dilation, groups), terms=w[0].size)


@pytest.mark.parametrize("width", [1, 7, 8, 15, 16, 17, 31, 32, 33, 47, 48, 49, 64, 97])
def test_widths(isa, width):
    check_conv(randn(2, 3, 3, width), randn(4, 3, 3, 3), randn(4), padding=1)
    check_conv(randn(2, 3, 3, width), randn(9, 3, 1, 1))


@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 49])
def test_outputs(isa, outputs):
    check_conv(randn(2, 3, 6, 10), randn(outputs, 3, 3, 3), randn(outputs), padding=1, stride=2)


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # PyTorch copies; we do not
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 4), (5, 5)])
@pytest.mark.parametrize("dilation", [1, 2])
def test_same_and_valid(kernel, dilation):
    x, w = randn(2, 3, 12, 13), randn(4, 3, *kernel)
    check_conv(x, w, padding="same", dilation=dilation)
    check_conv(x, w, padding="valid", dilation=dilation)


def test_defaults_and_positions():
    x, w, b = weft.tensor(randn(1, 2, 5, 5)), weft.tensor(randn(4, 1, 3, 3)), weft.tensor(randn(4))
    named = F.conv2d(input=x, weight=w, bias=b, stride=(2, 1), padding=(1, 0), dilation=1, groups=2)
    assert_close(F.conv2d(x, w, b, (2, 1), (1, 0), 1, 2), named)
    assert F.conv2d(x, weft.tensor(randn(4, 2, 3, 3))).shape == (1, 4, 3, 3)


def test_unbatched():
    check_conv(randn(3, 6, 7), randn(4, 3, 3, 3), randn(4))


def test_half_precision():
    check_conv(randn(2, 3, 8, 8), randn(5, 3, 3, 3), randn(5), dtypes=("float16", "bfloat16"), padding=1)


def test_non_contiguous(isa):
    def strided(m, x, w):
        return functional(m).conv2d(x.transpose(-1, -2)[:, :, 1:, ::2], w.transpose(0, 1), padding=1)

    check_same(strided, randn(2, 3, 9, 8), randn(3, 4, 3, 3))


def test_large_images_are_cut_into_blocks(isa):
    check_conv(randn(1, 8, 150, 160), randn(8, 8, 3, 3), randn(8), padding=1)
    check_conv(randn(1, 16, 1, 5000), randn(4, 16, 1, 5), padding=(0, 2))
    check_conv(randn(1, 64, 16, 16), randn(70, 64, 1, 1), dtypes=("float32",))
    check_conv(randn(40, 1, 5, 5), randn(2, 1, 3, 3))


def test_conv1d(isa):
    for options in ({}, {"stride": 2, "padding": 3}, {"padding": "same", "dilation": 2}, {"groups": 2}):
        w = randn(4, 4 // options.get("groups", 1), 5)
        check_same(lambda m, *a, o=options: functional(m).conv1d(*a, **o), randn(2, 4, 33), w, randn(4))
    check_same(lambda m, *a: functional(m).conv1d(*a), randn(4, 20), randn(3, 4, 1))


def test_empty_batch():
    x, w = weft.zeros(0, 3, 8, 8, requires_grad=True), weft.ones(4, 3, 3, 3, requires_grad=True)
    y = F.conv2d(x, w)
    assert y.shape == (0, 4, 6, 6)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert_close(w.grad, np.zeros((4, 3, 3, 3), np.float32))


def test_empty_input_with_padding():
    y = F.conv2d(weft.zeros(2, 3, 0, 4), weft.ones(4, 3, 2, 1), weft.tensor([1.0, 2.0, 3.0, 4.0]), padding=(1, 0))
    assert y.shape == (2, 4, 1, 4)
    assert_close(y[:, :, 0, 0], np.tile(np.float32([1, 2, 3, 4]), (2, 1)))


def test_nan_and_infinity_stay_where_they_are(isa):
    x, w = np.ones((1, 1, 9, 9), np.float32), np.ones((2, 1, 3, 3), np.float32)
    x[0, 0, 4, 4] = np.nan
    y = F.conv2d(weft.tensor(x), weft.tensor(w), padding=1).numpy()
    expected = np.zeros((9, 9), bool)
    expected[3:6, 3:6] = True
    assert (np.isnan(y) == expected).all()

    x[0, 0, 4, 4] = 1
    x[0, 0, 8, 8] = np.inf  # met by one weight only of an unpadded filter
    w = weft.tensor(w).requires_grad_()
    F.conv2d(weft.tensor(x), w).sum().backward()
    assert (np.isinf(w.grad.numpy()) == (np.arange(9) == 8).reshape(3, 3)).all()


def test_gradients_by_differences():
    for options in ({"padding": 1}, {"stride": 2, "padding": (0, 1), "dilation": (1, 2)}, {"groups": 2}):
        w = randn(4, 2 // options.get("groups", 1), 2, 3)
        gradcheck(lambda x, w, b, o=options: F.conv2d(x, w, b, **o), randn(2, 2, 5, 6), w, randn(4))


def test_second_derivatives():
    def first(x, w, b):
        x, w, b = (t if t.requires_grad else t.requires_grad_() for t in (x, w, b))
        y = F.conv2d(x, w, b, stride=2, padding=1)
        return weft.autograd.grad((y * y * y).sum(), (x, w, b), create_graph=True)

    gradcheck(first, randn(2, 2, 5, 4), randn(3, 2, 3, 2), randn(3))


def test_only_what_needs_a_gradient():
    x, w = weft.tensor(randn(1, 2, 4, 4)), weft.tensor(randn(3, 2, 2, 2)).requires_grad_()
    F.conv2d(x, w).sum().backward()
    assert x.grad is None and w.grad is not None
    with weft.no_grad():
        assert not F.conv2d(x, w).requires_grad


@pytest.mark.parametrize("shape", [(64, 3, 20, 20, 16), (4, 64, 14, 14, 64), (1, 128, 7, 7, 300), (1, 3, 200, 200, 4)])
def test_same_bits_on_any_number_of_threads(shape):
    n, channels, height, width, outputs = shape
    arrays = [randn(n, channels, height, width), randn(outputs, channels, 3, 3), randn(outputs)]

    def run():
        x, w, b = (weft.tensor(a.astype(np.float32)).requires_grad_() for a in arrays)
        y = F.conv2d(x, w, b, padding=1)
        (y * y).sum().backward()
        return y, x.grad, w.grad, b.grad

    same_bits(run)


@pytest.mark.parametrize(
    ("shapes", "options", "error", "words"),
    [
        (((2, 3, 8, 8), (4, 2, 3, 3)), {}, RuntimeError, "channels"),
        (((2, 3, 8, 8), (4, 3, 3)), {}, RuntimeError, "4 dimensions"),
        (((8, 8), (4, 3, 3, 3)), {}, RuntimeError, "input"),
        (((2, 3, 8, 8), (4, 3, 9, 3)), {}, RuntimeError, "kernel"),
        (((2, 3, 8, 8), (4, 3, 3, 3), (3,)), {}, RuntimeError, "bias"),
        (((2, 3, 8, 8), (4, 3, 3, 3), (4, 1)), {}, RuntimeError, "bias"),
        (((2, 4, 8, 8), (3, 2, 3, 3)), {"groups": 2}, RuntimeError, "groups"),
        (((2, 4, 8, 8), (4, 4, 3, 3)), {"groups": 0}, RuntimeError, "groups"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"stride": 0}, RuntimeError, "stride"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": -1}, RuntimeError, "padding"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"dilation": 0}, RuntimeError, "dilation"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"stride": (1, 1, 1)}, RuntimeError, "stride"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": "same", "stride": 2}, RuntimeError, "same"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": "full"}, RuntimeError, "full"),
        (((2, 3, 8, 8), (4, 3, 3, 3)), {"padding": 2**40}, OverflowError, "2^30"),
    ],
)
def test_bad_arguments(shapes, options, error, words):
    with pytest.raises(error, match=r"\[conv2d\]") as info:
        F.conv2d(*(weft.zeros(*s) for s in shapes), **options)
    assert words in str(info.value)


def test_bad_dtypes():
    x, w = weft.zeros(1, 1, 3, 3), weft.zeros(1, 1, 2, 2)
    with pytest.raises(RuntimeError, match="one dtype"):
        F.conv2d(x, w.to(weft.float64))
    with pytest.raises(NotImplementedError, match="floating"):
        F.conv2d(x.to(weft.int32), w.to(weft.int32))
    with pytest.raises(TypeError):
        F.conv2d(np.zeros((1, 1, 3, 3)), w)


def test_too_much_memory_is_an_error():
    with pytest.raises((MemoryError, OverflowError, RuntimeError)):
        F.conv2d(weft.zeros(1, 1, 1, 1), weft.zeros(1, 1, 1, 1), padding=2**29)


@pytest.mark.parametrize("size", [(1, 1), (7, 7), (14, 14), (17, 16)])
def test_pointwise_of_many_channels(size):
    check_conv(randn(2, 64, *size), randn(65, 64, 1, 1), randn(65), dtypes=("float32",))
    x, w = weft.tensor(randn(2, 70, *size)), weft.tensor(randn(64, 70, 1, 1))
    assert F.conv2d(x, w).is_contiguous()
