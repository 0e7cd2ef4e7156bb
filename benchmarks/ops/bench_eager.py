"""What an operation on a few elements costs with the tape running: the overhead, for each kind of operation."""

import weft
import weft.nn.functional as F
from benchmarks.harness import Case, bench, randn, torch

OPERATIONS = {  # of a library m, its functional module f, x [4, 4] and y [4, 4]
    "add": lambda m, f, x, y: x + y,
    "add_number": lambda m, f, x, y: x + 2.0,
    "multiply": lambda m, f, x, y: x * y,
    "broadcast": lambda m, f, x, y: x * y[0],
    "negate": lambda m, f, x, y: -x,
    "exp": lambda m, f, x, y: x.exp(),
    "tanh": lambda m, f, x, y: m.tanh(x),
    "power": lambda m, f, x, y: x**2,
    "clamp": lambda m, f, x, y: x.clamp(-1, 1),
    "where": lambda m, f, x, y: m.where(x > 0, x, y),
    "lerp": lambda m, f, x, y: m.lerp(x, y, 0.5),
    "masked_fill": lambda m, f, x, y: x.masked_fill(x > 0, 0.0),
    "relu": lambda m, f, x, y: f.relu(x),
    "gelu": lambda m, f, x, y: f.gelu(x),
    "softmax": lambda m, f, x, y: f.softmax(x, -1),
    "log_softmax": lambda m, f, x, y: f.log_softmax(x, -1),
    "layer_norm": lambda m, f, x, y: f.layer_norm(x, (4,)),
    "group_norm": lambda m, f, x, y: f.group_norm(x, 1),
    "sum": lambda m, f, x, y: x.sum(),
    "mean": lambda m, f, x, y: x.mean(-1),
    "variance": lambda m, f, x, y: x.var(0),
    "amax": lambda m, f, x, y: x.amax(1),
    "norm": lambda m, f, x, y: x.norm(),
    "logsumexp": lambda m, f, x, y: x.logsumexp(-1),
    "cumsum": lambda m, f, x, y: x.cumsum(0),
    "view": lambda m, f, x, y: x.view(2, 8),
    "transpose": lambda m, f, x, y: x.transpose(0, 1),
    "permute": lambda m, f, x, y: x.permute(1, 0),
    "unsqueeze": lambda m, f, x, y: x.unsqueeze(1),
    "expand": lambda m, f, x, y: x.unsqueeze(0).expand(2, 4, 4),
    "contiguous": lambda m, f, x, y: x.t().contiguous(),
    "item": lambda m, f, x, y: x[1],
    "slice": lambda m, f, x, y: x[:, 1:3],
    "select_rows": lambda m, f, x, y: x.index_select(0, ids(m)),
    "gather": lambda m, f, x, y: x.gather(1, labels(m)[:, None]),
    "cat": lambda m, f, x, y: m.cat([x, y], 1),
    "stack": lambda m, f, x, y: m.stack([x, y]),
    "chunk": lambda m, f, x, y: tuple(x.chunk(2)),
    "pad": lambda m, f, x, y: f.pad(x, (1, 1)),
    "matmul": lambda m, f, x, y: x @ y,
    "linear": lambda m, f, x, y: f.linear(x, y, x[0]),
    "einsum": lambda m, f, x, y: m.einsum("ij,jk->ik", x, y),
    "mse_loss": lambda m, f, x, y: f.mse_loss(x, y),
    "cross_entropy": lambda m, f, x, y: f.cross_entropy(x, labels(m)),
    "embedding": lambda m, f, x, y: f.embedding(ids(m), x),
}
_made = {}


def ids(m):
    if (m, "ids") not in _made:
        _made[m, "ids"] = m.tensor([0, 2])
    return _made[m, "ids"]


def labels(m):
    if (m, "labels") not in _made:
        _made[m, "labels"] = m.tensor([0, 2, 1, 3])
    return _made[m, "labels"]


@bench()
def add_16_without_gradients():
    add = OPERATIONS["add"]
    return Case(
        inputs=[randn(16), randn(16, seed=1)],
        weft=lambda x, y: add(weft, F, x, y),
        torch=lambda x, y: add(torch, None, x, y),
        numpy=lambda x, y: x + y,
        jax=lambda x, y: x + y,
        threads=1,
    )


@bench(operation=list(OPERATIONS))
def eager_forward(operation):
    run = OPERATIONS[operation]
    return Case(
        inputs=[randn(4, 4), randn(4, 4, seed=1)],
        weft=lambda x, y: run(weft, F, x, y),
        torch=lambda x, y: run(torch, torch.nn.functional, x, y),
        grad=[0, 1],
        threads=1,
    )


@bench(operation=list(OPERATIONS))
def eager_backward(operation):
    """Forward, and backward from a given gradient."""
    run = OPERATIONS[operation]

    def step(m, functional, tensor):
        def call(x, y):
            result = run(m, functional, x, y)
            result = result[0] if isinstance(result, tuple) else result
            key = (m, tuple(result.shape))
            if key not in _made:
                _made[key] = tensor(randn(*result.shape, seed=2))
            result.backward(_made[key])
            gradients = x.grad
            x.grad = y.grad = None
            return gradients

        return call

    return Case(
        inputs=[randn(4, 4), randn(4, 4, seed=1)],
        weft=step(weft, F, weft.tensor),
        torch=step(torch, torch and torch.nn.functional, torch and torch.from_numpy),
        grad=[0, 1],
        threads=1,
    )
