"""weft.compile: results that are differentiated outside of the step."""

import copy

import pytest
from steps import falls_back, same, tensor

import weft
from weft.nn import functional as F


def test_training_with_a_compiled_forward_pass(model):
    other, inputs = copy.deepcopy(model), [tensor(6, 8) for _ in range(4)]
    model.train(), other.train()
    compiled = weft.compile(model, fullgraph=True)
    for x in inputs:
        losses, grads = [], []
        for f, m in ((compiled, model), (other, other)):
            m.zero_grad()
            z = x.clone().requires_grad_()
            loss = (f(z * 2) ** 2).mean()
            loss.backward()
            losses.append(loss)
            grads.append([z.grad, *(p.grad for p in m.parameters())])
            with weft.no_grad():
                for p in m.parameters():
                    p.sub_(p.grad, alpha=0.1)
        assert same(*losses) and all(map(same, *grads))
    assert len(compiled.compiled.plans) == 1


def test_forward_passes_before_their_backward_passes(model):
    compiled = weft.compile(model, fullgraph=True)
    for _ in range(3):
        xs = [tensor(6, 8) for _ in range(3)]
        model.zero_grad()
        sum(compiled(x).sum() * k for k, x in enumerate(xs, 1)).backward()
        got = model[0].weight.grad
        model.zero_grad()
        sum(model(x).sum() * k for k, x in enumerate(xs, 1)).backward()
        assert same(got, model[0].weight.grad)
    assert len(compiled.compiled.plans) == 3  # each waits for its own backward pass


def test_dropout_is_the_same_on_the_way_back():
    f = weft.compile(lambda x: F.dropout(x, 0.5), fullgraph=True)
    for _ in range(3):
        x = weft.ones(100, requires_grad=True)
        y = f(x)
        y.sum().backward()
        assert same(x.grad, y)


def test_backward_passes_of_a_compiled_step(model):
    f = weft.compile(lambda x: (model(x), model[0](x)), fullgraph=True)
    for part in (0, 1, 0, 1):  # of one result, of the other
        x = tensor(3, 8).requires_grad_()
        got = weft.autograd.grad(f(x)[part].sum(), x)[0]
        assert same(got, weft.autograd.grad((model(x), model[0](x))[part].sum(), x)[0])
    loss = f(x)[0].sum()
    first = weft.autograd.grad(loss, x, retain_graph=True)[0]
    assert same(first, weft.autograd.grad(loss, x)[0])
    with pytest.raises(RuntimeError, match="second time"):
        weft.autograd.grad(loss, x)
    with pytest.raises(RuntimeError, match="second derivative"):
        weft.autograd.grad(f(x)[0].sum(), x, create_graph=True)
    y = f(x)[0]
    with weft.no_grad():
        model[2].weight.mul_(2)
    with pytest.raises(RuntimeError, match="changed in place"):
        y.sum().backward()


def test_argument_with_a_gradient_of_its_own(model):
    x = tensor(3, 8).requires_grad_()

    def step(x):
        model(x).sum().backward()

    falls_back(step, x, words="gradient into an argument", times=3)
    total = x.grad
    x.grad = None
    step(x)
    assert weft.allclose(total, x.grad * 3)  # fullgraph=True stops before
