import numpy as np
import pytest

import weft
from weft import nn, optim

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="compares with PyTorch")
SHAPES = [(3, 4), (5,), (1,), (2, 3, 2), (0,), (70, 300)]

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "maximize": True}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "weight_decay": 0.1, "betas": (0.8, 0.95), "eps": 1e-6}),
    ("Adam", {"lr": 0.01, "amsgrad": True}),
    ("Adam", {"lr": 0.01, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}),
    ("Adamax", {"lr": 0.01}),
    ("Adamax", {"lr": 0.01, "betas": (0.8, 0.9), "weight_decay": 0.1, "maximize": True}),
    ("NAdam", {"lr": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.01}),
    ("NAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RAdam", {"lr": 0.01}),
    ("RAdam", {"lr": 0.01, "betas": (0.9, 0.9), "weight_decay": 0.1}),
    ("RAdam", {"lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-2, "maximize": True}),
    ("RMSprop", {"lr": 0.01, "centered": True, "eps": 1e-2, "momentum": 0.5}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5}),
    ("Adadelta", {"lr": 1.0}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "weight_decay": 0.1, "maximize": True}),
    ("ASGD", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1, "lambd": 0.1, "alpha": 0.5, "t0": 3, "weight_decay": 0.1}),
    ("Rprop", {"lr": 0.01}),
    ("Rprop", {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (0.05, 0.2), "maximize": True}),
    ("Adafactor", {"lr": 0.01}),
    ("Adafactor", {"lr": 0.1, "weight_decay": 0.1, "d": 1.5, "eps": (1e-4, 1e-2), "maximize": True}),
]


def params_of(mod, Parameter, dtype="float32", seed=0):
    random = np.random.default_rng(seed)
    return [Parameter(mod.tensor(random.standard_normal(s).astype(dtype))) for s in SHAPES]


def unknown_to_pytorch(name):
    return (4,) if name == "Adafactor" else ()  # it divides by the number of elements, zero


def give_grads(mod, params, step, dtype="float32", skip=()):
    random = np.random.default_rng(100 + step)
    for i, p in enumerate(params):
        g = random.standard_normal(tuple(p.shape)).astype(dtype)
        p.grad = None if i in skip else mod.tensor(g)


def compare(ours, theirs, rtol=1e-6):
    for p, q in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=rtol, atol=1e-6)


@needs_torch
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name, options", CASES, ids=lambda v: str(v))
def test_step_for_step(name, options, dtype):
    ours, theirs = params_of(weft, nn.Parameter, dtype), params_of(torch, torch.nn.Parameter, dtype)
    a = getattr(optim, name)(ours, **options)
    b = getattr(torch.optim, name)(theirs, **options)
    for step in range(20):
        late = (1,) if step < 4 else ()  # a parameter that gets its first gradient late
        skip = late + unknown_to_pytorch(name)
        give_grads(weft, ours, step, dtype, skip)
        give_grads(torch, theirs, step, dtype, skip)
        a.step()
        b.step()
        compare(ours, theirs)


@needs_torch
@pytest.mark.parametrize("name, options", CASES, ids=lambda v: str(v))
def test_state_dict_has_pytorchs_structure_and_loads_from_it(name, options):
    ours, theirs = params_of(weft, nn.Parameter), params_of(torch, torch.nn.Parameter)
    a, b = getattr(optim, name)(ours, **options), getattr(torch.optim, name)(theirs, **options)
    skip = unknown_to_pytorch(name)
    for step in range(3):
        give_grads(weft, ours, step, skip=skip)
        give_grads(torch, theirs, step, skip=skip)
        a.step()
        b.step()
    mine, other = a.state_dict(), b.state_dict()
    assert mine["state"].keys() == other["state"].keys()
    for i, state in other["state"].items():
        named = {k for k, v in state.items() if v is not None}
        assert named == mine["state"][i].keys()
    assert mine["param_groups"][0]["params"] == other["param_groups"][0]["params"]
    for key in options:
        assert mine["param_groups"][0][key] == other["param_groups"][0][key]

    fresh = getattr(optim, name)(ours, lr=9.0)
    fresh.load_state_dict(other)
    for step in range(3, 6):
        give_grads(weft, ours, step, skip=skip)
        give_grads(torch, theirs, step, skip=skip)
        fresh.step()
        b.step()
    compare(ours, theirs)


@pytest.mark.parametrize("name, options", CASES, ids=lambda v: str(v))
def test_resume_is_exact(name, options, tmp_path):
    def run(steps, params, optimizer, first=0):
        for step in range(first, steps):
            give_grads(weft, params, step)
            optimizer.step()

    straight = params_of(weft, nn.Parameter)
    run(6, straight, getattr(optim, name)(straight, **options))

    params = params_of(weft, nn.Parameter)
    before = getattr(optim, name)(params, **options)
    run(3, params, before)
    weft.save(before.state_dict(), tmp_path / "optimizer.safetensors")
    after = getattr(optim, name)(params, lr=5.0)
    after.load_state_dict(weft.load(tmp_path / "optimizer.safetensors"))
    run(6, params, after, first=3)
    for p, q in zip(params, straight, strict=True):
        assert np.array_equal(p.detach().numpy(), q.detach().numpy())


@needs_torch
@pytest.mark.parametrize("options", [{}, {"nesterov": False, "weight_decay": 0.5}, {"adjust_lr_fn": "match_rms_adamw"}])
def test_muon(options):
    random = np.random.default_rng(0)
    values = [random.standard_normal(s).astype(np.float32) for s in ((30, 70), (70, 30), (16, 16), (1, 5))]
    ours = [nn.Parameter(weft.tensor(v)) for v in values]
    theirs = [torch.nn.Parameter(torch.tensor(v)) for v in values]
    a, b = optim.Muon(ours, lr=0.1, **options), torch.optim.Muon(theirs, lr=0.1, **options)
    for _ in range(5):
        for p, q in zip(ours, theirs, strict=True):
            g = random.standard_normal(tuple(p.shape)).astype(np.float32)
            p.grad, q.grad = weft.tensor(g), torch.tensor(g)
        a.step()
        b.step()
    for p, q in zip(ours, theirs, strict=True):  # both orthogonalise in bfloat16
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), atol=0.02)
    with pytest.raises(ValueError, match="2D"):
        optim.Muon([nn.Parameter(weft.zeros(3))])


def test_lion_takes_steps_of_one_size():
    p = nn.Parameter(weft.tensor([1.0, -1.0, 1.0]))
    opt = optim.Lion([p], lr=0.1, weight_decay=0.5)
    p.grad = weft.tensor([3.0, -0.01, 0.0])
    opt.step()
    np.testing.assert_allclose(p.detach().numpy(), [0.85, -0.85, 0.95], rtol=1e-6)
    np.testing.assert_allclose(opt.state[p]["exp_avg"].numpy(), [0.03, -1e-4, 0], rtol=1e-5)
    p.grad = weft.tensor([-0.1, 0.0, 0.0])  # m outweighs it
    opt.step()
    assert p[0] < 0.85


@pytest.mark.parametrize("max_norm", [0.5, 1e9])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Adafactor"])
def test_max_norm_is_clip_grad_norm_and_a_step(name, max_norm):
    a, b = params_of(weft, nn.Parameter), params_of(weft, nn.Parameter)
    one, two = getattr(optim, name)(a, lr=0.01), getattr(optim, name)(b, lr=0.01)
    assert one.grad_norm is None
    for step in range(4):
        give_grads(weft, a, step)
        give_grads(weft, b, step)
        before = a[0].grad.tolist()
        norm = nn.utils.clip_grad_norm_(b, max_norm)
        two.step()
        one.step(max_norm=max_norm)
        assert float(norm) == pytest.approx(float(one.grad_norm), rel=1e-6)
        assert a[0].grad.tolist() == before
        compare(a, b)


@pytest.mark.parametrize("scale", [0.25, weft.tensor(0.25)], ids=["number", "tensor"])
@pytest.mark.parametrize("name", ["SGD", "AdamW", "Adafactor"])
def test_grad_scale(name, scale):
    a, b = params_of(weft, nn.Parameter), params_of(weft, nn.Parameter)
    one, two = getattr(optim, name)(a, lr=0.01), getattr(optim, name)(b, lr=0.01)
    give_grads(weft, a, 0)
    give_grads(weft, b, 0)
    for p in a:
        p.grad = p.grad * 4
    one.step(grad_scale=scale, max_norm=3.0)
    two.step(max_norm=3.0)
    compare(a, b)
    assert float(one.grad_norm) == pytest.approx(float(two.grad_norm), rel=1e-6)


def test_groups_have_their_own_options():
    p, q = nn.Parameter(weft.ones(2)), nn.Parameter(weft.ones(2))
    opt = optim.SGD([{"params": [p], "lr": 1.0}, {"params": q}], lr=0.1)
    p.grad = q.grad = weft.ones(2)
    opt.step()
    assert p.tolist() == [0.0, 0.0]
    np.testing.assert_allclose(q.detach().numpy(), [0.9, 0.9], rtol=1e-6)
    extra = nn.Parameter(weft.ones(1))
    opt.add_param_group({"params": extra, "lr": 0.5})
    assert opt.param_groups[2]["lr"] == 0.5 and opt.param_groups[2]["momentum"] == 0
    assert "lr: 0.5" in repr(opt)


def test_closure_zero_grad_and_named_parameters():
    net = nn.Linear(3, 1)
    opt = optim.SGD(net.named_parameters(), lr=0.1)

    def closure():
        opt.zero_grad()
        loss = net(weft.ones(2, 3)).sum()
        loss.backward()
        return loss

    with weft.no_grad():
        first = float(opt.step(closure))
    assert float(opt.step(closure)) < first
    opt.zero_grad(set_to_none=False)
    assert net.weight.grad.tolist() == [[0.0] * 3]
    opt.zero_grad()
    assert net.weight.grad is None


def test_half_precision_parameters_are_updated():
    p = nn.Parameter(weft.ones(4).to(weft.bfloat16))
    q = nn.Parameter(weft.ones(4))
    opt = optim.AdamW([p, q], lr=0.1, weight_decay=0)
    p.grad, q.grad = weft.ones(4).to(weft.bfloat16), weft.ones(4)
    opt.step()
    np.testing.assert_allclose(p.detach().float().numpy(), [0.9] * 4, rtol=1e-2)
    np.testing.assert_allclose(q.detach().numpy(), [0.9] * 4, rtol=1e-5)


def test_step_is_off_the_tape_and_bumps_versions():
    net = nn.Linear(2, 2)
    y = net(net(weft.ones(1, 2))).sum()
    net.weight.grad = weft.ones(2, 2)
    net.bias.grad = weft.ones(2)
    optim.AdamW(net.parameters()).step()
    assert net.weight.is_leaf
    with pytest.raises(RuntimeError):
        y.backward()


def test_errors():
    p = nn.Parameter(weft.zeros(1))
    with pytest.raises(TypeError, match="iterable"):
        optim.SGD(p)
    with pytest.raises(ValueError, match="empty"):
        optim.SGD([])
    with pytest.raises(ValueError, match="more than one"):
        optim.SGD([p, p])
    with pytest.raises(ValueError, match="non-leaf"):
        optim.SGD([p * 2])
    with pytest.raises(TypeError, match="optimize Tensors"):
        optim.SGD(["weight"])
    with pytest.raises(TypeError, match="order"):
        optim.SGD([{"params": {p}}])
    for bad in ({"lr": -1}, {"momentum": -1}, {"weight_decay": -1}, {"lr": float("nan")}):
        with pytest.raises(ValueError, match="Invalid"):
            optim.SGD([p], **bad)
    with pytest.raises(ValueError, match="Nesterov"):
        optim.SGD([p], nesterov=True)
    with pytest.raises(ValueError, match="beta"):
        optim.Adam([p], betas=(0.9, 1.0))
    with pytest.raises(ValueError, match="rho"):
        optim.Adadelta([p], rho=1.5)
    with pytest.raises(ValueError, match="eta"):
        optim.Rprop([p], etas=(1.5, 0.5))
    with pytest.raises(ValueError, match="beta2_decay"):
        optim.Adafactor([p], beta2_decay=0.8)
    with pytest.raises(NotImplementedError, match="differentiable"):
        optim.AdamW([p], differentiable=True)


def test_load_state_dict_checks_before_it_changes():
    p, q = nn.Parameter(weft.zeros(2)), nn.Parameter(weft.zeros(3))
    opt = optim.Adam([p, q])
    p.grad, q.grad = weft.ones(2), weft.ones(3)
    opt.step()
    state = opt.state_dict()
    with pytest.raises(ValueError, match="number of parameter groups"):
        opt.load_state_dict({"state": {}, "param_groups": []})
    with pytest.raises(ValueError, match="size of optimizer's group"):
        optim.Adam([p]).load_state_dict(state)
    with pytest.raises(ValueError, match="exp_avg has shape"):
        optim.Adam([q, p]).load_state_dict(state)
    with pytest.raises(ValueError, match="in no group"):
        opt.load_state_dict({**state, "state": {7: {}}})
    assert opt.state[p]["exp_avg"].shape == (2,)
