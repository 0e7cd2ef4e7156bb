"""Recurrent layers: LSTM, GRU and RNN, whole training steps without an optimizer, and inference."""

import weft
from benchmarks.harness import Case, bench, randn, torch
from weft import nn

KINDS = {"LSTM": 4, "GRU": 3, "RNN": 1}
SIZES = [  # steps, batch, width
    {"shape": (128, 64, 512)},
    {"shape": (64, 32, 256)},
    {"shape": (64, 8, 512)},
    {"shape": (64, 1, 512)},
    {"shape": (64, 8, 128)},
]
LAYERS = 2


def networks(kind, width):
    """The same weights in both libraries."""
    ours = getattr(nn, kind)(width, width, LAYERS)
    theirs = None
    if torch is not None:
        theirs = getattr(torch.nn, kind)(width, width, LAYERS)
        theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in ours.state_dict().items()})
    return ours, theirs


def flops(kind, shape):
    steps, batch, width = shape
    return 2.0 * LAYERS * steps * batch * 2 * KINDS[kind] * width * width


def trained(net):
    def step(x):
        x.grad = None
        for p in net.parameters():
            p.grad = None
        net(x)[0].sum().backward()
        return x.grad, net.weight_hh_l0.grad

    return step


@bench(SIZES, kind=list(KINDS))
def rnn_train(shape, kind):
    ours, theirs = networks(kind, shape[2])
    return Case(
        inputs=[randn(*shape)],
        weft=trained(ours),
        torch=theirs and trained(theirs),
        grad=[0],
        flops=3 * flops(kind, shape),
        terms=65536,
    )


@bench(SIZES[:2], kind=["LSTM", "GRU"])
def rnn_train_autocast(shape, kind):
    """Under autocast to bfloat16: products in bfloat16, states in float32."""
    ours, theirs = networks(kind, shape[2])

    def lowered(m, net):
        def step(x):
            x.grad = None
            for p in net.parameters():
                p.grad = None
            with m.autocast("cpu", dtype=m.bfloat16):
                y = net(x)[0]
            y.float().sum().backward()
            return x.grad

        return step

    return Case(
        inputs=[randn(*shape)],
        weft=lowered(weft, ours),
        torch=theirs and lowered(torch, theirs),
        grad=[0],
        flops=3 * flops(kind, shape),
        verify=False,  # PyTorch keeps h in bfloat16
    )


@bench(SIZES, kind=list(KINDS))
def rnn_predict(shape, kind):
    ours, theirs = networks(kind, shape[2])
    for net in (ours, theirs):
        if net is not None:
            net.eval().requires_grad_(False)
    return Case(
        inputs=[randn(*shape)],
        weft=lambda x: ours(x)[0],
        torch=theirs and (lambda x: theirs(x)[0]),
        flops=flops(kind, shape),
        terms=65536,
    )
