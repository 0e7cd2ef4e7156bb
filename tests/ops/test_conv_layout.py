"""Convolutions of tensors whose channels come last in memory, and Winograd's algorithm."""

import itertools

import numpy as np
import pytest

import weft
from oracle import same_bits, torch
from weft import _core as F
from weft.testing import assert_close

rng = np.random.default_rng(0)


LAST = {4: (0, 2, 3, 1), 5: (0, 2, 3, 4, 1)}
BACK = {4: (0, 3, 1, 2), 5: (0, 4, 1, 2, 3)}


def tensor(array, last):
    t = weft.tensor(array)
    return t.permute(LAST[t.ndim]).contiguous().permute(BACK[t.ndim]) if last else t


def run(x, w, b, dy, x_last, dy_last, w_last, transposed, options):
    x = tensor(x, x_last).requires_grad_()
    w, b = tensor(w, w_last).requires_grad_(), weft.tensor(b).requires_grad_()
    name = f"conv{'_transpose' if transposed else ''}{x.ndim - 2}d"
    y = getattr(F, name)(x, w, b, **options)
    return y, *weft.autograd.grad([y], [x, w, b], [tensor(dy, dy_last)])


def expected(x, w, b, dy, transposed, options):
    x, w, b = (torch.from_numpy(a.astype(np.float64)).requires_grad_() for a in (x, w, b))
    name = f"conv{'_transpose' if transposed else ''}{x.ndim - 2}d"
    y = getattr(torch.nn.functional, name)(x, w, b, **options)
    return y, *torch.autograd.grad([y], [x, w, b], [torch.from_numpy(dy.astype(np.float64))])


def arrays(shape, outputs, kernel, dtype, transposed, options):
    """x, w, b and dy."""
    groups = options.get("groups", 1)
    x = rng.standard_normal(shape).astype(dtype)
    filters = (shape[1], outputs // groups) if transposed else (outputs, shape[1] // groups)
    w, b = rng.standard_normal((*filters, *kernel)).astype(dtype), rng.standard_normal(outputs).astype(dtype)
    name = f"conv{'_transpose' if transposed else ''}{len(shape) - 2}d"
    out = getattr(torch.nn.functional, name)(torch.from_numpy(x), torch.from_numpy(w), **options).shape
    return x, w, b, rng.standard_normal(out).astype(dtype)


def check(shape, outputs, kernel, dtype="float32", transposed=False, tolerance=None, **options):
    """Values and gradients in all four combinations of memory formats; a sequence has but one."""
    x, w, b, dy = arrays(shape, outputs, kernel, dtype, transposed, options)
    want = [t.detach().numpy() for t in expected(x, w, b, dy, transposed, options)]
    if tolerance is None:
        tolerance = 1e-5 if dtype == "float32" else 1e-13
    formats = (False, True) if len(shape) > 3 else (False,)
    for x_last, dy_last in itertools.product(formats, repeat=2):
        w_last = x_last != dy_last
        got = run(x, w, b, dy, x_last, dy_last, w_last, transposed, options)
        for g, e in zip(got, want, strict=True):
            assert np.abs(g.detach().numpy() - e).max() <= tolerance * max(1, np.abs(e).max())
        follows = any(last and not tensor(t, True).is_contiguous() for t, last in ((x, x_last), (w, w_last)))
        assert (got[0].permute(LAST[x.ndim]) if follows else got[0]).is_contiguous()


@pytest.mark.parametrize("channels", [1, 3, 8, 15, 16, 17, 33])
@pytest.mark.parametrize("outputs", [1, 7, 8, 16, 17, 31, 64, 65])
def test_channels(isa, channels, outputs):
    check((2, channels, 5, 6), outputs, (3, 3), padding=1)


GEOMETRIES = [
    ((1, 3, 13, 11), 64, (7, 7), {"stride": 2, "padding": 3}),
    ((2, 24, 9, 10), 40, (1, 1), {}),
    ((2, 24, 9, 10), 40, (1, 1), {"stride": 2}),
    ((2, 24, 12, 11), 32, (3, 3), {"stride": 2, "padding": 1}),
    ((2, 24, 12, 11), 32, (3, 5), {"stride": (3, 2), "padding": (2, 4), "dilation": (2, 3)}),
    ((2, 48, 9, 8), 32, (3, 3), {"padding": 1, "groups": 2}),
    ((3, 12, 9, 50), 12, (3, 3), {"padding": 1, "groups": 12}),
    ((2, 3, 12, 12), 24, (4, 4), {"stride": 4}),
    ((1, 3000, 3, 2), 17, (1, 1), {}),
    ((2, 700, 3, 3), 70, (3, 3), {"padding": 1}),
    ((1, 8, 3, 1500), 16, (1, 5), {"padding": (0, 2)}),
    ((2, 16, 5, 6, 4), 24, (3, 3, 3), {"padding": 1}),
    ((2, 3, 6, 7, 5), 24, (3, 2, 3), {"stride": 2, "padding": 1}),
    ((30, 20, 3, 3), 16, (2, 2), {}),
    ((5, 20, 4, 3), 33, (4, 3), {}),  # a linear layer
    ((3, 4, 2, 3, 3), 8, (2, 3, 3), {}),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_geometries(isa, geometry, dtype):
    shape, outputs, kernel, options = geometry
    check(shape, outputs, kernel, dtype, **options)


@pytest.mark.parametrize("options", [{"stride": 2, "padding": 1}, {"stride": 3, "output_padding": 1}, {"dilation": 2}])
def test_transposed(isa, options):
    check((2, 40, 5, 6), 24, (4, 4), transposed=True, **options)
    check((2, 17, 4, 4), 3, (4, 4), transposed=True, **options)
    check((5, 17, 1, 1), 30, (4, 3), transposed=True)


def test_the_format_of_the_weight_counts_too():
    x, w = weft.randn(2, 16, 5, 5), tensor(rng.standard_normal((24, 16, 3, 3)).astype(np.float32), True)
    assert F.conv2d(x, w).stride()[1] == 1
    assert F.conv2d(x, w.contiguous()).is_contiguous()


@pytest.mark.parametrize("size", [(14, 14), (15, 17), (16, 30)])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("channels", [(32, 32), (40, 70)])
def test_winograd(isa, size, padding, channels):
    check((4, channels[0], *size), channels[1], (3, 3), padding=padding, tolerance=3e-5)


@pytest.mark.parametrize(("shape", "outputs"), [((17, 520, 4, 4), 390), ((2, 384, 13, 9), 512), ((40, 256, 5, 7), 200)])
def test_winograd_with_many_channels(isa, shape, outputs):
    check(shape, outputs, (3, 3), padding=1, tolerance=5e-5)


@pytest.mark.parametrize("shape", [(9, 64, 32, 30), (300, 48, 6, 5), (1, 32, 129, 140)])
def test_winograd_in_turns(isa, shape):
    """So many tiles that the gradient of the filters takes several turns, or few channels for many threads."""
    check(shape, 48, (3, 3), padding=1, tolerance=5e-5)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("padding", [(0, 0, 1), (1, 1, 1), (2, 1, 0)])
@pytest.mark.parametrize("depth_taps", [1, 2, 3])
def test_winograd_of_volumes(isa, depth_taps, padding, transposed):
    check((2, 32, 17, 9, 34), 40, (depth_taps, 3, 3), transposed=transposed, padding=padding, tolerance=2e-5)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("padding", [0, 1, 2, 3])
@pytest.mark.parametrize("size", [(18, 21), (23, 16)])
def test_winograd_of_stride_two(isa, size, padding, transposed):
    """Filters of 4x4, sizes that leave tiles and halves unfilled at either end."""
    check((5, 64, *size), 80, (4, 4), transposed=transposed, stride=2, padding=padding, tolerance=2e-5)


@pytest.mark.parametrize(
    ("shape", "outputs", "transposed", "options"),
    [
        ((17, 144, 4, 4), 64, True, {}),  # more images than a box has
        ((33, 80, 8, 9), 48, False, {}),
        ((8, 256, 30, 34), 64, True, {}),  # several turns
        ((16, 64, 96, 40), 32, False, {}),
        ((4, 64, 17, 18), 64, True, {"output_padding": 1}),
        ((4, 64, 17, 18), 64, True, {"output_padding": (0, 1)}),
    ],
)
def test_winograd_of_stride_two_in_boxes_and_turns(isa, shape, outputs, transposed, options):
    check(shape, outputs, (4, 4), transposed=transposed, stride=2, padding=1, tolerance=3e-5, **options)


def test_winograd_of_stride_two_has_nan_only_where_it_is_met():
    x = np.ones((4, 64, 16, 16), np.float32)
    x[0, 0, 8, 8] = np.nan
    y = F.conv_transpose2d(weft.tensor(x), weft.ones(64, 64, 4, 4), stride=2, padding=1).numpy()
    assert np.isnan(y[0, :, 15:19, 15:19]).all()
    assert np.isfinite(y[1:]).all()
    assert np.isfinite(y[0, :, :8]).all()


def test_winograd_can_be_turned_off():
    x = rng.standard_normal((4, 64, 16, 16)).astype(np.float32)
    w = rng.standard_normal((64, 64, 3, 3)).astype(np.float32)
    exact = torch.conv2d(torch.from_numpy(x).double(), torch.from_numpy(w).double()).numpy()

    def error():
        y = F.conv2d(weft.tensor(x), weft.tensor(w)).numpy()
        return np.sqrt(((y - exact) ** 2).mean() / (exact**2).mean())

    assert weft.backends.conv.winograd
    transformed = error()
    weft.backends.conv.winograd = False
    try:
        direct = error()
    finally:
        weft.backends.conv.winograd = True
    assert direct < 5e-7
    assert direct < transformed < 4e-6


def test_winograd_has_nan_only_where_it_is_met():
    x = np.ones((4, 32, 16, 16), np.float32)
    x[0, 0, 8, 8] = np.nan  # all of a tile of 4x4 outputs may show it, but no more
    y = F.conv2d(weft.tensor(x), weft.ones(32, 32, 3, 3), padding=1).numpy()
    assert np.isnan(y[0, :, 7:10, 7:10]).all()
    assert np.isfinite(y[1:]).all()
    assert np.isfinite(y[0, :, :4]).all()


@pytest.mark.parametrize("last", [False, True])
@pytest.mark.parametrize(
    ("shape", "outputs", "kernel", "stride"),
    [
        ((16, 64, 16, 16), 64, 3, 1),
        ((4, 96, 9, 9), 80, 3, 2),
        ((1, 300, 4, 4), 200, 3, 1),
        ((5, 3, 30, 30), 64, 3, 1),
        ((16, 512, 4, 4), 512, 3, 1),
        ((16, 64, 40, 40), 64, 3, 1),
        ((16, 96, 8, 8), 80, 4, 2),
        ((9, 64, 40, 40), 48, 4, 2),
        ((2, 32, 9, 20, 20), 40, 3, 1),
    ],
)
def test_same_bits_on_any_number_of_threads(shape, outputs, kernel, stride, last):
    x = rng.standard_normal(shape).astype(np.float32)
    axes = len(shape) - 2
    w = rng.standard_normal((outputs, shape[1], *[kernel] * axes)).astype(np.float32)
    conv = F.conv2d if axes == 2 else F.conv3d

    def run():
        a, b = tensor(x, last).requires_grad_(), weft.tensor(w).requires_grad_()
        y = conv(a, b, stride=stride, padding=1)
        (y * y).sum().backward()
        return y, a.grad, b.grad

    same_bits(run)


def test_memory_formats():
    x = weft.randn(2, 3, 4, 5, requires_grad=True)
    y = x.contiguous(memory_format=weft.channels_last)
    assert y.is_contiguous(memory_format=weft.channels_last) and not y.is_contiguous()
    assert y.stride() == (60, 1, 15, 3)
    assert y.contiguous(memory_format=weft.channels_last) is y
    assert x.to(memory_format=weft.preserve_format) is x
    assert_close(y, x)
    (y * y).sum().backward()
    assert_close(x.grad, 2 * x.detach())
    assert x.to(weft.float64, memory_format=weft.channels_last).stride() == (60, 1, 15, 3)
    assert weft.ones(2, 3, 4, 5, 6).contiguous(memory_format=weft.channels_last_3d).stride() == (360, 1, 90, 18, 3)
    assert weft.ones(2, 3, 1, 1).is_contiguous(memory_format=weft.channels_last)
    with pytest.raises(RuntimeError, match="4 dimensions"):
        weft.ones(2, 3).contiguous(memory_format=weft.channels_last)


def test_a_model_keeps_the_format():
    nn = weft.nn
    model = nn.Sequential(nn.Conv2d(3, 16, 3), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 8, 1))
    x = weft.randn(2, 3, 9, 9)
    plain = model(x)
    assert plain.is_contiguous()
    model.to(memory_format=weft.channels_last)
    assert model[0].weight.is_contiguous(memory_format=weft.channels_last)
    y = model(x.to(memory_format=weft.channels_last))
    assert y.is_contiguous(memory_format=weft.channels_last)
    y.sum().backward()
    model.to(memory_format=weft.contiguous_format)
    assert model[0].weight.is_contiguous()
    model.train(False)
    assert_close(model(x), model(x.to(memory_format=weft.channels_last)), terms=200)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("options", [{}, {"stride": 2}, {"dilation": 2}])
def test_a_weight_is_packed_once_and_again_when_it_changes(isa, options, transposed):
    conv = F.conv_transpose2d if transposed else F.conv2d
    x, w = weft.randn(2, 32, 12, 14), weft.randn(32, 32, 3, 3)
    expected = conv(x, w.clone(), **options)
    for _ in range(3):
        assert (conv(x, w, **options) == expected).all()
    assert_close(conv(x, w, padding=1, **options).sum(), conv(x, w.clone(), padding=1, **options).sum(), terms=1000)
    w.mul_(2)
    for _ in range(3):
        assert (conv(x, w, **options) == 2 * expected).all()
    small = conv(x[:, :, :5, :5], w, **options)  # other ways for other sizes
    assert_close(small, conv(x[:, :, :5, :5], w.clone(), **options))


@pytest.mark.parametrize("channels", [(256, 144), (530, 260)])
def test_packed_or_not_the_bits_are_the_same_with_many_channels(isa, channels):
    x, w = weft.randn(12, channels[0], 8, 7), weft.randn(channels[1], channels[0], 3, 3)
    expected = F.conv2d(x, w.clone(), padding=1)
    for _ in range(3):
        assert (F.conv2d(x, w, padding=1) == expected).all()


def test_packed_or_not_the_bits_are_the_same_with_stride_two():
    x, w = weft.randn(12, 64, 8, 10), weft.randn(64, 64, 4, 4)
    expected = F.conv_transpose2d(x, w.clone(), stride=2, padding=1)
    for _ in range(3):
        assert (F.conv_transpose2d(x, w, stride=2, padding=1) == expected).all()
