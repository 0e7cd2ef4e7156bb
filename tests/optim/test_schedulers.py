import random
from functools import partial

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
    "MultiplicativeLR": lambda m, o: m.MultiplicativeLR(o, [lambda t: 0.9, lambda t: 1 - 0.05 * t]),
    "PolynomialLR": lambda m, o: m.PolynomialLR(o, 9, 1.7),
    "PolynomialLR-default": lambda m, o: m.PolynomialLR(o),
    "WarmRestarts": lambda m, o: m.CosineAnnealingWarmRestarts(o, 4, eta_min=1e-3),
    "WarmRestarts-longer": lambda m, o: m.CosineAnnealingWarmRestarts(o, 3, 2),
    "CyclicLR": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 5),
    "CyclicLR-2": lambda m, o: m.CyclicLR(o, [0.01, 0.02], [0.3, 0.1], 3, 4, "triangular2", base_momentum=[0.5, 0.6]),
    "CyclicLR-range": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 3, 2, "exp_range", 0.9, max_momentum=0.99),
    "CyclicLR-own": lambda m, o: m.CyclicLR(o, 0.01, 0.3, 3, scale_fn=lambda x: 1 / x, cycle_momentum=False),
    "CyclicLR-iterations": lambda m, o: m.CyclicLR(
        o, 0.01, 0.3, 3, mode="mine", scale_fn=lambda x: 0.95**x, scale_mode="iterations"
    ),
    "ChainedScheduler": lambda m, o: m.ChainedScheduler(
        [m.LinearLR(o, 0.1, 1.0, 4), m.PolynomialLR(o, 12), m.MultiplicativeLR(o, lambda t: 0.98)]
    ),
    "Sequential-of-new": lambda m, o: m.SequentialLR(
        o,
        [
            m.ChainedScheduler([m.ConstantLR(o, 0.1, 2), m.StepLR(o, 2, 0.9)]),
            m.CosineAnnealingWarmRestarts(o, 3),
            m.PolynomialLR(o, 4),
        ],
        [3, 9],
    ),
    "Sequential-at-0": lambda m, o: m.SequentialLR(o, [m.StepLR(o, 2), m.ExponentialLR(o, 0.5)], [0]),
    "together-new": lambda m, o: (m.PolynomialLR(o, 6), m.MultiplicativeLR(o, lambda t: 0.9), m.StepLR(o, 5)),
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


def both(run):
    """What run(library, Parameter, its schedulers) returns, of weft and of PyTorch."""
    yield run(weft, nn.Parameter, lr_scheduler)
    yield run(torch, torch.nn.Parameter, torch.optim.lr_scheduler)


@pytest.mark.parametrize("name", ["SGD", "AdamW"])
@pytest.mark.parametrize("case", CASES)
def test_step_for_step(case, name):
    ours, theirs = both(lambda *library: trace(*library, case, name, steps=60 if "OneCycle" not in case else 18))
    for a, b in zip(ours, theirs, strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-15)


@pytest.mark.parametrize("case", [c for c in CASES if not c.startswith("together")])
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
    for bad in ({"T_0": 0}, {"T_0": 2.5}, {"T_0": 3, "T_mult": 0}, {"T_0": 3, "eta_min": "0"}):
        with pytest.raises(ValueError, match=r"Expected .* got"):
            lr_scheduler.CosineAnnealingWarmRestarts(o, **bad)
    with pytest.raises(ValueError, match="non-negative epoch"):
        lr_scheduler.CosineAnnealingWarmRestarts(o, 3).step(-1)
    with pytest.raises(TypeError, match="should be a function"):
        lr_scheduler.MultiplicativeLR(o, 0.5)
    with pytest.raises(TypeError, match="not an Optimizer"):
        lr_scheduler.CyclicLR("optimizer", 0.1, 0.2)
    with pytest.raises(ValueError, match="mode is invalid"):
        lr_scheduler.CyclicLR(o, 0.1, 0.2, mode="square")
    with pytest.raises(ValueError, match="values of max_lr"):
        lr_scheduler.CyclicLR(o, 0.1, [0.2])
    plain = optim.Adagrad([nn.Parameter(weft.zeros(2))])
    with pytest.raises(ValueError, match="must support momentum"):
        lr_scheduler.CyclicLR(plain, 0.1, 0.2)
    lr_scheduler.CyclicLR(plain, 0.1, 0.2, cycle_momentum=False)


@pytest.mark.parametrize("kind", ["SequentialLR", "ChainedScheduler"])
def test_errors_of_combined(kind):
    o, other = (optimizer(weft, nn.Parameter, "SGD") for _ in range(2))
    make = lr_scheduler.ChainedScheduler
    if kind == "SequentialLR":

        def make(schedulers, optimizer=o):
            return lr_scheduler.SequentialLR(optimizer, schedulers, [1] * (len(schedulers) - 1))

    with pytest.raises(ValueError, match="at least one"):
        make([])
    with pytest.raises(TypeError, match="index 1 should have `optimizer`"):
        make([lr_scheduler.StepLR(o, 2), "step"])
    with pytest.raises(ValueError, match="ReduceLROnPlateau"):
        make([lr_scheduler.StepLR(o, 2), lr_scheduler.ReduceLROnPlateau(o)])
    with pytest.raises(ValueError, match="same optimizer"):
        make([lr_scheduler.StepLR(o, 2), lr_scheduler.StepLR(other, 2)])


@pytest.mark.parametrize("t_mult", [1, 2, 3])
def test_warm_restarts_at_fractions(t_mult):
    def run(mod, Parameter, schedulers):
        o = optimizer(mod, Parameter, "SGD")
        s = schedulers.CosineAnnealingWarmRestarts(o, 4, t_mult)
        rows = []
        for i in range(90):
            s.step(i / 3)
            rows.append((o.param_groups[1]["lr"], s.T_cur, s.last_epoch))
        return rows

    for a, b in zip(*both(run), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-12)


def test_warm_restarts_where_the_logarithm_errs():
    """PyTorch's log(243, 3) is below 5: at the beginning of that cycle it takes the end of the one before."""
    s = lr_scheduler.CosineAnnealingWarmRestarts(optimizer(weft, nn.Parameter, "SGD"), 1, 3)
    s.step(121)
    assert (s.T_cur, s.T_i) == (0, 243)
    assert s.get_last_lr() == [0.1, 0.05]


class Late:
    """lr_scheduler, with last_epoch=11."""

    def __getattr__(self, name):
        return partial(getattr(lr_scheduler, name), last_epoch=11)


@pytest.mark.parametrize("case", ["StepLR", "PolynomialLR", "WarmRestarts-longer", "CyclicLR-2"])
def test_resumes_from_last_epoch(case):
    """A schedule made with last_epoch goes on as the one before would have."""
    o = optimizer(weft, nn.Parameter, "SGD")
    before = CASES[case](lr_scheduler, o)
    for _ in range(11):
        before.step()
    again = optimizer(weft, nn.Parameter, "SGD")
    again.load_state_dict(o.state_dict())
    late = CASES[case](Late(), again)
    before.step()
    assert late.get_last_lr() == pytest.approx(before.get_last_lr(), rel=1e-12)


@pytest.mark.parametrize("case", ["StepLR", "CyclicLR", "MultiplicativeLR", "WarmRestarts"])
def test_rate_that_is_a_tensor_is_written_in_place(case):
    rates = [weft.tensor(0.1), weft.tensor(0.05)]
    o = optimizer(weft, nn.Parameter, "SGD")
    for group, rate in zip(o.param_groups, rates, strict=True):
        group["lr"] = rate
    plain = optimizer(weft, nn.Parameter, "SGD")
    pair = CASES[case](lr_scheduler, o), CASES[case](lr_scheduler, plain)
    for _ in range(8):
        for s in pair:
            s.step()
        assert all(g["lr"] is rate for g, rate in zip(o.param_groups, rates, strict=True))
        assert [float(r) for r in rates] == pytest.approx([g["lr"] for g in plain.param_groups], rel=1e-5)


class Decay:
    def __init__(self, rate):
        self.rate = rate

    def __call__(self, t):
        return self.rate**t


@pytest.mark.parametrize("kind", ["LambdaLR", "MultiplicativeLR"])
def test_state_of_callable_objects_and_of_pytorch(kind):
    o = optimizer(weft, nn.Parameter, "SGD")
    s = getattr(lr_scheduler, kind)(o, [Decay(0.9), lambda t: 0.5])
    s.step()
    state = s.state_dict()
    assert state["lr_lambdas"] == [{"rate": 0.9}, None]
    other = getattr(lr_scheduler, kind)(optimizer(weft, nn.Parameter, "SGD"), [Decay(0.1), lambda t: 0.5])
    other.load_state_dict(state)
    assert other.lr_lambdas[0].rate == 0.9
    assert other.last_epoch == 1
    theirs = getattr(torch.optim.lr_scheduler, kind)(
        optimizer(torch, torch.nn.Parameter, "SGD"), [Decay(0.7), lambda t: 0.5]
    )
    for _ in range(3):
        theirs.step()
    other.load_state_dict(theirs.state_dict())
    assert (other.lr_lambdas[0].rate, other.last_epoch) == (0.7, 3)


def test_own_schedule_by_get_lr():
    """As users of PyTorch write them."""

    def run(mod, Parameter, schedulers):
        class Warmup(schedulers.LRScheduler):
            def get_lr(self):
                return [base * min(1.0, (self.last_epoch + 1) / 5) for base in self.base_lrs]

        o = optimizer(mod, Parameter, "SGD")
        s = Warmup(o)
        rows = []
        for _ in range(8):
            rows.append([g["lr"] for g in o.param_groups])
            s.step()
        return rows

    ours, theirs = both(run)
    assert ours == theirs
