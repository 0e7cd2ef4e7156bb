import math

import numpy as np
import pytest

import weft
from weft import nn
from weft.amp import GradScaler

torch = pytest.importorskip("torch")


def test_the_same_scales_and_parameters_as_pytorch():
    """Twelve steps, two of them with an inf among the gradients."""
    results = []
    for m, Parameter, Scaler in ((weft, nn.Parameter, GradScaler), (torch, torch.nn.Parameter, torch.amp.GradScaler)):
        p = Parameter(m.ones(3))
        optimizer = m.optim.SGD([p], lr=0.1, momentum=0.5)
        scaler = Scaler("cpu", init_scale=8.0, growth_interval=3)
        rows = []
        for step in range(12):
            optimizer.zero_grad()
            loss = (p * p).sum() * (float("inf") if step in (2, 7) else 1.0)
            scaler.scale(loss).backward()
            if step % 2:
                scaler.unscale_(optimizer)
                m.nn.utils.clip_grad_norm_([p], 1.0)
            scaler.step(optimizer)
            scaler.update()
            rows.append((scaler.get_scale(), scaler.state_dict()["_growth_tracker"], *p.detach().tolist()))
        results.append((rows, scaler.state_dict()))
    np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-6)
    assert results[0][1] == results[1][1]


def test_nan_is_found_and_the_step_left_out():
    p = nn.Parameter(weft.ones(2))
    optimizer, scaler = weft.optim.AdamW([p]), GradScaler("cpu", init_scale=4.0)
    p.grad = weft.tensor([math.nan, 1.0])
    assert scaler.step(optimizer) is None
    scaler.update()
    assert p.tolist() == [1, 1] and scaler.get_scale() == 2.0


def test_arguments_go_on_to_the_step():
    p = nn.Parameter(weft.zeros(2))
    optimizer, scaler = weft.optim.SGD([p], lr=1.0), GradScaler("cpu", init_scale=4.0)
    p.grad = weft.tensor([12.0, 16.0])
    scaler.step(optimizer, max_norm=1.0)
    np.testing.assert_allclose(p.detach().numpy(), [-0.6, -0.8], rtol=1e-5)
    assert float(optimizer.grad_norm) == pytest.approx(5.0)


def test_lists_state_and_switching_off():
    scaler = GradScaler("cpu", init_scale=4.0)
    one, (two,) = scaler.scale([weft.ones(1), (weft.ones(1),)])
    assert one.tolist() == two.tolist() == [4.0]
    other = GradScaler("cpu")
    other.load_state_dict(scaler.state_dict())
    assert other.get_scale() == 4.0
    other.update(7.0)
    assert other.get_scale() == 7.0
    off = GradScaler("cpu", enabled=False)
    assert off.get_scale() == 1.0 and off.state_dict() == {} and not off.is_enabled()
    x = weft.ones(1)
    assert off.scale(x) is x
    off.update()
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not GradScaler().is_enabled()


def test_errors():
    p = nn.Parameter(weft.ones(1))
    p.grad = weft.ones(1)
    optimizer, scaler = weft.optim.SGD([p]), GradScaler("cpu")
    with pytest.raises(RuntimeError, match="No inf checks"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="after step"):
        scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="Closure"):
        scaler.step(optimizer, lambda: 1)
    with pytest.raises(RuntimeError, match="empty"):
        scaler.load_state_dict({})
    with pytest.raises(ValueError):
        GradScaler("cpu", growth_factor=1.0)
    with pytest.raises(ValueError):
        GradScaler("cpu", backoff_factor=1.0)
    with pytest.raises(ValueError, match="Tensor"):
        scaler.scale(3.0)
