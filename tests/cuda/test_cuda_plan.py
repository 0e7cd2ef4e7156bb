"""weft.compile on a GPU: the same bits as eager, and launches sent as graphs."""

import gc
import threading
import warnings

import numpy as np
import pytest

import weft
from plan.steps import classifying
from weft import nn
from weft.compiler import ReplayWarning
from weft.nn import functional as F

rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def no_surprise():
    with warnings.catch_warnings():
        warnings.simplefilter("error", ReplayWarning)
        yield


@pytest.fixture
def emulation(request, device):
    """The emulation's counters; a GPU keeps none."""
    if weft.cuda.is_available():
        pytest.skip("only the emulation counts graphs")
    return request.getfixturevalue("library").lib


def batches(shape, classes, device, n=3):
    for _ in range(n):
        x = weft.tensor(rng.standard_normal(shape).astype(np.float32))
        yield x.to(device), weft.tensor(rng.integers(0, classes, shape[0])).to(device)


def perceptron():
    return nn.Sequential(
        nn.Linear(6, 16), nn.GELU(), nn.Dropout(0.2), nn.Linear(16, 8), nn.Dropout(0.5), nn.Linear(8, 3)
    )


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Dropout2d(0.2),
        nn.Flatten(),
        nn.Linear(16, 3),
    )


class Attentive(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.head = nn.Linear(4, 8), nn.Linear(8, 3)
        self.block = nn.TransformerEncoderLayer(8, 2, 12, 0.1, "gelu", batch_first=True, norm_first=True)

    def forward(self, x):
        return self.head(self.block(self.tokens(x)).mean(1))


def stepper(make, device, steps=20, compiled=True):
    weft.manual_seed(0)
    model = make().to(device)
    opt, step = classifying(model, steps)
    return model, opt, weft.compile(step, fullgraph=True) if compiled else step


def trained(make, data, device, compiled, steps=20):
    model, opt, step = stepper(make, device, steps, compiled)
    losses = [step(*data[i % len(data)]) for i in range(steps)]
    state = [t for s in opt.state.values() for t in s.values()]
    bits = [t.detach().cpu().numpy().tobytes() for t in (*losses, *model.state_dict().values(), *state)]
    return bits, step


NETWORKS = {perceptron: (5, 6), convolutional: (3, 1, 4, 4), Attentive: (2, 5, 4)}


@pytest.mark.parametrize("make", NETWORKS)
def test_same_bits_as_eager(device, make):
    data = list(batches(NETWORKS[make], 3, device))
    eager, _ = trained(make, data, device, False)
    replayed, step = trained(make, data, device, True)
    assert replayed == eager and len(step.plans) == 1


def test_graphs_are_launched(device, emulation):
    (batch,) = batches((5, 6), 3, device, 1)
    _, _, step = stepper(perceptron, device)
    before = emulation.weft_emulation_graph_launches()
    step(*batch)
    assert emulation.weft_emulation_graph_launches() == before and emulation.weft_emulation_graphs_alive() == 0
    for _ in range(4):
        step(*batch)
    lines = step.plans[0]._plan._lines()
    graphs = {graph for *_, graph in lines} - {-1}
    assert graphs == {0, 1}  # up to the labels, which are looked at, and from there to the optimizer's numbers
    assert emulation.weft_emulation_graph_launches() - before == 4 * len(graphs)
    assert emulation.weft_emulation_graphs_alive() == len(graphs)
    alone = [name for name, *_, graph in lines if graph < 0]
    assert len(alone) < 3 < len(lines)
    table = [line.split() for line in step.describe().splitlines()]
    assert table[0] == ["#", "launch", "device", "work", "graph"] and table[1][-1] == "0"


def test_each_launch_is_timed(device, emulation):
    (batch,) = batches((5, 6), 3, device, 1)
    _, _, step = stepper(perceptron, device)
    step(*batch), step(*batch)
    before = emulation.weft_emulation_graph_launches()
    assert len(step.profile(2).splitlines()) == len(step.plans[0]) + 2
    assert emulation.weft_emulation_graph_launches() == before


def test_what_cannot_be_captured_is_launched_one_by_one(device, emulation):
    data = list(batches((5, 6), 3, device))
    eager, _ = trained(perceptron, data, device, False)
    before = emulation.weft_emulation_graph_launches()
    emulation.weft_emulation_let_captures_fail(True)
    try:
        replayed, step = trained(perceptron, data, device, True)
    finally:
        emulation.weft_emulation_let_captures_fail(False)
    assert replayed == eager
    assert emulation.weft_emulation_graph_launches() == before and emulation.weft_emulation_graphs_alive() == 0
    assert all(graph < 0 for *_, graph in step.plans[0]._plan._lines())


def test_memory_is_flat_and_comes_back(device, emulation):
    held = emulation.weft_emulation_bytes_in_use
    (batch,) = batches((5, 6), 3, device, 1)
    gc.collect()
    at_first = held()
    model, opt, step = stepper(perceptron, device, steps=1000)
    step(*batch), step(*batch)
    gc.collect()
    before = held()
    for _ in range(100):
        step(*batch)
    gc.collect()
    assert held() == before and len(step.plans) == 1
    opt.zero_grad()
    tensors = [*model.parameters(), *(t for s in opt.state.values() for t in s.values() if t.is_cuda)]
    del step
    gc.collect()
    assert emulation.weft_emulation_graphs_alive() == 0
    assert held() - at_first == sum(t.nbytes for t in tensors)


def test_threads_share_a_model(device):
    weft.manual_seed(0)
    model = perceptron().to(device).eval()
    f = weft.compile(model, fullgraph=True)
    wrong = []
    with weft.no_grad():
        inputs = [x for x, _ in batches((5, 6), 3, device, 2)]
        expected = [model(x).tolist() for x in inputs]

    def work(i):
        with weft.no_grad():
            wrong.extend(i for _ in range(25) if f(inputs[i]).tolist() != expected[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong and 1 <= len(f.compiled.plans) <= 2


def test_a_result_differentiated_outside(device):
    weft.manual_seed(0)
    model = perceptron().to(device)
    data = list(batches((5, 6), 3, device))

    def gradients(f):
        weft.manual_seed(1)
        out = []
        for x, y in data * 2:
            model.zero_grad()
            F.cross_entropy(f(x), y).backward()
            out += [p.grad.cpu().numpy().tobytes() for p in model.parameters()]
        return out

    assert gradients(weft.compile(model, fullgraph=True)) == gradients(model)


def test_gradients_that_somebody_keeps(device):
    (batch,) = batches((5, 6), 3, device, 1)
    model, _, step = stepper(perceptron, device)
    kept = []
    for _ in range(4):
        step(*batch)
        kept.append((model[0].weight.grad, model[0].weight.grad.cpu().numpy().copy()))
    for grad, numbers in kept:
        np.testing.assert_array_equal(grad.cpu().numpy(), numbers)


def test_copies_between_devices(device):
    weft.manual_seed(0)
    model = perceptron().to(device).eval()
    scale, places = weft.ones(3), weft.arange(3)

    def f(x):
        return model(x.to(device) + places.to(device).sum()).softmax(-1).cpu() * scale

    with weft.no_grad():
        compiled = weft.compile(f, fullgraph=True)
        for x, _ in batches((5, 6), 3, "cpu"):
            scale += 1
            places += 1
            assert compiled(x).tolist() == f(x).tolist()
    assert len(compiled.plans) == 1


def test_tables_of_the_host(device):
    def f(x):
        places = weft.arange(6, device=device)
        places += 1
        steps = weft.linspace(0, 1, 6, device=device)
        steps *= 2
        return x * places + steps, weft.arange(3, device=device), F.interpolate(x[None], 12, mode="linear")[0]

    compiled = weft.compile(f, fullgraph=True)
    for x, _ in batches((5, 6), 3, device):
        results = compiled(x)
        assert [t.tolist() for t in results] == [t.tolist() for t in f(x)]
        results[1].zero_()


def test_wrong_labels_are_refused_by_replays(device):
    data = list(batches((5, 6), 3, device))
    _, _, step = stepper(perceptron, device)
    for batch in data:
        step(*batch)
    with pytest.raises(IndexError):
        step(data[0][0], data[0][1] + 3)
    assert np.isfinite(step(*data[0]).item())


def test_own_generators(device):
    def run(compiled):
        generator = weft.Generator().manual_seed(3)

        def f(x):
            return x + weft.rand(5, 6, device=device, generator=generator), F.dropout(x, 0.3), weft.rand(4)

        f = weft.compile(f, fullgraph=True) if compiled else f
        weft.manual_seed(1)
        x = weft.ones(5, 6, device=device)
        return [t.tolist() for _ in range(4) for t in f(x)]

    assert run(True) == run(False)
