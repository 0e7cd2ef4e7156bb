"""Compiled or not, a thousand training steps end in the same bits: weights, statistics, optimizer state, losses."""

import numpy as np
import pytest
from steps import classifying

import weft
from weft import nn
from weft.nn import functional as F

STEPS = 1000


def batches(shape, classes, of_ids=False, n=7):
    random = np.random.default_rng(0)
    for _ in range(n):
        x = random.integers(0, 50, shape) if of_ids else random.standard_normal(shape).astype(np.float32)
        yield weft.tensor(x), weft.tensor(random.integers(0, classes, shape[:1]))


class Mlp(nn.Sequential):
    shape, classes = (8, 12), 4

    def __init__(self):
        super().__init__(nn.Linear(12, 24), nn.GELU(), nn.Dropout(0.2), nn.Linear(24, 16), nn.ReLU(), nn.Linear(16, 4))


class Cnn(nn.Module):
    shape, classes = (4, 3, 8, 8), 5

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()),
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.features(x)
        return self.head((x + F.dropout2d(x, 0.1, self.training)).mean((2, 3)))


class Lstm(nn.Module):
    shape, classes = (3, 6, 5), 4

    def __init__(self):
        super().__init__()
        self.rnn = nn.LSTM(5, 8, num_layers=2, batch_first=True, dropout=0.1)
        self.head = nn.Linear(8, 4)

    def forward(self, x):
        return self.head(self.rnn(x)[0][:, -1])


class Gpt(nn.Module):
    shape, classes = (2, 10), 7

    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(50, 16), nn.Parameter(weft.zeros(10, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 32, 0.1, "gelu", batch_first=True, norm_first=True)
        self.blocks, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(16, 7)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(10))

    def forward(self, x):
        return self.head(self.blocks(self.tokens(x) + self.places, self.mask, is_causal=True)[:, -1])


def trained(model_type, compiled, steps, threads=None):
    weft.manual_seed(0)
    model = model_type()
    opt, step = classifying(model, steps)
    run = weft.compile(step, fullgraph=True) if compiled else step
    data = list(batches(model.shape, model.classes, model_type is Gpt))
    before = weft.get_num_threads()
    weft.set_num_threads(threads or before)
    try:
        losses = [run(*data[i % len(data)]).item() for i in range(steps)]
    finally:
        weft.set_num_threads(before)
    if compiled:
        assert len(run.plans) == 1
    state = [t for s in opt.state.values() for t in s.values()]
    tensors = [*model.state_dict().values(), *state]
    return np.array(losses, np.float32).tobytes(), [t.detach().numpy().tobytes() for t in tensors]


@pytest.mark.parametrize("model", [Mlp, Cnn, Lstm, Gpt])
def test_same_bits_as_eager(model):
    eager = trained(model, False, STEPS)
    for threads in (1, 2):
        assert trained(model, True, STEPS, threads) == eager


@pytest.mark.parametrize(
    "make",
    [
        lambda p: weft.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True),
        lambda p: weft.optim.RMSprop(p, lr=0.01),
        lambda p: weft.optim.NAdam(p, lr=0.01),
        lambda p: weft.optim.Lion(p, lr=0.01),
    ],
)
def test_optimizers_and_their_schedules(make):
    def run(compiled):
        weft.manual_seed(0)
        model = Mlp()
        opt = make(model.parameters())
        schedule = weft.optim.lr_scheduler.OneCycleLR(opt, 0.1, total_steps=60)

        def step(x, y):
            opt.zero_grad()
            F.cross_entropy(model(x), y).backward()
            opt.step(max_norm=0.5)
            schedule.step()

        f = weft.compile(step, fullgraph=True) if compiled else step
        norms = []
        for x, y in list(batches(Mlp.shape, Mlp.classes)) * 8:
            f(x, y)
            norms.append(opt.grad_norm)
        return [n.item() for n in norms], schedule.get_last_lr(), [p.tolist() for p in model.parameters()]

    assert run(True) == run(False)
