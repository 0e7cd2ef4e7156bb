"""weft.compile: what makes another recording, and what does not."""

import copy

import pytest
from steps import same, tensor, training

import weft
from weft import nn
from weft.compiler import ReplayWarning


def test_modes_and_attributes():
    model = nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5))
    with weft.no_grad():
        f = weft.compile(model, fullgraph=True)
        x = tensor(4, 8)
        model.eval()
        assert same(f(x), model(x)) and same(f(x), model[0](x))
        model.train()
        assert (f(x) == 0).any() and (f(x) == 0).any()
        model.eval()
        assert same(f(x), model[0](x))
        model[1].train()
        model[1].p = 1.0
        assert (f(x) == 0).all() and (f(x) == 0).all()


def test_other_weights_modules_and_variables(model):
    scale = 2.0

    def step(x):
        return model(x) * scale

    with weft.no_grad():
        f = weft.compile(step, fullgraph=True)
        x = tensor(4, 8)

        def check():
            for _ in range(2):
                assert same(f(x), model(x) * scale)

        check()
        model[0].weight.mul_(2)
        check()
        model[0].weight.data = tensor(16, 8)
        check()
        model[0].weight = nn.Parameter(tensor(16, 8))
        check()
        model[1] = nn.Tanh()
        check()
        scale = 3.0
        check()
        model = nn.Linear(8, 2)
        check()


def test_gradients_that_add_up(model):
    other = copy.deepcopy(model)
    f = weft.compile(lambda x: model(x).sum().backward(), fullgraph=True)
    for clear in (False, False, False, True, False, True, True):
        x = tensor(4, 8)
        if clear:
            model.zero_grad()
            other.zero_grad()
        f(x)
        other(x).sum().backward()
        assert all(same(p.grad, q.grad) for p, q in zip(model.parameters(), other.parameters(), strict=True))


def test_eager_steps_in_between(model):
    other = copy.deepcopy(model)
    (_, eager), (_, step) = training(other, momentum=0.9), training(model, momentum=0.9)
    compiled = weft.compile(step, fullgraph=True)
    for i in range(9):
        x, y = tensor(6, 8), tensor(6, 4)
        assert same((step if i % 3 == 2 else compiled)(x, y), eager(x, y))
        assert same(model[0].weight, other[0].weight)


def test_kept_gradients_stay_what_they_are(model):
    _, step = training(model)
    step = weft.compile(step, fullgraph=True)
    kept, values = [], []
    for _ in range(4):
        step(tensor(6, 8), tensor(6, 4))
        kept += [model[0].weight.grad, model[2].bias.grad.view(2, 2)]
        values += [kept[-2].tolist(), kept[-1].tolist()]
    assert [t.tolist() for t in kept] == values


def test_options_of_optimizers(model):
    other = copy.deepcopy(model)
    (a, eager), (b, step) = training(other), training(model)
    step = weft.compile(step, fullgraph=True)
    for change in ({}, {"lr": 0.01}, {"momentum": 0.9}, {"momentum": 0.5}, {"weight_decay": 0.1}, {"maximize": True}):
        for opt in (a, b):
            opt.param_groups[0].update(change)
        for _ in range(2):
            x, y = tensor(6, 8), tensor(6, 4)
            assert same(step(x, y), eager(x, y))
        assert same(model[0].weight, other[0].weight)


def test_loaded_state(model):
    other = copy.deepcopy(model)
    (_, eager), (b, step) = training(other, momentum=0.9), training(model, momentum=0.9)
    step = weft.compile(step, fullgraph=True)
    x, y = tensor(6, 8), tensor(6, 4)
    for _ in range(2):
        step(x, y), eager(x, y)
    saved, weights = copy.deepcopy(b.state_dict()), copy.deepcopy(model.state_dict())
    for _ in range(3):
        step(x, y)
    b.load_state_dict(saved)
    model.load_state_dict(weights)
    for _ in range(3):
        assert same(step(x, y), eager(x, y))


def test_surroundings(model):
    f = weft.compile(lambda x: model(x), fullgraph=False)
    x = tensor(4, 8)
    with weft.no_grad():
        assert f(x).dtype is weft.float32
        with weft.autocast("cpu", dtype=weft.bfloat16):
            assert f(x).dtype is weft.bfloat16 and f(x).dtype is weft.bfloat16
        assert f(x).dtype is weft.float32
    with weft.inference_mode():
        assert f(x).is_inference()


def test_recordings_are_bounded(model):
    from weft.compiler import MOST_RECORDINGS

    with weft.no_grad():
        f = weft.compile(model)
        for n in range(1, MOST_RECORDINGS + 20):
            for _ in range(2):
                f(tensor(n, 8))
        assert len(f.compiled.plans) == MOST_RECORDINGS
        f.compiled.reset()
        assert not f.compiled.plans


def test_what_never_comes_again(model):
    from weft.compiler import MOST_RECORDINGS

    with weft.no_grad():
        f = weft.compile(model)
        with pytest.warns(ReplayWarning, match="never replayed"):
            for n in range(1, MOST_RECORDINGS + 20):
                assert same(f(x := tensor(n, 8)), model(x))
        assert not f.compiled.plans


def test_compiled_steps_are_collected(model):
    import gc
    import weakref

    class Trainer:
        def __init__(self):
            self.model = copy.deepcopy(model)
            self.step = weft.compile(self.run)

        def run(self, x):
            return self.model(x) * 2

    with weft.no_grad():
        trainer = Trainer()
        for _ in range(2):
            trainer.step(tensor(2, 8))
    gone = weakref.ref(trainer.model)
    del trainer
    gc.collect()
    assert gone() is None
