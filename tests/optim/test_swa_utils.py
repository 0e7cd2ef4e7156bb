import numpy as np
import pytest

import weft
from weft import nn
from weft.optim import SGD, swa_utils

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.optim.swa_utils")
pytestmark = pytest.mark.filterwarnings("ignore")


def models():
    """A network with batch norm, in both libraries, with the same weights."""
    pair = []
    for m in (weft, torch):
        pair.append(m.nn.Sequential(m.nn.Linear(3, 4), m.nn.BatchNorm1d(4), m.nn.ReLU(), m.nn.Linear(4, 2)))
    copy_state(pair[0], pair[1])
    return pair


def copy_state(ours, other):
    ours.load_state_dict({k: weft.tensor(v.numpy().copy()) for k, v in other.state_dict().items()})


def drift(ours, other, seed):
    """The same change of all weights and buffers in both."""
    torch.manual_seed(seed)
    with torch.no_grad():
        for t in [*other.parameters(), *other.buffers()]:
            if t.is_floating_point():
                t.add_(torch.rand_like(t))
            else:
                t.add_(3)
    copy_state(ours, other)


def assert_same_state(ours, other):
    a, b = ours.state_dict(), other.state_dict()
    assert list(a) == list(b)
    for name, value in b.items():
        got, want = a[name].numpy(), value.numpy()
        assert got.dtype == want.dtype, name
        np.testing.assert_allclose(got, want, rtol=1e-6, err_msg=name)


WAYS = {
    "default": lambda m: {},
    "ema": lambda m: {"avg_fn": m.get_ema_avg_fn(0.9)},
    "multi ema": lambda m: {"multi_avg_fn": m.get_ema_multi_avg_fn(0.8)},
    "swa": lambda m: {"avg_fn": m.get_swa_avg_fn()},
    "multi swa": lambda m: {"multi_avg_fn": m.get_swa_multi_avg_fn()},
    "own": lambda m: {"avg_fn": lambda average, now, n: average * 0.5 + now * (1 / (1 + float(n)))},
    "multi ema, buffers": lambda m: {"multi_avg_fn": m.get_ema_multi_avg_fn(0.8), "use_buffers": True},
    "swa, buffers": lambda m: {"use_buffers": True},
}


@pytest.mark.parametrize("way", WAYS)
def test_averages(way):
    ours, other = models()
    a, b = swa_utils.AveragedModel(ours, **WAYS[way](swa_utils)), theirs.AveragedModel(other, **WAYS[way](theirs))
    assert_same_state(a, b)
    for i in range(8):
        drift(ours, other, i)
        a.update_parameters(ours)
        b.update_parameters(other)
        assert_same_state(a, b)
    assert int(a.n_averaged) == 8
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    got = a.eval()(weft.tensor(x)).detach().numpy()
    np.testing.assert_allclose(got, b.eval()(torch.tensor(x)).detach().numpy(), rtol=1e-5, atol=1e-5)


def test_first_average_is_the_model_and_state_goes_on(tmp_path):
    ours, _ = models()
    a = swa_utils.AveragedModel(ours)
    with weft.no_grad():
        ours[0].weight.mul_(2)
    a.update_parameters(ours)
    np.testing.assert_array_equal(a.module[0].weight.detach().numpy(), ours[0].weight.detach().numpy())
    ours[0].weight.data.zero_()  # the copy is a copy
    assert float(a.module[0].weight.abs().sum()) > 0
    weft.save(a.state_dict(), tmp_path / "average.safetensors")
    again = swa_utils.AveragedModel(models()[0])
    again.load_state_dict(weft.load(tmp_path / "average.safetensors"))
    a.update_parameters(ours)
    again.update_parameters(ours)
    assert int(again.n_averaged) == 2
    for p, q in zip(a.parameters(), again.parameters(), strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


@pytest.mark.parametrize("wrapped", [False, True], ids=["tensors", "pairs"])
def test_update_bn(wrapped):
    ours, other = models()
    drift(ours, other, 1)
    ours.eval(), other.eval()
    batches = [np.random.default_rng(i).standard_normal((6, 3)).astype(np.float32) for i in range(4)]

    def loader(m):
        return [(m.tensor(b), None) if wrapped else m.tensor(b) for b in batches]

    swa_utils.update_bn(loader(weft), ours)
    theirs.update_bn(loader(torch), other)
    assert_same_state(ours, other)
    assert ours[1].momentum == 0.1
    assert not ours.training
    assert ours[0].weight.grad is None


def test_update_bn_restores_what_it_changes_when_data_fail():
    ours, _ = models()

    def broken():
        yield weft.ones(4, 3)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        swa_utils.update_bn(broken(), ours.eval())
    assert ours[1].momentum == 0.1
    assert not ours.training
    plain = nn.Linear(3, 2)
    swa_utils.update_bn(broken(), plain)  # without batch norm nothing is read


@pytest.mark.parametrize("options", [{}, {"anneal_strategy": "linear"}, {"anneal_epochs": 0}, {"anneal_epochs": 1}])
@pytest.mark.parametrize("swa_lr", [0.05, [0.02, 0.3]])
def test_swalr(options, swa_lr):
    rows = []
    for m, schedules in ((weft, swa_utils), (torch, theirs)):
        params = [m.nn.Parameter(m.zeros(2)) for _ in range(2)]
        o = m.optim.SGD([{"params": [params[0]]}, {"params": [params[1]], "lr": 0.01}], lr=0.2)
        other = m.optim.lr_scheduler.ExponentialLR(o, 0.9)
        s = schedules.SWALR(o, swa_lr, **options)
        trace = []
        for i in range(25):
            trace += [g["lr"] for g in o.param_groups]
            o.step()
            (s if i > 5 else other).step()
        rows.append(trace)
    assert rows[0] == pytest.approx(rows[1], rel=1e-9)


def test_swalr_state_dict():
    def make():
        o = SGD([nn.Parameter(weft.zeros(2))], lr=0.2)
        return o, swa_utils.SWALR(o, 0.05, anneal_epochs=6)

    (o, s), (o2, s2) = make(), make()
    for _ in range(3):
        s.step()
    o2.load_state_dict(o.state_dict())
    s2.load_state_dict(s.state_dict())
    for _ in range(5):
        s.step()
        s2.step()
        assert o.param_groups[0]["lr"] == o2.param_groups[0]["lr"]
    assert o.param_groups[0]["lr"] == pytest.approx(0.05)


def test_wrong_input():
    o = SGD([nn.Parameter(weft.zeros(2))], lr=0.2)
    with pytest.raises(ValueError, match="cos"):
        swa_utils.SWALR(o, 0.1, anneal_strategy="square")
    with pytest.raises(ValueError, match="anneal_epochs"):
        swa_utils.SWALR(o, 0.1, anneal_epochs=-1)
    with pytest.raises(ValueError, match="swa_lr"):
        swa_utils.SWALR(o, [0.1, 0.2])
    for make in (swa_utils.get_ema_avg_fn, swa_utils.get_ema_multi_avg_fn):
        with pytest.raises(ValueError, match="decay value 1.5"):
            make(1.5)
    with pytest.raises(AssertionError, match="Only one"):
        swa_utils.AveragedModel(
            models()[0], avg_fn=swa_utils.get_swa_avg_fn(), multi_avg_fn=swa_utils.get_swa_multi_avg_fn()
        )
    a = swa_utils.AveragedModel(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="shorter|longer"):
        a.update_parameters(nn.Linear(2, 2, bias=False))
