import gc

import numpy as np
import pytest

import weft
import weft.nn.functional as F
from weft import nn
from weft.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


def leaf(*shape):
    return weft.tensor(np.random.default_rng(0).standard_normal(shape), requires_grad=True)


def gradients(net, run, x):
    weft.manual_seed(3)
    y = run(x)
    loss = (y * y).sum() + F.dropout(y, 0.5).sum()
    return [y, *weft.autograd.grad(loss, [x, *net.parameters()])]


def same(ours, plain):
    for a, b in zip(ours, plain, strict=True):
        assert a.detach().numpy().tobytes() == b.detach().numpy().tobytes()


def network():
    weft.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 16), nn.ReLU(), nn.Dropout(0.5), nn.LayerNorm(16), nn.Linear(16, 6), nn.GELU(), nn.Dropout(0.2)
    )


@pytest.mark.parametrize("early_stop", [True, False])
def test_bit_for_bit_with_dropout(early_stop):
    net, x = network(), leaf(5, 6).detach().float().requires_grad_()
    plain = gradients(net, net, x)
    same(gradients(net, lambda x: checkpoint(net, x, use_reentrant=False, early_stop=early_stop), x), plain)
    for segments in (1, 2, 3, 7):
        same(gradients(net, lambda x, n=segments: checkpoint_sequential(net, n, x, use_reentrant=False), x), plain)

    def nested(x):
        return checkpoint(lambda x: net[3:](checkpoint(net[:3], x)), x)

    same(gradients(net, nested, x), plain)
    same(gradients(net, lambda x: checkpoint(nested, x), x), plain)


def test_it_computes_again_and_stops_early():
    calls = []

    def f(x, *, scale, pair):
        calls.append("start")
        y = (x * scale).exp() * pair[0]
        y = y.sum()
        calls.append("end")
        return y, "anything"

    x, w = leaf(4), leaf(4)
    y, word = checkpoint(f, x, scale=2.0, pair=(w, None))
    assert word == "anything" and calls == ["start", "end"]
    y.backward()
    assert calls == ["start", "end", "start"]
    np.testing.assert_allclose(w.grad.numpy(), np.exp(2 * x.detach().numpy()))
    del calls[:]
    with weft.no_grad():
        assert not checkpoint(f, x, scale=1.0, pair=(w, None))[0].requires_grad
    assert calls == ["start", "end"]


def test_second_derivatives_and_repeated_passes():
    x, w = leaf(3), leaf(3)

    def f(x, w):
        return checkpoint(lambda x: (x * w).exp() * x, x)  # w is no argument

    assert weft.autograd.gradcheck(f, (x, w)) and weft.autograd.gradgradcheck(f, (x, w))
    y = f(x, w).sum()
    first = weft.autograd.grad(y, (x, w), retain_graph=True)
    same(weft.autograd.grad(y, (x, w)), first)


def test_memory_is_freed():
    x = weft.randn(256, 1024, requires_grad=True)

    def deep(x):
        for _ in range(8):
            x = x.tanh()
        return x

    def kept(run):
        gc.collect()
        before = weft.memory_stats()["in_use"]
        y = run(x)
        return weft.memory_stats()["in_use"] - before, y

    plain, y = kept(deep)
    del y
    less, y = kept(lambda x: checkpoint(deep, x))
    assert less < plain / 4
    del y
    nested, y = kept(lambda x: checkpoint(lambda x: checkpoint(deep, checkpoint(deep, x)), x))
    assert nested < plain / 4
    y.sum().backward()


def test_contexts_and_random_state():
    entered = []

    class Note:
        def __init__(self, word):
            self.word = word

        def __enter__(self):
            entered.append(self.word)

        def __exit__(self, *exception):
            entered.append("-" + self.word)

    x = leaf(4)
    y = checkpoint(lambda x: x.exp(), x, context_fn=lambda: (Note("first"), Note("again")))
    state = weft.get_rng_state()
    weft.autograd.grad(y.sum(), x)
    assert entered == ["first", "-first", "again", "-again"]
    assert weft.get_rng_state().tolist() == state.tolist()
    z = checkpoint(lambda x: F.dropout(x, 0.5).exp(), x, preserve_rng_state=False)
    weft.autograd.grad(z.sum(), x)


def test_errors_come_out():
    x = leaf(4)
    first = [True]

    def broken(x):
        if first.pop() if first else False:
            return x.exp()
        raise KeyError("the second time")

    y = checkpoint(broken, x)
    with pytest.raises(KeyError, match="second time"):
        y.sum().backward()

    shapes = [4, 2]
    y = checkpoint(lambda x: x[: shapes.pop(0)].exp().sum(), x)
    with pytest.raises(CheckpointError, match="second time"):
        y.backward()
    calls = [2, 1]
    y = checkpoint(lambda x: [x.exp() for _ in range(calls.pop(0))][-1], x * 1)
    with pytest.raises(CheckpointError, match="fewer"):
        y.sum().backward()
    with pytest.raises(KeyError):
        checkpoint({}.__getitem__, 1)
    for call, error in [
        (lambda: checkpoint(3, x), TypeError),
        (lambda: checkpoint(weft.exp, x, determinism_check="all"), ValueError),
        (lambda: checkpoint_sequential([weft.exp], 2, x), ValueError),
        (lambda: checkpoint_sequential([weft.exp], 1, x, colour="red"), ValueError),
    ]:
        with pytest.raises(error):
            call()
    h = x * 1
    y = checkpoint(lambda x: x.exp(), h)
    h.add_(1)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_a_backward_inside():
    x = leaf(4)

    def energy(x):
        (slope,) = weft.autograd.grad((x * x * x).sum(), x, create_graph=True)
        return slope

    y = checkpoint(energy, x)
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 6 * x.detach().numpy())
