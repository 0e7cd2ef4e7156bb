"""The recurrent kernel: instruction sets, threads, ways to cut it, second derivatives, wrong input."""

import numpy as np
import pytest

import weft
from oracle import same_bits
from weft import _core
from weft.autograd import gradgradcheck
from weft.testing import assert_close

rng = np.random.default_rng(0)
GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
MODES = list(GATES)


def arrays(mode, steps, batch, width, hidden, projection=0, directions=1, scale=0.5):
    out, gates = projection or hidden, GATES[mode] * hidden
    shapes = [(gates, width), (gates, out), (gates,), (gates,)] + ([(out, hidden)] if projection else [])
    states = [(directions, batch, out)] + ([(directions, batch, hidden)] if mode == "LSTM" else [])
    made = [rng.standard_normal(s) * scale for s in [(steps, batch, width), *states, *(shapes * directions)]]
    return made


def layer(mode, directions=1, sizes=None, batch_first=False):
    """A function of the tensors that arrays() makes."""

    def call(x, h0, *rest):
        c0, rest = (rest[0], rest[1:]) if mode == "LSTM" else (None, rest)
        each = len(rest) // directions
        weights = []
        for d in range(directions):
            weights += [*rest[d * each : (d + 1) * each], *([None] * (5 - each))]
        return tuple(_core.rnn_layer(mode, x, h0, c0, weights, batch_first, sizes))

    return call


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def reference(mode, x, h0, *rest):
    """One direction in NumPy."""
    c, rest = (rest[0][0], rest[1:]) if mode == "LSTM" else (None, rest)
    w_ih, w_hh, b_ih, b_hh, *projection = rest
    h, y = h0[0], []
    for t in range(len(x)):
        p, q = x[t] @ w_ih.T + b_ih, h @ w_hh.T + b_hh
        if mode == "LSTM":
            i, f, g, o = np.split(p + q, 4, 1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            h = h @ projection[0].T if projection else h
        elif mode == "GRU":
            (pr, pz, pn), (qr, qz, qn) = np.split(p, 3, 1), np.split(q, 3, 1)
            z, n = sigmoid(pz + qz), np.tanh(pn + sigmoid(pr + qr) * qn)
            h = (1 - z) * n + z * h
        else:
            h = np.tanh(p + q) if mode == "RNN_TANH" else np.maximum(p + q, 0)
        y.append(h)
    return np.stack(y), h[None], *(() if c is None else (c[None],))


def with_gradients(fn, values, dtype):
    inputs = [weft.tensor(v).to(getattr(weft, dtype)).requires_grad_() for v in values]
    outputs = fn(*inputs)
    random = np.random.default_rng(1)
    total = sum((y * weft.tensor(random.standard_normal(y.shape)).to(y.dtype)).sum() for y in outputs)
    return outputs, weft.autograd.grad(total, inputs)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hidden", [1, 7, 16, 17, 65, 90])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_values_on_every_instruction_set(mode, hidden, dtype, isa):
    values = arrays(mode, 3, 9, 5, hidden, scale=0.3)
    exact = [weft.tensor(v).to(getattr(weft, dtype)).double().numpy() for v in values]
    tolerance = 2e-5 if dtype == "float32" else 1e-10
    got = layer(mode)(*(weft.tensor(v).to(getattr(weft, dtype)) for v in exact))
    for y, e in zip(got, reference(mode, *exact), strict=True):
        assert_close(y, e, rtol=tolerance, atol=tolerance, check_dtype=False)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("directions", [1, 2])
def test_gradients_on_every_instruction_set(mode, directions, isa):
    """Against the formula of other operations, which backward takes with create_graph."""
    values = arrays(mode, 3, 5, 4, 18, directions=directions)
    fn = layer(mode, directions)
    inputs = [weft.tensor(v, requires_grad=True) for v in values]
    total = sum((y * y).sum() for y in fn(*inputs))
    fused = weft.autograd.grad(total, inputs, retain_graph=True)
    composed = weft.autograd.grad(total, inputs, create_graph=True)
    for a, b in zip(fused, composed, strict=True):
        assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("steps", "batch", "hidden"), [(3, 1, 512), (2, 8, 256), (2, 64, 96), (2, 130, 40), (3, 33, 200), (7, 40, 260)]
)
def test_same_bits_for_any_number_of_threads(mode, steps, batch, hidden):
    values = arrays(mode, steps, batch, 8, hidden, directions=2, scale=0.1)

    def run():
        outputs, grads = with_gradients(layer(mode, 2), values, "float32")
        return (*(y.detach() for y in outputs), *grads)

    same_bits(run)


@pytest.mark.parametrize("projection", [1, 5, 70])
def test_projection(projection):
    values = arrays("LSTM", 4, 20, 6, 71, projection, scale=0.3)
    for y, e in zip(layer("LSTM")(*map(weft.tensor, values)), reference("LSTM", *values), strict=True):
        assert_close(y, e, rtol=1e-10, atol=1e-12)
    same_bits(lambda: tuple(with_gradients(layer("LSTM"), values, "float32")[1]))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("kind", ["plain", "packed", "two", "batch_first", "projected"])
def test_second_derivatives(mode, kind):
    if kind == "projected" and mode != "LSTM":
        pytest.skip("of LSTM alone")
    directions = 2 if kind in ("two", "packed") else 1
    values = arrays(mode, 3, 2, 2, 3, 2 if kind == "projected" else 0, directions)
    sizes = weft.tensor([2, 1, 1]) if kind == "packed" else None
    if kind == "packed":
        values[0] = values[0].reshape(-1, 2)[:4]
    if kind == "batch_first":
        values[0] = values[0].swapaxes(0, 1).copy()
    if mode == "RNN_RELU":
        values[0] += 3.0  # away from the corner
    inputs = [weft.tensor(v, requires_grad=True) for v in values]
    assert gradgradcheck(layer(mode, directions, sizes, kind == "batch_first"), inputs)


def test_a_gradient_penalty():
    net = weft.nn.GRU(3, 4)
    x = weft.randn(5, 2, 3, requires_grad=True)
    (dx,) = weft.autograd.grad(net(x)[0].sum(), [x], create_graph=True)
    (dx * dx).sum().backward()
    assert all(p.grad is not None and float(p.grad.abs().sum()) > 0 for p in net.parameters() if p.ndim == 2)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("hidden", [6, 7, 40, 66])
def test_products_of_bfloat16_under_autocast(mode, hidden, isa):
    """Near what float32 gives, forwards and backwards, and the same bits for any number of threads."""
    values = arrays(mode, 5, 9, 8, hidden, directions=2, scale=0.1)

    def run(on):
        with weft.autocast("cpu", dtype=weft.bfloat16, enabled=on):
            outputs, grads = with_gradients(layer(mode, 2), values, "float32")
        return (*(y.detach().float() for y in outputs), *grads)

    for a, b in zip(run(True), run(False), strict=True):
        assert float((a - b).norm()) <= (0.2 if mode == "RNN_RELU" else 0.02) * float(b.norm())
    same_bits(lambda: run(True))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("mode", MODES)
def test_half_precision(mode, dtype):
    values = arrays(mode, 3, 4, 5, 8)
    kind = getattr(weft, dtype)
    rounded = [weft.tensor(v).to(kind).double().numpy() for v in values]
    for y, e in zip(layer(mode)(*(weft.tensor(v).to(kind) for v in values)), reference(mode, *rounded), strict=True):
        assert y.dtype == kind
        assert_close(y, e, rtol=2e-2, atol=2e-2, check_dtype=False)


@pytest.mark.parametrize("mode", MODES)
def test_views_and_extremes(mode):
    values = arrays(mode, 4, 3, 5, 6)
    x, *rest = map(weft.tensor, values)
    expected = layer(mode)(x, *rest)
    weights = (t.t().contiguous().t() if t.ndim == 2 else t for t in rest)
    turned = layer(mode)(x.transpose(0, 2).contiguous().transpose(0, 2), *weights)
    for a, b in zip(turned, expected, strict=True):
        assert_close(a, b, rtol=1e-12, atol=1e-13)
    huge = layer(mode)(x * 1e6, *rest)
    assert all(bool(y.isfinite().all()) for y in huge)
    x[1, 0, 0] = float("nan")
    y = layer(mode)(x, *rest)[0]
    assert bool(y[1:, 0].isnan().all()) and not bool(y[:, 1:].isnan().any()) and not bool(y[0].isnan().any())


def test_an_empty_batch():
    values = arrays("LSTM", 3, 0, 4, 5)
    outputs, grads = with_gradients(layer("LSTM"), values, "float32")
    assert outputs[0].shape == (3, 0, 5) and outputs[1].shape == (1, 0, 5)
    assert all(float(g.abs().sum()) == 0 for g in grads)


def test_changed_weights_are_noticed():
    net = weft.nn.LSTM(3, 4)
    y = net(weft.randn(2, 1, 3))[0].sum()
    with weft.no_grad():
        net.weight_hh_l0.add_(1.0)
    with pytest.raises(RuntimeError, match="rnn_layer"):
        y.backward()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.update(mode="LSTN"), "LSTN"),
        (lambda a: a.update(input=weft.zeros(3, 4)), "dimensions"),
        (lambda a: a.update(input=weft.zeros(3, 2, 5)), "weight_ih"),
        (lambda a: a.update(input=weft.zeros(0, 2, 4)), "step"),
        (lambda a: a.update(h0=weft.zeros(1, 3, 5)), "h0"),
        (lambda a: a.update(h0=weft.zeros(1, 2, 5, dtype=weft.float64)), "dtype"),
        (lambda a: a.update(c0=weft.zeros(1, 2, 5)), "c0"),
        (lambda a: a.update(weights=a["weights"][:4]), "five"),
        (lambda a: a["weights"].__setitem__(1, None), "weight_hh"),
        (lambda a: a["weights"].__setitem__(1, weft.zeros(15, 4)), "h0|weight_hh"),
        (lambda a: a["weights"].__setitem__(2, weft.zeros(15)), "both"),
        (lambda a: a["weights"].__setitem__(4, weft.zeros(5, 5)), "projection"),
        (lambda a: a.update(input=weft.zeros(3, 4), batch_sizes=weft.tensor([1, 2])), "never grow"),
        (lambda a: a.update(input=weft.zeros(3, 4), batch_sizes=weft.tensor([2, 2])), "rows"),
        (lambda a: a.update(input=weft.zeros(3, 4), batch_sizes=weft.tensor([2.0, 1.0])), "int64"),
    ],
)
def test_wrong_input(change, words):
    args = {
        "mode": "GRU",
        "input": weft.zeros(3, 2, 4),
        "h0": weft.zeros(1, 2, 5),
        "c0": None,
        "weights": [weft.zeros(15, 4), weft.zeros(15, 5), None, None, None],
    }
    _core.rnn_layer(**args)
    change(args)
    with pytest.raises((RuntimeError, ValueError), match=words):
        _core.rnn_layer(**args)
