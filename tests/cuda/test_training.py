"""Whole steps on "cuda" equal the CPU's."""

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from weft import nn
from weft.testing import assert_close

rng = np.random.default_rng(1)


def losses(model, optimizer, x, y, steps):
    out = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        out.append(loss.item())
    return out


def perceptron():
    return nn.Sequential(nn.Linear(12, 24), nn.LayerNorm(24), nn.GELU(), nn.Linear(24, 5))


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False),  # a bias before a batch norm has no gradient but rounding errors
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(96, 5),
    )


@pytest.mark.parametrize(("make", "shape"), [(perceptron, (16, 12)), (convolutional, (8, 1, 8, 8))])
@pytest.mark.parametrize("rule", ["SGD", "Adam", "AdamW"])
def test_a_network_trains_as_on_the_cpu(device, make, shape, rule):
    weft.manual_seed(0)
    model, other = make(), make()
    other.load_state_dict(model.state_dict())
    other.to(device)
    x = weft.tensor(rng.standard_normal(shape).astype(np.float32))
    y = weft.tensor(rng.integers(0, 5, shape[0]))
    options = {"lr": 0.05, "momentum": 0.9, "nesterov": True} if rule == "SGD" else {"lr": 0.01, "weight_decay": 0.1}

    def optimizer(m):
        return getattr(weft.optim, rule)(m.parameters(), **options)

    expected = losses(model, optimizer(model), x, y, 6)
    got = losses(other, optimizer(other), x.to(device), y.to(device), 6)
    np.testing.assert_allclose(got, expected, rtol=2e-4)
    assert got[-1] < got[0]
    for name, value in other.state_dict().items():
        assert value.is_cuda, name
        if value.dtype == weft.float32:
            np.testing.assert_allclose(value.cpu().numpy(), model.state_dict()[name].numpy(), atol=2e-3, err_msg=name)


def test_the_same_bits_every_time(device):
    def run():
        weft.manual_seed(0)
        model = perceptron().to(device)
        x = weft.randn(16, 12, device=device)
        y = weft.tensor(np.arange(16) % 5).to(device)
        losses(model, weft.optim.AdamW(model.parameters()), x, y, 3)
        return [p.detach().cpu().numpy() for p in model.parameters()]

    for a, b in zip(run(), run(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_gradient_norm(device):
    from weft.nn.utils import clip_grad_norm_

    p = nn.Parameter(weft.zeros(5000, device=device))
    p.grad = weft.ones(5000, device=device)
    norm = clip_grad_norm_([p], 1.0)
    np.testing.assert_allclose(norm.item(), 5000**0.5, rtol=1e-6)
    assert_close(p.grad, np.full(5000, 5000**-0.5, np.float32), rtol=1e-5)
