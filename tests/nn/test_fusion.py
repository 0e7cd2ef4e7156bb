import numpy as np
import pytest

import weft
from weft import nn
from weft.nn.utils import fuse
from weft.testing import assert_close


def settle(model, *shape):
    """Running statistics and parameters unlike those of a new model."""
    for m in model.modules():
        if hasattr(m, "running_mean") and m.running_mean is not None:
            with weft.no_grad():
                m.running_mean.copy_(weft.randn(m.num_features))
                m.running_var.copy_(weft.rand(m.num_features) + 0.5)
                if m.weight is not None:
                    m.weight.copy_(weft.rand(m.num_features) + 0.5)
                    m.bias.copy_(weft.randn(m.num_features))
    model.train(False)
    return weft.randn(*shape)


def norms(model):
    return sum(isinstance(m, nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d) for m in model.modules())


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("affine", [False, True])
@pytest.mark.parametrize(
    ("layer", "norm", "shape"),
    [
        (lambda b: nn.Conv1d(4, 6, 3, bias=b), nn.BatchNorm1d, (2, 4, 9)),
        (lambda b: nn.Conv2d(4, 6, 3, groups=2, bias=b), nn.BatchNorm2d, (2, 4, 9, 8)),
        (lambda b: nn.Conv3d(4, 6, 2, bias=b), nn.BatchNorm3d, (2, 4, 4, 5, 6)),
        (lambda b: nn.ConvTranspose2d(4, 6, 4, 2, groups=2, bias=b), nn.BatchNorm2d, (2, 4, 5, 5)),
        (lambda b: nn.Linear(4, 6, bias=b), nn.BatchNorm1d, (7, 4)),
    ],
)
def test_neighbours_in_a_sequence(layer, norm, shape, bias, affine):
    model = nn.Sequential(layer(bias), norm(6, affine=affine), nn.ReLU())
    x = settle(model, *shape)
    fused = fuse(model)
    assert norms(fused) == 0 and norms(model) == 1
    assert not fused.training
    assert_close(fused(x), model(x), terms=100)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8)
        self.conv2, self.bn2 = nn.Conv2d(8, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4)
        self.elsewhere, self.bn3 = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4)
        self.shared = nn.Conv2d(4, 4, 1)
        self.bn4 = nn.BatchNorm2d(4)

    def forward(self, x):
        y = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
        z = self.elsewhere(x)
        return y + z + self.bn3(z), self.bn4(self.shared(self.shared(x)))


def test_pairs_that_an_example_shows():
    model = Block()
    x = settle(model, 2, 4, 6, 6)
    assert norms(fuse(model)) == 4
    fused = fuse(model, x)
    assert isinstance(fused.bn1, nn.Identity) and isinstance(fused.bn2, nn.Identity)
    assert isinstance(fused.bn3, nn.BatchNorm2d) and isinstance(fused.bn4, nn.BatchNorm2d)
    for got, wanted in zip(fused(x), model(x), strict=True):
        assert_close(got, wanted, terms=100)
    assert all(p.requires_grad for p in fused.parameters())


def test_what_is_left_alone():
    assert norms(fuse(nn.Sequential(nn.Conv2d(2, 3, 1), nn.ReLU(), nn.BatchNorm2d(3)))) == 1
    assert norms(fuse(nn.Sequential(nn.Conv2d(2, 3, 1), nn.BatchNorm2d(3, track_running_stats=False)))) == 1
    conv = nn.Conv2d(3, 3, 1)
    twice = nn.Sequential(conv, nn.BatchNorm2d(3), conv)
    assert norms(fuse(twice)) == 1


def test_relu_joins_the_convolution_before_it():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.ReLU())
    x = settle(model, 1, 3, 5, 5)
    fused = fuse(model)
    assert launches(fused, x) == ["conv2d", "conv2d"]
    assert_close(fused(x), model(x), terms=100)
    seen = []
    fused[1].register_forward_hook(lambda module, args, output: seen.append(output.shape))
    fused[4].register_forward_hook(lambda module, args, output: seen.append(output.shape))
    assert launches(fused, x) == ["conv2d", "relu", "conv2d", "relu"]
    assert_close(fused(x), model(x), terms=100)
    assert seen == [(1, 4, 3, 3)] * 4


def launches(model, x):
    with weft.no_grad():
        return [name for name, *_ in weft._core._time_kernels(lambda: model(x))]


class Flat(nn.Module):
    def __init__(self, *layers, flatten):
        super().__init__()
        self.body = nn.Sequential(*layers)
        self.flatten = flatten

    def forward(self, x):
        return self.flatten(self.body(x))


@pytest.mark.parametrize(
    ("flatten", "last"),
    [
        (lambda y: y.flatten(1), True),
        (lambda y: y.view(1, -1), False),
        (lambda y: y, False),
        (lambda y: y.mean((2, 3)), True),
    ],
)
def test_channels_go_last_where_nobody_sees_it(flatten, last):
    model = Flat(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), flatten=flatten)
    x = settle(model, 1, 3, 7, 7)
    fused = fuse(model, x)
    assert norms(fused) == 0
    for conv in (fused.body[0], fused.body[3]):
        assert conv.weight.is_contiguous(memory_format=weft.channels_last) == last
        assert conv.weight.is_contiguous() != last
    assert fused(x).stride() == model(x).stride()
    assert_close(fused(x), model(x), terms=100)


def test_precision_and_state():
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    x = settle(model, 1, 3, 5, 5)
    before = {k: np.array(v.numpy()) for k, v in model.state_dict().items()}
    fused = fuse(model.to(weft.float64))
    assert fused[0].weight.dtype == weft.float64
    assert_close(fused(x.to(weft.float64)), model(x.to(weft.float64)), terms=100)
    for key, value in model.state_dict().items():
        np.testing.assert_array_equal(value.numpy().astype(before[key].dtype), before[key])
