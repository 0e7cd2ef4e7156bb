"""Hooks of modules, beside PyTorch's."""

import numpy as np
import pytest

import weft
from weft import nn
from weft.nn.modules import module as everywhere

try:
    import torch
except ImportError:
    torch = None

X = np.random.default_rng(0).standard_normal((2, 3))


def trace(m):
    """What hooks of all kinds see and change, in order."""
    log = []

    def note(name):
        def hook(*args):
            log.append((name, *(shapes(a) for a in args[1:])))

        return hook

    def shapes(x):
        if isinstance(x, tuple | list):
            return [shapes(i) for i in x]
        if isinstance(x, dict):
            return {k: shapes(v) for k, v in x.items()}
        return x if x is None else [round(v, 6) for v in x.detach().flatten().tolist()]

    class Net(m.nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = m.nn.Linear(3, 3, bias=False).double()

        def forward(self, x, flag, *, scale):
            h = self.fc(x)
            return h * scale, h.sum(), flag

    net = Net()
    with m.no_grad():
        net.fc.weight.copy_(m.arange(9).reshape(3, 3).double())
    net.register_forward_pre_hook(note("pre"))
    net.register_forward_pre_hook(lambda _, args, kwargs: (args, {"scale": kwargs["scale"] * 2}), with_kwargs=True)
    net.register_forward_hook(note("post"))
    net.register_forward_hook(note("first post"), prepend=True, with_kwargs=True)
    net.fc.register_full_backward_pre_hook(note("fc backward pre"))
    net.fc.register_full_backward_pre_hook(lambda _, dy: (dy[0] * 3,))
    net.fc.register_full_backward_hook(note("fc backward"))
    net.fc.register_full_backward_hook(lambda _, dx, dy: tuple(g * 2 for g in dx))
    net.register_full_backward_hook(note("net backward"))
    net.register_full_backward_pre_hook(note("net backward pre"))
    where = everywhere if m is weft else torch.nn.modules.module
    handles = [
        where.register_module_forward_pre_hook(note("any pre")),
        where.register_module_forward_hook(note("any post")),
        where.register_module_full_backward_pre_hook(note("any backward pre")),
        where.register_module_full_backward_hook(note("any backward")),
    ]
    x = m.tensor(X, requires_grad=True)
    y, total, _ = net(x, None, scale=m.tensor(1.5, dtype=m.float64))
    ((y * y).sum() + total).backward()
    for handle in handles:
        handle.remove()
    return log, x.grad.tolist(), net.fc.weight.grad.tolist()


@pytest.mark.skipif(torch is None, reason="compares with PyTorch")
def test_all_hooks_as_in_pytorch():
    ours, theirs = trace(weft), trace(torch)
    assert [name for name, *_ in ours[0]] == [name for name, *_ in theirs[0]]
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert a == b
    np.testing.assert_allclose(ours[1], theirs[1])
    np.testing.assert_allclose(ours[2], theirs[2])


def test_removal_and_nothing_left_behind():
    fc = nn.Linear(2, 2)
    seen = []
    with fc.register_full_backward_hook(lambda *args: seen.append(1)):
        fc(weft.ones(1, 2)).sum().backward()
    fc(weft.ones(1, 2)).sum().backward()
    assert seen == [1]


def test_inputs_without_gradient():
    fc = nn.Linear(2, 2)
    seen = []
    fc.register_full_backward_hook(lambda _, dx, dy: seen.append((dx, dy[0].tolist())))
    fc(weft.ones(1, 2)).sum().backward()
    assert seen == [((None,), [[1, 1]])]
    fc.register_full_backward_hook(lambda _, dx, dy: (dy[0],))
    with pytest.raises(RuntimeError, match="no input requires"):
        fc(weft.ones(1, 2)).sum().backward()


def test_always_call():
    class Broken(nn.Module):
        def forward(self, x):
            raise KeyError("forward")

    net, seen = Broken(), []
    net.register_forward_hook(lambda m, args, out: seen.append("never"))
    net.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(KeyError, match="forward"):
        net(weft.ones(1))
    assert seen == [None]
    fc = nn.Linear(1, 1)
    fc.register_forward_hook(lambda m, args, out: 1 / 0)
    fc.register_forward_hook(lambda m, args, out: seen.append("called"), always_call=True)
    with pytest.raises(ZeroDivisionError):
        fc(weft.ones(1, 1))
    assert seen == [None, "called"]


def test_in_place_behind_a_hook():
    net = nn.Sequential(nn.Linear(2, 2), nn.ReLU(inplace=True))
    x = weft.tensor([[1.0, -2.0]], requires_grad=True)
    net(x).sum().backward()
    want = x.grad.tolist()
    for layer in net:
        layer.register_full_backward_hook(lambda m, dx, dy: None)
    x.grad = None
    net(x).sum().backward()
    assert x.grad.tolist() == want


def test_bad_results():
    fc = nn.Linear(2, 2)
    with (
        fc.register_full_backward_pre_hook(lambda _, dy: (dy[0], dy[0])),
        pytest.raises(RuntimeError, match="returned 2"),
    ):
        fc(weft.ones(1, 2)).sum().backward()
    fc.register_forward_pre_hook(lambda m, args, kwargs: args, with_kwargs=True)
    with pytest.raises(RuntimeError, match="pre-hook"):
        fc(weft.ones(1, 2))
