import numpy as np
import pytest

import weft
from oracle import check, check_same, same_bits, torch
from weft import _core as F
from weft.testing import assert_close, gradcheck

rng = np.random.default_rng(2)


def randn(*shape):
    return rng.standard_normal(shape)


def functional(m):
    return F if m is weft else torch.nn.functional


def check_pool(name, x, *args, dtypes=("float32", "float64"), **options):
    check_same(lambda m, x: getattr(functional(m), name)(x, *args, **options), x, dtypes=dtypes)


SIZES = [(1, 1), (1, 7), (5, 16), (8, 8), (9, 17), (12, 33), (7, 64)]

# kernel_size, stride, padding
WINDOWS = [
    (1, None, 0),
    (2, None, 0),
    (2, 1, 1),
    (3, 2, 1),
    ((2, 3), (1, 2), (0, 1)),
    (3, 1, 1),
    ((1, 5), (2, 3), (0, 2)),
    ((5, 1), 4, (2, 0)),
]


def fits(size, kernel, padding):
    pairs = [(v, v) if isinstance(v, int) else v for v in (kernel, padding)]
    return all(n + 2 * p >= k for n, k, p in zip(size, *pairs, strict=True))


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_max_pool2d(isa, size):
    for kernel, stride, padding in WINDOWS:
        for ceil_mode in (False, True):
            if fits(size, kernel, padding):
                check_pool("max_pool2d", randn(2, 3, *size), kernel, stride, padding, ceil_mode=ceil_mode)


def test_max_pool2d_dilation(isa):
    for dilation, padding in [(2, 0), ((1, 3), 1), (3, 1)]:
        check_pool("max_pool2d", randn(2, 2, 11, 24), 3, 2, padding, dilation)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_avg_pool2d(isa, size):
    for kernel, stride, padding in WINDOWS:
        for ceil_mode in (False, True):
            for count in (False, True):
                if fits(size, kernel, padding):
                    check_pool("avg_pool2d", randn(2, 3, *size), kernel, stride, padding, ceil_mode, count)


def test_avg_pool2d_divisor_override(isa):
    check_pool("avg_pool2d", randn(2, 3, 9, 8), 3, 2, 1, divisor_override=5)
    check_pool("avg_pool2d", randn(2, 3, 9, 8), (9, 8), divisor_override=1)


OUTPUTS = [1, 2, 3, 7, (1, 5), (None, 4), (5, None), (4, 4), (11, 20)]


@pytest.mark.parametrize("outputs", OUTPUTS, ids=str)
def test_adaptive(isa, outputs):
    for size in [(1, 1), (7, 9), (8, 32), (11, 20)]:
        check_pool("adaptive_avg_pool2d", randn(2, 3, *size), outputs)
        check_pool("adaptive_max_pool2d", randn(2, 3, *size), outputs)


@pytest.mark.parametrize("kernel", [(9, 8), (3, 8), (2, 5), (9, 1)])
def test_windows_that_are_wider_than_the_output(isa, kernel):
    check_pool("max_pool2d", randn(2, 3, 9, 8), kernel)
    check_pool("avg_pool2d", randn(2, 3, 9, 8), kernel)
    check_pool("avg_pool2d", randn(2, 3, 9, 8), kernel, 2, (0, kernel[1] // 2), True, False)


@pytest.mark.parametrize("width", [1, 2, 15, 16, 17, 31, 32, 33, 65, 130])
def test_widths(isa, width):
    x = randn(1, 2, 4, 2 * width + 1)
    for name in ("max_pool2d", "avg_pool2d"):
        check_pool(name, x, 2)
        check_pool(name, x, 3, 1, 1)
        check_pool(name, x, (2, 3), 3, 1)


def test_indices(isa):
    x = weft.tensor(randn(2, 3, 6, 9))
    for y, index in (
        F.max_pool2d(x, 3, 2, 1, return_indices=True),
        F.max_pool2d(x, 2, dilation=2, return_indices=True),
        F.adaptive_max_pool2d(x, (4, 2), return_indices=True),
    ):
        assert index.dtype == weft.int64 and index.shape == y.shape
        flat = x.numpy().reshape(6, -1)
        assert_close(y, np.take_along_axis(flat, index.numpy().reshape(6, -1), 1).reshape(tuple(y.shape)))


def test_indices_match_torch():
    for m in ("max_pool2d", "adaptive_max_pool2d"):
        check_same(lambda lib, x, m=m: getattr(functional(lib), m)(x, 3, return_indices=True), randn(2, 2, 9, 10))
    check_same(lambda lib, x: functional(lib).max_pool1d(x, 3, return_indices=True), randn(2, 2, 9))


def test_first_of_equals_and_nan(isa):
    x = np.zeros((1, 1, 4, 40), np.float32)
    y, index = F.max_pool2d(weft.tensor(x), 2, return_indices=True)
    assert index[0, 0, 1, :3].tolist() == [80, 82, 84]
    x[0, 0, 1, 5] = np.nan
    y, index = F.max_pool2d(weft.tensor(x), 2, return_indices=True)
    assert np.isnan(y.numpy()).nonzero()[3].tolist() == [2] and index[0, 0, 0, 2].item() == 45
    x[:] = -np.inf
    y, index = F.max_pool2d(weft.tensor(x), 3, 2, 1, return_indices=True)
    assert (y.numpy() == -np.inf).all() and index[0, 0, 0, :2].tolist() == [0, 1]


def test_overlapping_windows_add_up(isa):
    x = np.zeros((1, 1, 3, 3))
    x[0, 0, 1, 1] = 1
    t = weft.tensor(x).requires_grad_()
    F.max_pool2d(t, 2, 1).sum().backward()
    assert t.grad[0, 0, 1, 1].item() == 4


def test_integers():
    x = rng.integers(-100, 100, (2, 3, 8, 9))
    for dtype in ("int8", "int16", "int32", "int64"):
        check(lambda t: F.max_pool2d(t, 3, 2, 1), lambda t: torch.nn.functional.max_pool2d(t, 3, 2, 1), x.astype(dtype))
    assert F.max_pool2d(weft.tensor(np.full((1, 1, 2, 2), 200, np.uint8)), 2).item() == 200


def test_half_precision():
    for name in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"):
        check_pool(name, randn(2, 3, 8, 8), 2, dtypes=("float16", "bfloat16"))


def test_unbatched_and_views(isa):
    check_pool("max_pool2d", randn(3, 6, 8), 2)
    check_pool("avg_pool2d", randn(3, 6, 8), 2)
    check_pool("adaptive_avg_pool2d", randn(3, 6, 8), 4)
    for name in ("max_pool2d", "avg_pool2d", "adaptive_avg_pool2d"):
        check_same(
            lambda m, x, n=name: getattr(functional(m), n)(x.transpose(1, 3)[..., 1:, ::2], 2), randn(2, 8, 9, 3)
        )


def test_sequences(isa):
    for size in (5, 16, 33):
        x = randn(2, 3, size)
        check_pool("max_pool1d", x, 3, 2, 1)
        check_pool("max_pool1d", x, 2, dilation=2, ceil_mode=True)
        check_pool("avg_pool1d", x, 3, 2, 1)
        check_pool("avg_pool1d", x, 4, ceil_mode=True, count_include_pad=False)
        check_pool("adaptive_avg_pool1d", x, 3)
        check_pool("adaptive_max_pool1d", x, 3)
    check_pool("max_pool1d", randn(3, 8), 2)


def test_long_lines(isa):
    x = randn(1, 2, 2500)
    for kernel, stride, padding in ((2, 2, 0), (3, 1, 1), (5, 7, 2), (3, 100, 0), (1200, 1, 3), (1030, 900, 500)):
        check_pool("avg_pool1d", x, kernel, stride, padding)
    for outputs in (2, 3, 900):
        check_pool("adaptive_avg_pool1d", x, outputs)


@pytest.mark.parametrize("channels", (1, 3, 16, 17, 70))
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("max_pool2d", {"kernel_size": 3, "stride": 2, "padding": 1}),
        ("max_pool2d", {"kernel_size": 2, "ceil_mode": True, "dilation": 2}),
        ("avg_pool2d", {"kernel_size": (2, 3), "stride": 1, "padding": 1, "count_include_pad": False}),
        ("adaptive_avg_pool2d", {"output_size": (3, 1)}),
        ("adaptive_max_pool2d", {"output_size": (2, 5)}),
    ],
)
def test_channels_last(isa, channels, name, options):
    x = randn(2, 7, 9, channels)
    check(
        lambda v: getattr(F, name)(v.permute(0, 3, 1, 2), **options),
        lambda v: getattr(torch.nn.functional, name)(v.permute(0, 3, 1, 2), **options),
        x,
    )
    image = weft.tensor(x).permute(0, 3, 1, 2)
    y = getattr(F, name)(image, **options)
    if channels > 1:
        assert y.permute(0, 2, 3, 1).is_contiguous()
    if name.startswith(("max", "adaptive_max")):
        one, two = (getattr(F, name)(v, return_indices=True, **options) for v in (image, image.contiguous()))
        assert_close(one[0], two[0])
        assert_close(one[1], two[1])


@pytest.mark.parametrize("shape", ((40, 1, 5, 6), (3, 11, 1, 31), (17, 1, 32, 32), (2, 9, 4, 30)), ids=str)
def test_small_volumes_side_by_side(isa, shape):
    x = randn(*shape)
    for name, arguments in (("max_pool2d", (2, 2, 1)), ("avg_pool2d", (3, 2, 1)), ("adaptive_avg_pool2d", ((1, 3),))):
        check_pool(name, x, *arguments)


def test_empty_batch():
    x = weft.zeros(0, 3, 8, 8, requires_grad=True)
    for y in (F.max_pool2d(x, 2), F.avg_pool2d(x, 2), F.adaptive_avg_pool2d(x, 4)):
        assert y.shape == (0, 3, 4, 4)
        y.sum().backward()
        assert x.grad.shape == x.shape
    assert F.adaptive_avg_pool2d(weft.zeros(2, 3, 4, 4), (0, 2)).shape == (2, 3, 0, 2)


def test_second_derivatives():
    def gradient(pool):
        def first(x):
            x = x if x.requires_grad else x.requires_grad_()
            y = pool(x)
            return weft.autograd.grad((y * y * y).sum(), x, create_graph=True)[0]

        return first

    x = randn(1, 2, 5, 6)
    for pool in (
        lambda x: F.max_pool2d(x, 3, 2, 1),
        lambda x: F.avg_pool2d(x, 3, 2, 1),
        lambda x: F.adaptive_avg_pool2d(x, (2, 4)),
        lambda x: F.adaptive_max_pool2d(x, (2, 4)),
    ):
        gradcheck(pool, x)
        gradcheck(gradient(pool), x)


def test_same_bits_on_any_number_of_threads():
    array = randn(8, 32, 31, 33).astype(np.float32)

    def run():
        x = weft.tensor(array).requires_grad_()
        outputs = F.max_pool2d(x, 3, 2, 1), F.avg_pool2d(x, 3, 2, 1), F.adaptive_avg_pool2d(x, 5)
        sum((y * y).sum() for y in outputs).backward()
        return *outputs, x.grad

    same_bits(run)


@pytest.mark.parametrize("name", ["max_pool2d", "avg_pool2d"])
@pytest.mark.parametrize(
    ("shape", "arguments", "words"),
    [
        ((4, 4), {"kernel_size": 2}, "dimensions"),
        ((1, 1, 1, 4, 4), {"kernel_size": 2}, "dimensions"),
        ((1, 1, 4, 4), {"kernel_size": 5}, "no larger"),
        ((1, 1, 4, 4), {"kernel_size": 0}, "kernel_size"),
        ((1, 1, 4, 4), {"kernel_size": (2, 2, 2)}, "kernel_size"),
        ((1, 1, 4, 4), {"kernel_size": 2, "stride": 0}, "stride"),
        ((1, 1, 4, 4), {"kernel_size": 2, "padding": 2}, "half"),
        ((1, 1, 4, 4), {"kernel_size": 2, "padding": -1}, "padding"),
        ((1, 0, 4, 4), {"kernel_size": 2}, "above 0"),
        ((1, 1, 0, 4), {"kernel_size": 2}, "above 0"),
    ],
)
def test_bad_arguments(name, shape, arguments, words):
    with pytest.raises(RuntimeError, match=rf"\[{name}\]") as info:
        getattr(F, name)(weft.zeros(*shape), **arguments)
    assert words in str(info.value)


def test_more_bad_arguments():
    x = weft.zeros(1, 1, 4, 4)
    with pytest.raises(RuntimeError, match="divisor"):
        F.avg_pool2d(x, 2, divisor_override=0)
    with pytest.raises(RuntimeError, match="output_size"):
        F.adaptive_avg_pool2d(x, -1)
    with pytest.raises(RuntimeError, match="output_size"):
        F.adaptive_avg_pool2d(x, (1, 2, 3))
    with pytest.raises(RuntimeError, match="dilation"):
        F.max_pool2d(x, 2, dilation=0)
    with pytest.raises(RuntimeError, match="no element"):
        F.max_pool2d(weft.zeros(1, 1, 1, 1), 2, 1, 3, 5)
    for function in (F.avg_pool2d, F.adaptive_avg_pool2d, F.adaptive_max_pool2d):
        with pytest.raises(NotImplementedError, match="floating"):
            function(x.to(weft.int32), 2)
    with pytest.raises(NotImplementedError):
        F.max_pool2d(x.to(weft.bool), 2)
    with pytest.raises(OverflowError):
        F.max_pool2d(x, 2**40)
