"""weft.compile: what is replayed, and what is shown of it."""

import copy

import numpy as np
from steps import same, tensor, training

import weft
from weft import nn
from weft.nn import functional as F


def test_function_in_inference(model):
    with weft.no_grad():
        f = weft.compile(lambda x: model(x).softmax(-1), fullgraph=True)
        for _ in range(3):
            x = tensor(5, 8)
            assert same(f(x), model(x).softmax(-1))
        assert len(f.plans) == 1


def test_outputs_are_their_own(model):
    with weft.no_grad():
        f = weft.compile(model)
        first = f(tensor(5, 8))
        kept = first.numpy().copy()
        f(tensor(5, 8))
        assert np.array_equal(first.numpy(), kept)


def test_results_keep_their_structure():
    @weft.compile
    def f(a, b, *, scale=2.0):
        return {"sum": a + b, "rest": [(a * scale, None), "text", a]}

    for _ in range(3):
        a, b = tensor(3), tensor(3)
        y = f(a, b, scale=3.0)
        assert same(y["sum"], a + b) and same(y["rest"][0][0], a * 3.0)
        assert y["rest"][0][1] is None and y["rest"][1] == "text" and y["rest"][2] is a
    assert f.__name__ == "f" and len(f.plans) == 1
    assert same(f(a, b)["rest"][0][0], a * 2.0) and len(f.plans) == 2


def test_named_tuples_and_views_of_arguments():
    f = weft.compile(lambda x: (weft.max(x, 0), x.t()), fullgraph=True)
    for _ in range(2):
        x = tensor(3, 4)
        (values, indices), turned = f(x)
        assert same(values, x.max(0).values) and same(indices, x.max(0).indices)
        assert same(turned, x.t()) and turned.data_ptr() == x.data_ptr()


def test_kinds_of_arguments(model):
    with weft.no_grad():
        f = weft.compile(model, fullgraph=True)
        for n in (1, 5, 1, 7, 5):
            x = tensor(n, 8)
            assert same(f(x), model(x))
        assert len(f.compiled.plans) == 3
        wide = weft.compile(lambda x: x * 2)
        assert wide(weft.ones(3, dtype=weft.int64)).dtype is weft.int64 and wide(weft.ones(3)).dtype is weft.float32


def test_layouts_of_arguments():
    f = weft.compile(lambda x: x.sum(1) * 2, fullgraph=True)
    x = tensor(2, 3, 4, 5)
    for y in (x, x.to(memory_format=weft.channels_last), x[:, :, ::2], x.transpose(1, 2), x.expand(2, 3, 4, 5)):
        for _ in range(2):
            assert same(f(y), y.sum(1) * 2)


def test_a_step_trains(model):
    other = copy.deepcopy(model)
    (_, eager), (_, step) = training(other), training(model)
    step = weft.compile(step, fullgraph=True)
    before = model[0].weight._version
    for _ in range(5):
        x, y = tensor(6, 8), tensor(6, 4)
        assert same(step(x, y), eager(x, y))
    assert model[0].weight._version == before + 5
    for p, q in zip(model.parameters(), other.parameters(), strict=True):
        assert same(p, q) and same(p.grad, q.grad)


def test_random_numbers_go_on():
    f = weft.compile(lambda x: (F.dropout(x, 0.5), weft.rand(3), weft.randn_like(x)), fullgraph=True)
    x = tensor(4, 4)
    weft.manual_seed(3)
    eager = [(F.dropout(x, 0.5), weft.rand(3), weft.randn_like(x)) for _ in range(4)]
    for seed_again in (False, True):
        weft.manual_seed(3)
        for i in range(4):
            assert all(same(a, b) for a, b in zip(f(x), eager[i], strict=True)), seed_again


def test_generators_of_their_own():
    generator = weft.Generator().manual_seed(5)
    f = weft.compile(lambda: weft.rand(3, generator=generator), fullgraph=True)
    drawn = [f().tolist() for _ in range(3)]
    generator.manual_seed(5)
    assert drawn == [weft.rand(3, generator=generator).tolist() for _ in range(3)]


def test_twin_of_a_module(model):
    f = weft.compile(model)
    assert isinstance(f, nn.Sequential) and f._orig_mod is model and len(f) == 3 and f[0] is model[0]
    assert list(f.state_dict()) == list(model.state_dict()) and list(f.parameters()) == list(model.parameters())
    f.train()
    assert model.training and model[0].training
    f.eval()
    other = copy.deepcopy(f)
    with weft.no_grad():
        other[0].weight.zero_()
        x = tensor(2, 8)
        assert same(f(x), model(x)) and not same(other(x), f(x))
    assert weft.compile(f) is f and repr(f) == repr(model)


def test_description_and_profile(model):
    _, step = training(model)
    step = weft.compile(step, fullgraph=True)
    assert step.describe() == "nothing is recorded yet"
    step(tensor(6, 8), tensor(6, 4))
    text = step.describe()
    assert "linear" in text and "sgd" in text and "float32 [6, 8], float32 [6, 4]" in text and "KiB" in text
    assert len(step.plans[0]) == len(text.splitlines()) - 2
    assert "us, median of 3" in step.profile(3) and step.plans[0].nbytes >= step.plans[0].peak > 0
