"""Convolutions whose groups have one channel each."""

import numpy as np
import pytest

import weft
from oracle import check_same, same_bits, torch
from weft import _core as F
from weft.testing import assert_close

rng = np.random.default_rng(0)


def randn(*shape):
    return rng.standard_normal(shape)


def functional(m):
    return F if m is weft else torch.nn.functional


def formatted(m, t, last):
    formats = {4: "channels_last", 5: "channels_last_3d"}
    return t.contiguous(memory_format=getattr(m, formats[t.ndim])) if last else t


def check_depthwise(x, w, b=None, last=False, dtypes=("float32",), dims=2, **options):
    """In PyTorch's own format: the results must be the same in either."""

    def conv(m, x, *a):
        y = getattr(functional(m), f"conv{dims}d")(
            formatted(m, x, last and m is weft), *a, groups=x.shape[1], **options
        )
        assert m is torch or not last or y.is_contiguous(memory_format=weft.channels_last) or 1 in y.shape
        return y

    arrays = (x, w) if b is None else (x, w, b)
    check_same(conv, *arrays, dtypes=dtypes)


# channels, size, kernel, stride, padding, dilation
GEOMETRIES = [
    (16, (1, 1), 3, 1, 1, 1),
    (17, (7, 7), 3, 1, 1, 1),
    (31, (8, 14), 3, 1, 1, 1),
    (32, (9, 15), 3, 2, 1, 1),
    (33, (14, 6), 3, 2, 1, 1),
    (48, (13, 13), 5, 1, 2, 1),
    (40, (12, 29), 5, 2, 2, 1),
    (16, (10, 11), 7, 1, 3, 1),
    (16, (9, 9), 7, 2, 3, 1),
    (20, (11, 30), 3, 1, 0, 1),
    (20, (5, 16), 3, 1, 4, 1),
    (18, (12, 13), 3, 1, 2, 2),
    (18, (12, 13), (1, 4), (1, 3), (0, 2), (1, 2)),
    (16, (6, 40), (3, 1), 2, (1, 0), 1),
    (24, (5, 21), (2, 5), (3, 1), (0, 2), 1),
    (64, (60, 57), 3, 1, 1, 1),
]


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_against_torch(isa, geometry, last):
    channels, size, kernel, stride, padding, dilation = geometry
    kernel = (kernel, kernel) if isinstance(kernel, int) else kernel
    options = {"stride": stride, "padding": padding, "dilation": dilation, "last": last}
    check_depthwise(randn(2, channels, *size), randn(channels, 1, *kernel), randn(channels), **options)


@pytest.mark.parametrize("last", [False, True])
def test_double(isa, last):
    check_depthwise(randn(2, 19, 9, 8), randn(19, 1, 3, 3), dtypes=("float64",), padding=1, stride=2, last=last)


@pytest.mark.parametrize("channels", [1, 3, 4, 7, 8, 9, 15, 16, 17, 31, 32, 33, 65])
@pytest.mark.parametrize("last", [False, True])
def test_channels(isa, channels, last):
    check_depthwise(randn(2, channels, 6, 9), randn(channels, 1, 3, 3), padding=1, last=last)


@pytest.mark.parametrize("width", [1, 2, 6, 7, 8, 13, 14, 15, 21, 22])
@pytest.mark.parametrize("stride", [1, 2])
def test_widths(isa, width, stride):
    check_depthwise(randn(1, 16, 3, width), randn(16, 1, 3, 3), padding=1, stride=stride, last=True)


def test_other_dimensions(isa):
    check_depthwise(randn(2, 20, 33), randn(20, 1, 4), randn(20), dims=1, padding=3)
    check_depthwise(randn(2, 17, 5, 6, 9), randn(17, 1, 3, 3, 3), randn(17), dims=3, padding=1)
    check_depthwise(randn(1, 17, 5, 6, 9), randn(17, 1, 2, 3, 5), dims=3, padding=(0, 1, 2), stride=(2, 1, 2))


@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1, "output_padding": 1}, {"stride": 3, "dilation": 2}]
)
def test_transposed(isa, options):
    check_same(
        lambda m, *a: functional(m).conv_transpose2d(*a, groups=18, **options),
        randn(2, 18, 5, 6),
        randn(18, 1, 3, 3),
        randn(18),
    )


def test_outside_the_image_counts_as_nothing(isa):
    x, w = randn(1, 16, 6, 16).astype("float32"), randn(16, 1, 3, 3).astype("float32")
    x[:, :, :, 15] = np.inf
    dy = randn(1, 16, 4, 7).astype("float32")
    weight = weft.tensor(w, requires_grad=True)
    F.conv2d(weft.tensor(x), weight, None, (1, 2), 0, 1, 16).backward(weft.tensor(dy))
    assert np.isfinite(weight.grad.numpy()).all()  # the last column is met by no output

    x = np.ones((1, 16, 9, 9), np.float32)
    x[0, 3, 4, 4] = np.nan
    y = F.conv2d(weft.tensor(x), weft.tensor(w), None, 1, 1, 1, 16).numpy()
    assert np.isnan(y[0, 3, 3:6, 3:6]).all() and np.isnan(y).sum() == 9


@pytest.mark.parametrize("last", [False, True])
def test_bits_for_any_number_of_threads(last):
    x, w = weft.tensor(randn(2, 70, 30, 33).astype("float32")), weft.tensor(randn(70, 1, 3, 3).astype("float32"))
    x = formatted(weft, x, last)

    def step():
        a, b = x.clone().requires_grad_(), w.clone().requires_grad_()
        y = F.conv2d(a, b, None, 1, 1, 1, 70)
        (y * y).sum().backward()
        return y.detach(), a.grad, b.grad

    same_bits(step)


def test_formats_agree():
    x, w = weft.tensor(randn(2, 40, 20, 21).astype("float32")), weft.tensor(randn(40, 1, 3, 3).astype("float32"))
    got = [F.conv2d(formatted(weft, x, last), w, None, 2, 1, 1, 40) for last in (False, True)]
    assert_close(got[1], got[0].numpy())
