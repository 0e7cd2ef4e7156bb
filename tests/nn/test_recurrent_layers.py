"""Recurrent layers against PyTorch's: outputs, gradients, options, packed sequences, errors."""

import itertools

import numpy as np
import pytest

import weft
from weft import nn
from weft.nn.utils import rnn as R
from weft.testing import assert_close

torch = pytest.importorskip("torch")
T = torch.nn.utils.rnn
rng = np.random.default_rng(0)
KINDS = ["LSTM", "GRU", "RNN"]
TOLERANCE = {"float32": 2e-4, "float64": 1e-7}


def both(kind, *args, dtype="float64", **options):
    """The layer in Weft, in `dtype`, and in PyTorch, in float64, with the same weights."""
    ours = getattr(nn, kind)(*args, **options, dtype=getattr(weft, dtype))
    theirs = getattr(torch.nn, kind)(*args, **options, dtype=torch.float64)
    theirs.load_state_dict({k: torch.from_numpy(v.double().numpy()) for k, v in ours.state_dict().items()})
    return ours, theirs


def tensors(*arrays, dtype="float64"):
    ours = [weft.tensor(a).to(getattr(weft, dtype)).requires_grad_() for a in arrays]
    return ours, [torch.from_numpy(x.detach().double().numpy()).requires_grad_() for x in ours]


def flat(result):
    """All tensors of a result, packed or not."""
    if isinstance(result, tuple | list):
        return [t for r in result for t in flat(r)]
    return [] if result is None else [result]


def agree(ours, theirs, nets, inputs, dtype="float64"):
    """Results, and the gradients of inputs and parameters."""
    close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype], "check_dtype": False}
    ours, theirs = flat(ours), flat(theirs)
    totals = [0, 0]
    for a, b in zip(ours, theirs, strict=True):
        assert_close(a, b.detach().numpy(), **close)
        if a.requires_grad:
            w = rng.standard_normal(tuple(a.shape))
            totals[0] = totals[0] + (a * weft.tensor(w).to(a.dtype)).sum()
            totals[1] = totals[1] + (b * torch.from_numpy(w)).sum()
    for total in totals:
        total.backward()
    leaves = zip([*inputs[0], *nets[0].parameters()], [*inputs[1], *nets[1].parameters()], strict=True)
    for a, b in leaves:
        assert (a.grad is None) == (b.grad is None)
        if b.grad is not None:
            scale = float(b.grad.abs().max()) or 1.0
            assert_close(a.grad / scale, b.grad.numpy() / scale, **close)


OPTIONS = [
    {},
    {"num_layers": 3},
    {"bias": False},
    {"batch_first": True},
    {"bidirectional": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True, "bias": False},
    {"num_layers": 2, "bidirectional": True},
]
PER_KIND = {
    "LSTM": [{"proj_size": 3}, {"proj_size": 2, "num_layers": 2, "bidirectional": True, "batch_first": True}],
    "RNN": [{"nonlinearity": "relu"}, {"nonlinearity": "relu", "num_layers": 2, "bidirectional": True}],
    "GRU": [],
}


def states_for(net, batch):
    rows = net.num_layers * (2 if net.bidirectional else 1)
    shapes = [(rows, batch, net.proj_size or net.hidden_size)]
    if net.mode == "LSTM":
        shapes.append((rows, batch, net.hidden_size))
    return [rng.standard_normal(s) for s in shapes]


def hx(kind, states):
    return tuple(states) if kind == "LSTM" else states[0]


@pytest.mark.parametrize(("kind", "options"), [(k, o) for k in KINDS for o in OPTIONS + PER_KIND[k]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("given", [False, True])
def test_options(kind, options, dtype, given):
    nets = both(kind, 4, 6, dtype=dtype, **options)
    x = rng.standard_normal((5, 3, 4))
    batch = 5 if options.get("batch_first") else 3
    ours, theirs = tensors(x, *(states_for(nets[0], batch) if given else []), dtype=dtype)
    a, b = ([net(v[0], hx(kind, v[1:])) if given else net(v[0])] for net, v in zip(nets, (ours, theirs), strict=True))
    agree(a, b, nets, (ours, theirs), dtype)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("steps", "batch", "width", "hidden"), [(1, 1, 1, 1), (7, 40, 33, 80), (3, 70, 16, 17), (20, 2, 8, 129)]
)
def test_sizes(kind, steps, batch, width, hidden):
    nets = both(kind, width, hidden, dtype="float32")
    ours, theirs = tensors(rng.standard_normal((steps, batch, width)), dtype="float32")
    agree(nets[0](*ours), nets[1](*theirs), nets, (ours, theirs), "float32")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"batch_first": True, "bidirectional": True, "num_layers": 2}])
def test_unbatched(kind, options):
    nets = both(kind, 4, 5, **options)
    states = [s[:, 0] for s in states_for(nets[0], 1)]
    ours, theirs = tensors(rng.standard_normal((6, 4)), *states)
    a, b = (net(v[0], hx(kind, v[1:])) for net, v in zip(nets, (ours, theirs), strict=True))
    agree(a, b, nets, (ours, theirs))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("lengths", [[5, 5, 3, 1], [2, 5, 1, 3], [1], [4, 4]])
@pytest.mark.parametrize(
    "options", [{}, {"bidirectional": True, "num_layers": 2}, {"bidirectional": True, "proj_size": 3}]
)
@pytest.mark.parametrize("given", [False, True])
def test_packed(kind, lengths, options, given):
    if "proj_size" in options and kind != "LSTM":
        pytest.skip("of LSTM alone")
    nets = both(kind, 4, 6, **options)
    x = rng.standard_normal((5, len(lengths), 4))
    ours, theirs = tensors(x, *(states_for(nets[0], len(lengths)) if given else []))
    results = []
    for net, v, m in ((nets[0], ours, R), (nets[1], theirs, T)):
        packed = m.pack_padded_sequence(v[0], lengths, enforce_sorted=False)
        y, last = net(packed, hx(kind, v[1:])) if given else net(packed)
        assert type(y) is m.PackedSequence
        results.append([m.pad_packed_sequence(y), last, y.data])
    agree(*results, nets, (ours, theirs))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"nonlinearity": "relu"}])
@pytest.mark.parametrize("batched", [True, False])
@pytest.mark.parametrize("given", [False, True])
def test_cells(kind, options, batched, given):
    if "nonlinearity" in options and kind != "RNN":
        pytest.skip("of RNN alone")
    nets = both(kind + "Cell", 4, 6, **options)
    shape = (3,) if batched else ()
    arrays = [rng.standard_normal((*shape, 4))]
    if given:
        arrays += [rng.standard_normal((*shape, 6)) for _ in range(2 if kind == "LSTM" else 1)]
    ours, theirs = tensors(*arrays)
    a, b = (net(v[0], hx(kind, v[1:])) if given else net(v[0]) for net, v in zip(nets, (ours, theirs), strict=True))
    agree(a, b, nets, (ours, theirs))


def test_a_loop_of_cells_is_the_layer():
    cell, net = nn.LSTMCell(3, 5), nn.LSTM(3, 5)
    net.load_state_dict({k + "_l0": v for k, v in cell.state_dict().items()})
    x, state = weft.randn(4, 2, 3), None
    for t in range(4):
        state = cell(x[t], state)
    assert_close(state[0], net(x)[1][0][0], rtol=1e-6, atol=1e-7)


def test_parameters_are_pytorchs():
    for kind, options in (("LSTM", {"proj_size": 2}), ("GRU", {}), ("RNN", {"bias": False})):
        options = {"num_layers": 2, "bidirectional": True, **options}
        ours, theirs = getattr(nn, kind)(3, 4, **options), getattr(torch.nn, kind)(3, 4, **options)
        assert [(k, tuple(v.shape)) for k, v in ours.state_dict().items()] == [
            (k, tuple(v.shape)) for k, v in theirs.state_dict().items()
        ]
        assert [[tuple(w.shape) for w in ws] for ws in ours.all_weights] == [
            [tuple(w.shape) for w in ws] for ws in theirs.all_weights
        ]
        assert repr(ours) == repr(theirs)
        assert all(float(p.abs().max()) <= 0.5 for p in ours.parameters())
    assert repr(nn.RNNCell(3, 4, nonlinearity="relu")) == repr(torch.nn.RNNCell(3, 4, nonlinearity="relu"))
    assert [k for k, _ in nn.GRUCell(3, 4, bias=False).named_parameters()] == ["weight_ih", "weight_hh"]


def test_dropout_between_layers():
    net = nn.LSTM(4, 8, 2, dropout=0.5)
    x = weft.randn(6, 3, 4)
    a, b = net(x)[0], net(x)[0]
    assert float((a - b).abs().max()) > 0
    net.eval()
    assert_close(net(x)[0], net(x)[0])
    assert_close(nn.GRU(4, 8, 2, dropout=1.0)(x)[1][0], nn.GRU(4, 8, 2, dropout=1.0).eval()(x)[1][0] * 0 + 0, atol=2.0)
    with pytest.warns(UserWarning, match="dropout option"):
        nn.GRU(4, 8, dropout=0.5)


def test_training_goes_on_after_inference():
    net, x = nn.GRU(3, 4), weft.randn(5, 2, 3)
    with weft.no_grad():
        quiet = net(x)[0]
    assert not quiet.requires_grad
    assert_close(net(x)[0], quiet)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("args", "options", "error"),
    [
        ((0, 3), {}, ValueError),
        ((3, 0), {}, ValueError),
        ((3, 3, 0), {}, ValueError),
        ((3.0, 3), {}, TypeError),
        ((3, 3.0), {}, TypeError),
        ((3, 3), {"bias": 1}, TypeError),
        ((3, 3), {"batch_first": 1}, TypeError),
        ((3, 3), {"dropout": 1.5}, ValueError),
        ((3, 3), {"dropout": True}, ValueError),
        ((3, 3), {"proj_size": 3}, ValueError),
    ],
)
def test_wrong_options(kind, args, options, error):
    for m in (nn, torch.nn):
        with pytest.raises(error):
            getattr(m, kind)(*args, **options)


def test_wrong_nonlinearity():
    for m in (nn, torch.nn):
        with pytest.raises(ValueError, match="nonlinearity"):
            m.RNN(3, 4, nonlinearity="gelu")
        with pytest.raises(RuntimeError, match="nonlinearity"):
            m.RNNCell(3, 4, nonlinearity="gelu")(m.Linear(3, 3).weight)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("x", "state", "error"),
    [
        ((3,), None, ValueError),
        ((2, 3, 3, 3), None, ValueError),
        ((5, 2, 4), None, RuntimeError),
        ((5, 2, 3), (1, 3, 4), RuntimeError),
        ((5, 2, 3), (2, 4), RuntimeError),
        ((5, 3), (1, 1, 4), RuntimeError),
        ((5, 2, 3), (1, 2, 5), RuntimeError),
        ((0, 2, 3), None, RuntimeError),
    ],
)
def test_wrong_input(kind, x, state, error):
    for m, net in ((weft, nn), (torch, torch.nn)):
        states = None if state is None else hx(kind, [m.zeros(*state)] * (2 if kind == "LSTM" else 1))
        with pytest.raises(error):
            getattr(net, kind)(3, 4)(m.zeros(*x), states)


def test_wrong_dtype():
    for m, net in ((weft, nn), (torch, torch.nn)):
        with pytest.raises(ValueError, match="dtype"):
            net.LSTM(3, 4)(m.zeros(2, 2, 3, dtype=m.float64))


@pytest.mark.parametrize(("x", "state"), [((2, 2, 3), None), ((2, 4), None), ((2, 3), (3, 4)), ((2, 3), (2, 5))])
def test_wrong_input_of_cells(x, state):
    for m, net in ((weft, nn), (torch, torch.nn)):
        with pytest.raises((RuntimeError, ValueError)):
            net.GRUCell(3, 4)(m.zeros(*x), None if state is None else m.zeros(*state))


# Sequences.


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("lengths", [[4, 2, 2, 1], [2, 4, 1, 2]])
@pytest.mark.parametrize("rest", [(), (3,), (2, 3)])
def test_packing_and_padding(batch_first, lengths, rest):
    x = rng.standard_normal(((4, 5) if batch_first else (5, 4)) + rest)
    ours, theirs = tensors(x)
    a = R.pack_padded_sequence(ours[0], weft.tensor(lengths), batch_first, enforce_sorted=False)
    b = T.pack_padded_sequence(theirs[0], torch.tensor(lengths), batch_first, enforce_sorted=False)
    for p, q in zip(a, b, strict=True):
        assert_close(p.detach(), q.detach().numpy())
    for total, value in itertools.product([None, 4, 6], [0.0, -1.5]):
        (y, n), (e, m) = (m.pad_packed_sequence(p, not batch_first, value, total) for m, p in ((R, a), (T, b)))
        assert_close(y.detach(), e.detach().numpy())
        assert n.tolist() == m.tolist()
    (y * y).sum().backward()
    (e * e).sum().backward()
    assert_close(ours[0].grad, theirs[0].grad.numpy())


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("side", ["right", "left"])
def test_pad_sequence(batch_first, side):
    arrays = [rng.standard_normal((n, 2)) for n in (3, 1, 4)]
    ours, theirs = tensors(*arrays)
    y = R.pad_sequence(ours, batch_first, 7.0, side)
    e = T.pad_sequence(theirs, batch_first, 7.0, side)
    assert_close(y.detach(), e.detach().numpy())
    (y * y).sum().backward()
    assert_close(ours[1].grad, 2 * arrays[1])
    if side == "right":
        for part, array in zip(R.unpad_sequence(y, weft.tensor([3, 1, 4]), batch_first), arrays, strict=True):
            assert_close(part.detach(), array)


def test_pack_sequence_and_back():
    arrays = [rng.standard_normal((n, 2)) for n in (2, 5, 1)]
    ours, theirs = tensors(*arrays)
    a, b = R.pack_sequence(ours, enforce_sorted=False), T.pack_sequence(theirs, enforce_sorted=False)
    assert_close(a.data.detach(), b.data.detach().numpy())
    for part, array in zip(R.unpack_sequence(a), arrays, strict=True):
        assert_close(part.detach(), array)
    assert a.to(weft.float32).data.dtype == weft.float32 and a.float().half().data.dtype == weft.float16
    assert a.to(weft.float64) is a and not a.is_cuda
    _, sizes, order, back = a
    assert sizes.tolist() == [3, 2, 1, 1, 1] and order.tolist() == [1, 0, 2] and back.tolist() == [1, 0, 2]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m, R: R.pack_padded_sequence(m.zeros(3, 2), [1, 2]), RuntimeError),
        (lambda m, R: R.pack_padded_sequence(m.zeros(3, 2), [2, 0]), RuntimeError),
        (lambda m, R: R.pack_padded_sequence(m.zeros(3, 2), [2]), RuntimeError),
        (lambda m, R: R.pack_padded_sequence(m.zeros(0, 2), [1, 1]), RuntimeError),
        (lambda m, R: R.pad_packed_sequence(R.pack_sequence([m.zeros(3)]), total_length=2), ValueError),
        (lambda m, R: R.pad_sequence(3), RuntimeError),
        (lambda m, R: R.pad_sequence([]), RuntimeError),
        (lambda m, R: R.pad_sequence([m.zeros(2, 3), m.zeros(2, 4)]), RuntimeError),
    ],
)
def test_wrong_sequences(call, error):
    for m, r in ((weft, R), (torch, T)):
        with pytest.raises(error):
            call(m, r)


def test_lengths_beyond_the_padding():
    """PyTorch reads past the end."""
    with pytest.raises(RuntimeError, match="at most 3"):
        R.pack_padded_sequence(weft.zeros(3, 2), [4, 2])


AUTOCAST = [
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", {"num_layers": 2}),
    ("RNN", {"bidirectional": True, "bias": False}),
]


def name_of(dtype):
    return str(dtype).split(".")[-1]


@pytest.mark.parametrize("given", ["float32", "bfloat16"])
@pytest.mark.parametrize("kind", ["whole", "packed"])
@pytest.mark.parametrize(("layer", "options"), AUTOCAST, ids=str)
def test_autocast(layer, options, kind, given):
    """PyTorch's dtypes, values as good as bfloat16 allows, gradients in the parameters' dtype."""
    ours, theirs = (getattr(m.nn, layer)(5, 6, **options) for m in (weft, torch))
    theirs.load_state_dict({k: torch.from_numpy(v.numpy()) for k, v in ours.state_dict().items()})
    x = rng.standard_normal((4, 4, 5)).astype(np.float32)
    results = []
    for m, net, r in ((weft, ours, R), (torch, theirs, T)):
        t = m.tensor(x).to(getattr(m, given))
        with m.autocast("cpu", dtype=m.bfloat16):
            if kind == "packed":
                t = r.pack_padded_sequence(t, [4, 4, 2, 1], batch_first=options.get("batch_first", False))
            y, state = net(t)
        results.append(flat([y.data if kind == "packed" else y, state]))
        sum(t.float().sum() for t in results[-1]).backward()
    for a, b in zip(*results, strict=True):
        assert name_of(a.dtype) == name_of(b.dtype)
        assert_close(a.detach().float(), b.detach().float().numpy(), rtol=5e-2, atol=5e-2)
    for p, q in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert p.grad.dtype == weft.float32
        scale = float(q.grad.abs().max()) or 1.0
        assert_close(p.grad / scale, q.grad.numpy() / scale, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("given", ["float32", "bfloat16"])
@pytest.mark.parametrize("cell", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_under_autocast(cell, given):
    ours, theirs = getattr(nn, cell)(5, 6), getattr(torch.nn, cell)(5, 6)
    with weft.autocast("cpu", dtype=weft.bfloat16):
        a = flat(ours(weft.zeros(2, 5).to(getattr(weft, given))))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        b = flat(theirs(torch.zeros(2, 5).to(getattr(torch, given))))
    assert [name_of(t.dtype) for t in a] == [name_of(t.dtype) for t in b]
    with pytest.raises(RuntimeError, match="dtype"):
        ours(weft.zeros(2, 5).double())


def test_mixed_dtypes_without_autocast():
    with pytest.raises(ValueError, match="does not match weight dtype"):
        nn.GRU(3, 4)(weft.zeros(2, 1, 3).bfloat16())
