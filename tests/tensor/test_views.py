import numpy as np
import pytest

import weft
from oracle import check_same

X = np.random.default_rng(0).standard_normal((2, 3, 4))

VIEWS = {
    "reshape": lambda m, x: x.reshape(4, -1),
    "reshape tuple": lambda m, x: m.reshape(x, (3, 8)),
    "view": lambda m, x: x.view(6, 4),
    "reshape copies": lambda m, x: x.permute(2, 0, 1).reshape(8, 3),
    "flatten": lambda m, x: m.flatten(x, 1),
    "unflatten": lambda m, x: x.unflatten(2, (2, -1)),
    "ravel": lambda m, x: x.transpose(0, 1).ravel(),
    "transpose": lambda m, x: m.transpose(x, 0, -1),
    "permute": lambda m, x: x.permute(2, 0, 1),
    "permute tuple": lambda m, x: m.permute(x, (-1, 0, 1)),
    "movedim": lambda m, x: m.movedim(x, 0, -1),
    "movedim several": lambda m, x: m.movedim(x, (0, 1), (2, 0)),
    "T": lambda m, x: x[0].T,
    "mT": lambda m, x: x.mT,
    "t": lambda m, x: x[0].t(),
    "squeeze": lambda m, x: x[:1].squeeze(),
    "squeeze dim": lambda m, x: x[:1, :, :1].squeeze(0),
    "squeeze other": lambda m, x: x.squeeze(1),
    "squeeze dims": lambda m, x: x[:1, :, :1].squeeze((0, 2)),
    "unsqueeze": lambda m, x: x.unsqueeze(-1),
    "expand": lambda m, x: x[:, :1].expand(5, 2, 3, -1),
    "expand_as": lambda m, x: x[:, :1].expand_as(x),
    "broadcast_to": lambda m, x: m.broadcast_to(x, (2, 2, 3, 4)),
    "narrow": lambda m, x: m.narrow(x, 2, 1, 2),
    "narrow negative": lambda m, x: x.narrow(1, -2, 2),
    "select": lambda m, x: x.select(1, -1),
    "unbind": lambda m, x: m.unbind(x, 1),
    "split": lambda m, x: m.split(x, 3, dim=2),
    "split sizes": lambda m, x: x.split([1, 2], dim=1),
    "chunk": lambda m, x: x.chunk(3, dim=2),
    "chunk too many": lambda m, x: m.chunk(x, 9, dim=1),
    "cat": lambda m, x: m.cat([x, x[:, :1], x[:, 1:]], dim=1),
    "stack": lambda m, x: m.stack([x, x * 2], dim=-1),
    "hstack": lambda m, x: m.hstack([x, x]),
    "vstack": lambda m, x: m.vstack([x[0, 0], x[0, 1]]),
    "twice": lambda m, x: x[1:].transpose(0, 2).reshape(-1)[::2],
}


@pytest.mark.parametrize("name", VIEWS)
def test_against_pytorch(name):
    check_same(VIEWS[name], X)


def test_views_share_memory():
    x = weft.zeros(2, 3)
    for v in (x.view(6), x.t(), x[1:], x.unsqueeze(0), x.reshape(3, 2), x.flatten(), x.narrow(0, 1, 1)):
        assert v.is_contiguous() or v.shape == (3, 2)
        v += 1
    assert x.sum().item() == 6 * 5 + 3 * 2
    assert x._version == 7


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0, 2)])
def test_empty(shape):
    x = weft.zeros(*shape)
    assert x.reshape(-1).shape == (0,)
    assert x.transpose(0, -1).shape == (shape[-1], *shape[1:-1], shape[0]) if len(shape) > 1 else (0,)
    assert weft.cat([x, x]).shape == (2 * shape[0], *shape[1:])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: x.reshape(5, 5), RuntimeError, r"\[reshape\].*\[5, 5\].*24"),
        (lambda x: x.reshape(-1, -1), RuntimeError, "only one dimension"),
        (lambda x: x.permute(0, 1), RuntimeError, r"\[permute\] expected 3 axes"),
        (lambda x: x.permute(0, 1, 1), RuntimeError, "twice"),
        (lambda x: x.transpose(0, 3), IndexError, r"\[transpose\]"),
        (lambda x: x.transpose(0, 1).view(24), RuntimeError, r"use reshape\(\)"),
        (lambda x: x.expand(2, 5, 4), RuntimeError, r"\[expand\] size 5 does not match size 3"),
        (lambda x: x.narrow(0, 1, 5), IndexError, r"\[narrow\]"),
        (lambda x: x.select(0, 2), IndexError, "out of bounds"),
        (lambda x: weft.cat([]), RuntimeError, "non-empty"),
        (lambda x: weft.cat([x, x[:, :, 1:]]), RuntimeError, r"\[cat\] sizes must match except in dimension 0"),
        (lambda x: weft.stack([x, x[1:]]), RuntimeError, r"\[stack\] tensor 1"),
        (lambda x: x.split([1, 1], dim=2), RuntimeError, "do not sum"),
        (lambda x: x.reshape((1,) * 8 + (24,)), RuntimeError, "dimensions"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call(weft.zeros(2, 3, 4))
