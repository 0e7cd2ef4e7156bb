"""conv3d and conv_transpose3d; what they share with conv2d is in test_conv.py and test_conv_transpose.py."""

import pytest
from test_conv import functional, randn

import weft
from oracle import check_same, same_bits
from weft import _core as F
from weft.testing import assert_close, gradcheck

# channels, outputs, groups, size, kernel, stride, padding, dilation
GEOMETRIES = [
    (1, 1, 1, (1, 1, 1), (1, 1, 1), 1, 0, 1),
    (3, 5, 1, (5, 6, 7), (3, 3, 3), 1, 0, 1),
    (2, 9, 1, (4, 9, 8), (3, 3, 3), 1, 1, 1),
    (3, 16, 1, (7, 9, 11), (3, 3, 3), 2, 1, 1),
    (4, 6, 2, (6, 5, 7), (2, 3, 1), (3, 1, 2), (1, 0, 2), 1),
    (2, 3, 1, (9, 10, 8), (3, 2, 3), (1, 2, 3), (2, 1, 3), (2, 3, 2)),
    (5, 8, 1, (3, 4, 16), (1, 1, 1), 1, 0, 1),
    (4, 8, 4, (5, 5, 33), (3, 3, 3), 1, 1, 1),
    (17, 33, 1, (3, 4, 4), (3, 3, 3), 1, 1, 1),
    (2, 40, 1, (6, 2, 2), (3, 2, 2), 1, 0, 1),
    (1, 4, 1, (8, 3, 3), (8, 1, 3), 1, 0, 1),
]


def options_of(geometry):
    return dict(zip(("stride", "padding", "dilation", "groups"), (*geometry[5:], geometry[2]), strict=True))


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_against_torch(isa, geometry):
    channels, outputs, groups, size, kernel, *_ = geometry
    x, w, b = randn(2, channels, *size), randn(outputs, channels // groups, *kernel), randn(outputs)
    check_same(lambda m, *a: functional(m).conv3d(*a, **options_of(geometry)), x, w, b)


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=str)
def test_transposed_against_torch(isa, geometry):
    channels, outputs, groups, _, kernel, *_ = geometry
    x, w, b = randn(2, channels, 3, 4, 5), randn(channels, outputs // groups, *kernel), randn(outputs)
    options = options_of(geometry) | {"padding": 0}
    check_same(lambda m, *a: functional(m).conv_transpose3d(*a, **options), x, w, b)


def test_transposed_with_padding_and_output_padding(isa):
    x, w = randn(1, 4, 3, 4, 3), randn(4, 3, 3, 4, 2)
    options = {"stride": (2, 3, 2), "padding": (1, 2, 0), "output_padding": (1, 2, 0), "groups": 2}
    check_same(lambda m, *a: functional(m).conv_transpose3d(*a, **options), x, w)


def test_large_volumes_are_cut_into_blocks(isa):
    check_same(lambda m, *a: functional(m).conv3d(*a, padding=1), randn(1, 24, 20, 24, 40), randn(8, 24, 3, 3, 3))
    check_same(lambda m, *a: functional(m).conv3d(*a), randn(1, 2, 70, 8, 9), randn(20, 2, 3, 3, 3))


@pytest.mark.parametrize("width", [1, 2, 3, 5, 6, 8, 9, 13, 14, 15, 17, 22, 23, 28, 31, 63, 130])
def test_widths_of_few_channels(isa, width):
    check_same(
        lambda m, *a: functional(m).conv3d(*a, padding=1), randn(1, 2, 5, 6, width), randn(9, 2, 3, 3, 3), randn(9)
    )


@pytest.mark.parametrize("outputs", [8, 15, 16, 17, 31, 33, 70])
@pytest.mark.parametrize(
    "options", [{"padding": (3, 1, 0)}, {"stride": (2, 1, 3), "dilation": (2, 2, 1), "padding": 2}]
)
def test_outputs_of_few_channels(isa, outputs, options):
    check_same(
        lambda m, *a: functional(m).conv3d(*a, groups=2, **options),
        randn(3, 10, 6, 7, 19),
        randn(2 * outputs, 5, 3, 2, 3),
        randn(2 * outputs),
    )


def test_few_channels_of_short_rows(isa):
    check_same(lambda m, *a: functional(m).conv2d(*a, padding=1), randn(40, 3, 37, 5), randn(40, 3, 3, 3))
    check_same(lambda m, *a: functional(m).conv1d(*a, stride=2), randn(40, 15, 9), randn(20, 15, 3))


def test_relu_of_few_channels(isa):
    x, w, b = (weft.tensor(randn(*s)).float() for s in [(2, 3, 5, 9, 20), (24, 3, 3, 3, 3), (24,)])
    assert_close(F._conv3d_relu(x, w, b, padding=1), weft.relu(F.conv3d(x, w, b, padding=1)))


def test_nan_of_few_channels_stays_where_it_is_met(isa):
    x, w = randn(1, 3, 4, 6, 21), weft.tensor(randn(16, 3, 3, 3, 3)).float()
    x[0, 1, 2, 5, 20] = float("nan")
    bad = weft.isnan(F.conv3d(weft.tensor(x).float(), w, padding=1)).numpy()
    met = weft.zeros(1, 16, 4, 6, 21, dtype=weft.bool).numpy().copy()
    met[:, :, 1:, 4:, 19:] = True
    assert (bad == met).all()


@pytest.mark.filterwarnings("ignore:Using padding='same'")
def test_same_valid_unbatched_and_half():
    x, w = randn(3, 5, 6, 7), randn(4, 3, 2, 3, 4)
    check_same(lambda m, *a: functional(m).conv3d(*a, padding="same"), x, w)
    check_same(lambda m, *a: functional(m).conv3d(*a, padding="valid"), x, w, dtypes=("float16", "bfloat16"))


def test_a_volume_of_one_depth_is_an_image():
    x, w = weft.tensor(randn(2, 3, 9, 8)), weft.tensor(randn(4, 3, 3, 3))
    y = F.conv3d(x.unsqueeze(2), w.unsqueeze(2), padding=(0, 1, 1))
    assert_close(y.squeeze(2), F.conv2d(x, w, padding=1))


def test_second_derivatives():
    def first(x, w):
        x, w = (t if t.requires_grad else t.requires_grad_() for t in (x, w))
        y = F.conv3d(x, w, stride=(1, 2, 1), padding=1)
        return weft.autograd.grad((y * y * y).sum(), (x, w), create_graph=True)

    gradcheck(first, randn(1, 2, 2, 3, 2), randn(2, 2, 2, 2, 2))


@pytest.mark.parametrize(("outputs", "size"), [(16, (9, 10, 11)), (70, (6, 21, 33))])
def test_same_bits_on_any_number_of_threads(outputs, size):
    x, w, dy = (weft.tensor(randn(*s)).float() for s in [(2, 8, *size), (outputs, 8, 3, 3, 3), (2, outputs, *size)])

    def run():
        a, b = x.clone().requires_grad_(), w.clone().requires_grad_()
        y = F.conv3d(a, b, padding=1)
        y.backward(dy)
        return y, a.grad, b.grad

    same_bits(run)


def test_bad_arguments():
    x, w = weft.zeros(1, 2, 4, 4, 4), weft.zeros(3, 2, 3, 3, 3)
    with pytest.raises(RuntimeError, match="one int or three"):
        F.conv3d(x, w, stride=(1, 2))
    with pytest.raises(RuntimeError, match="weight of 5 dimensions"):
        F.conv3d(x, weft.zeros(3, 2, 3, 3))
    with pytest.raises(RuntimeError, match="4 .unbatched. or 5"):
        F.conv3d(weft.zeros(4, 4, 4), w)
    with pytest.raises(RuntimeError, match="kernel no larger"):
        F.conv3d(weft.zeros(1, 2, 2, 4, 4), w)
