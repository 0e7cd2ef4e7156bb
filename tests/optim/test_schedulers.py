import random

import pytest

import weft
from weft import nn, optim
from weft.optim import lr_scheduler

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore")

CASES = {
    "StepLR": lambda m, o: m.StepLR(o, 3, 0.5),
    "MultiStepLR": lambda m, o: m.MultiStepLR(o, [2, 5, 5], 0.3),
    "ExponentialLR": lambda m, o: m.ExponentialLR(o, 0.9),
    "CosineAnnealingLR": lambda m, o: m.CosineAnnealingLR(o, 7, 1e-3),
    "LinearLR": lambda m, o: m.LinearLR(o, 0.1, 0.8, 6),
    "ConstantLR": lambda m, o: m.ConstantLR(o, 0.1, 6),
    "LambdaLR": lambda m, o: m.LambdaLR(o, [lambda t: 0.9**t, lambda t: 1 / (1 + t)]),
    "OneCycleLR": lambda m, o: m.OneCycleLR(o, [0.3, 0.2], 20),
    "OneCycleLR-three": lambda m, o: m.OneCycleLR(
        o, 0.3, epochs=4, steps_per_epoch=5, three_phase=True, anneal_strategy="linear"
    ),
    "SequentialLR": lambda m, o: m.SequentialLR(
        o, [m.LinearLR(o, 0.1, 1.0, 4), m.CosineAnnealingLR(o, 10), m.ExponentialLR(o, 0.5)], [4, 9]
    ),
    "together": lambda m, o: (m.LinearLR(o, 0.1, 1.0, 4), m.ExponentialLR(o, 0.9), m.StepLR(o, 5)),
}


def optimizer(mod, Parameter, name):
    p, q = Parameter(mod.zeros(2)), Parameter(mod.zeros(2))
    groups = [{"params": [p]}, {"params": [q], "lr": 0.05}]
    make = getattr(mod.optim, name)
    return make(groups, lr=0.1, momentum=0.9) if name == "SGD" else make(groups, lr=0.1)


def trace(mod, Parameter, schedulers, case, name="SGD", steps=18):
    o = optimizer(mod, Parameter, name)
    s = CASES[case](schedulers, o)
    s = s if isinstance(s, tuple) else (s,)
    rows = []
    for _ in range(steps):
        rows += [(g["lr"], g.get("momentum", 0), *g.get("betas", ())) for g in o.param_groups]
        o.step()
        for each in s:
            each.step()
        assert s[-1].get_last_lr() == [g["lr"] for g in o.param_groups]
    return rows


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
@pytest.mark.parametrize("case", CASES)
def test_step_for_step(case, name):
    ours = trace(weft, nn.Parameter, lr_scheduler, case, name)
    theirs = trace(torch, torch.nn.Parameter, torch.optim.lr_scheduler, case, name)
    for a, b in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("case", [c for c in CASES if c != "together"])
def test_state_dict_resumes(case, tmp_path):
    def make():
        o = optimizer(weft, nn.Parameter, "SGD")
        return o, CASES[case](lr_scheduler, o)

    o, s = make()
    for _ in range(7):
        s.step()
    weft.save({"optimizer": o.state_dict(), "schedule": s.state_dict()}, tmp_path / "state.safetensors")
    saved = weft.load(tmp_path / "state.safetensors")
    o2, s2 = make()
    o2.load_state_dict(saved["optimizer"])
    s2.load_state_dict(saved["schedule"])
    for _ in range(7):
        s.step()
        s2.step()
        assert [g["lr"] for g in o.param_groups] == [g["lr"] for g in o2.param_groups]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"mode": "max"},
        {"patience": 1, "cooldown": 2},
        {"threshold_mode": "abs", "threshold": 0.1, "patience": 2},
        {"min_lr": 0.03, "factor": 0.5, "patience": 1},
    ],
    ids=str,
)
def test_reduce_on_plateau(options):
    random.seed(1)
    values = [random.random() for _ in range(60)]
    rates = []
    for mod, Parameter, schedulers in (
        (weft, nn.Parameter, lr_scheduler),
        (torch, torch.nn.Parameter, torch.optim.lr_scheduler),
    ):
        o = optimizer(mod, Parameter, "SGD")
        s = schedulers.ReduceLROnPlateau(o, **options)
        rows = []
        for v in values:
            s.step(v)
            rows.append([g["lr"] for g in o.param_groups])
        rates.append(rows)
    assert rates[0] == rates[1]


def test_errors():
    o = optimizer(weft, nn.Parameter, "SGD")
    with pytest.raises(TypeError):
        lr_scheduler.StepLR("optimizer", 3)
    with pytest.raises(KeyError, match="initial_lr"):
        lr_scheduler.StepLR(optimizer(weft, nn.Parameter, "SGD"), 3, last_epoch=4)
    with pytest.raises(ValueError, match="total_steps"):
        lr_scheduler.OneCycleLR(o, 0.1)
    with pytest.raises(ValueError, match="lr_lambdas"):
        lr_scheduler.LambdaLR(o, [lambda t: 1.0])
    s = lr_scheduler.OneCycleLR(o, 0.1, total_steps=2)
    s.step()
    with pytest.raises(ValueError, match="number of total steps is 2"):
        s.step()
    for bad in ({"factor": 1.5}, {"mode": "less"}, {"threshold_mode": "x"}):
        with pytest.raises(ValueError):
            lr_scheduler.ReduceLROnPlateau(o, **bad)
    with pytest.raises(ValueError):
        optim.lr_scheduler.SequentialLR(o, [], [])
