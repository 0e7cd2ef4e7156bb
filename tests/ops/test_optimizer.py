"""The native step itself: every rule on every instruction set, lists of every shape, memory, versions, wrong input."""

import numpy as np
import pytest

import weft
from oracle import same_bits
from weft import _core
from weft.testing import assert_close, to_numpy, tolerance

SHAPES = [(), (0,), (1,), (15,), (16,), (17,), (3, 5), (130, 257), (40_001,)]

# rule: keys of its state, its numbers, and the PyTorch optimizer that does the same.
RULES = {
    "sgd": (("momentum_buffer",), {"momentum": 0.9, "dampening": 0.3, "nesterov": 0}, "SGD"),
    "adam": (("exp_avg", "exp_avg_sq"), {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "plain_eps": 0}, "Adam"),
    "rmsprop": (("square_avg", None, None), {"alpha": 0.9, "eps": 1e-6, "momentum": 0, "centered": 0}, "RMSprop"),
    "adagrad": (("sum",), {"lr_decay": 0.1, "eps": 1e-8}, "Adagrad"),
    "adadelta": (("square_avg", "acc_delta"), {"rho": 0.9, "eps": 1e-6}, "Adadelta"),
    "adamax": (("exp_avg", "exp_inf"), {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6}, "Adamax"),
    "nadam": (
        ("exp_avg", "exp_avg_sq", "mu_product"),
        {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "momentum_decay": 0.01},
        "NAdam",
    ),
    "radam": (("exp_avg", "exp_avg_sq"), {"beta1": 0.8, "beta2": 0.8, "eps": 1e-6}, "RAdam"),
    "asgd": (("ax", "eta", "mu"), {"lambd": 0.1, "alpha": 0.5, "t0": 1}, "ASGD"),
    "rprop": (("prev", "step_size"), {"etaminus": 0.5, "etaplus": 1.2, "step_min": 1e-6, "step_max": 1}, "Rprop"),
}
ONES = ("mu_product", "mu")  # state that begins with 1
RATES = ("eta", "step_size")  # with the learning rate


def arrays(seed, scale=1.0, shapes=SHAPES):
    random = np.random.default_rng(seed)
    return [np.asarray(random.standard_normal(s) * scale) for s in shapes]


def tensors(values, dtype):
    return [weft.tensor(np.asarray(v)).to(getattr(weft, dtype)) for v in values]


def exact(values):
    return [to_numpy(v).astype(np.float64) for v in values]


def compare(actual, expected, dtype, steps):
    for k, (a, e) in enumerate(zip(actual, expected, strict=True)):
        rtol = tolerance(dtype, 16 * steps)  # of values about 1, which may cancel
        assert_close(a, e, rtol=rtol, atol=rtol, check_dtype=False, name=f"{dtype} tensor {k}")


def step(rule, params, grads, state, lr=0.1, names=None, **options):
    """One native step, with new state where there is none."""
    keys, numbers, _ = RULES[rule]
    keys = keys if names is None else names
    for p, g in zip(params, grads, strict=True):
        p.grad = g

    def new_state(p):
        own = state.setdefault(p, {"step": weft.zeros(())})
        for key in keys:
            if key is not None:
                value = float(key in ONES) + (key in RATES) * lr
                scalar = key in ("eta", "mu", "mu_product")
                own[key] = weft.tensor(value) if scalar else weft.full_like(p, value)
        return own

    group = {k: options.pop(k) for k in ("weight_decay", "decoupled_weight_decay", "maximize") if k in options}
    scale, numbers = options.pop("grad_scale", None), {**numbers, **options}
    group = {"params": params, "lr": lr, **group}
    _core._optimizer_step(rule, group, state, keys, new_state, lambda _: numbers, scale)


def plain_sgd(params, grads, lr, **options):
    step("sgd", params, grads, {}, lr, names=(), **{"momentum": 0, "dampening": 0, **options})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("rule", RULES)
def test_rules_agree_with_pytorch(isa, rule, dtype):
    torch = pytest.importorskip("torch")
    _, numbers, name = RULES[rule]
    options = {key: value for key, value in numbers.items() if key != "plain_eps"}
    if "beta1" in options:
        options["betas"] = (options.pop("beta1"), options.pop("beta2"))
    if rule == "rprop":
        options = {"etas": (0.5, 1.2), "step_sizes": (1e-6, 1)}
    decay = {} if rule == "rprop" else {"weight_decay": 0.1}
    values = arrays(0)
    params = tensors(values, dtype)
    other = [torch.nn.Parameter(torch.tensor(v)) for v in values]  # float64
    optimizer = getattr(torch.optim, name)(other, lr=1e-2, **options, **decay, foreach=False)
    state = {}
    for t in range(1, 6):
        grads = arrays(t)
        step(rule, params, tensors(grads, dtype), state, 1e-2, **decay)
        for p, g in zip(other, grads, strict=True):
            p.grad = torch.tensor(g)
        optimizer.step()
    compare(params, [p.detach().numpy() for p in other], dtype, 5)


def test_lion(isa):
    params, state = tensors(arrays(0), "float64"), {}
    reference, m = exact(params), [0 * v for v in exact(params)]
    for t in range(1, 4):
        grads = arrays(t)
        grads[-1][:9] = 0
        for p, g in zip(params, tensors(grads, "float64"), strict=True):
            p.grad = g
        numbers = {"beta1": 0.9, "beta2": 0.99}
        new_state = lambda p: state.setdefault(p, {"exp_avg": weft.zeros_like(p)})  # noqa: E731
        group = {"params": params, "lr": 0.01, "weight_decay": 0.1, "decoupled_weight_decay": True}
        _core._optimizer_step("lion", group, state, ("exp_avg",), new_state, lambda _, n=numbers: n)
        for k, g in enumerate(grads):
            reference[k] = reference[k] * (1 - 0.01 * 0.1) - 0.01 * np.sign(0.9 * m[k] + 0.1 * g)
            m[k] = 0.99 * m[k] + 0.01 * g
    compare(params, reference, "float64", 3)


def test_signs_keep_nan():
    p, g = weft.ones(3, dtype=weft.float64), weft.tensor([1.0, float("nan"), 0.0], dtype=weft.float64)
    p.grad = g
    group, numbers = {"params": [p], "lr": 0.5}, {"beta1": 0.9, "beta2": 0.9}
    _core._optimizer_step("lion", group, {}, ("m",), lambda p: {"m": weft.zeros_like(p)}, lambda _: numbers)
    assert_close(p, np.array([0.5, np.nan, 1.0]))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("rule", RULES)
def test_half_precision_is_computed_in_float32(isa, rule, dtype):
    narrow, a, b = tensors(arrays(0), dtype), {}, {}
    wide = [p.float() for p in narrow]
    grads = tensors(arrays(1), dtype)
    step(rule, narrow, grads, a, 0.125)  # exact in both: it becomes state
    step(rule, wide, [g.float() for g in grads], b, 0.125)
    for n, w in zip(narrow, wide, strict=True):
        assert (n == w.to(n.dtype)).all()


def test_more_tensors_than_one_launch_takes_and_mixed_dtypes():
    shapes = [(k % 7,) for k in range(200)]
    params = [p.float() if k % 3 else p for k, p in enumerate(tensors(arrays(0, shapes=shapes), "float64"))]
    grads = [g.to(p.dtype) for p, g in zip(params, tensors(arrays(1, shapes=shapes), "float64"), strict=True)]
    reference = [p - g for p, g in zip(exact(params), exact(grads), strict=True)]
    plain_sgd(params, grads, 1.0)
    compare(params, reference, "float32", 1)
    norm = np.sqrt(sum(float((g**2).sum()) for g in exact(grads)))
    assert_close(float(_core._clip_scale(grads)[0]), norm, rtol=1e-6)


def test_learning_rate_and_scale_are_read_from_memory():
    p, g = weft.ones(5), weft.ones(5)
    lr, scale = weft.tensor(0.5), weft.tensor(0.5)
    plain_sgd([p], [g], lr, grad_scale=scale)
    lr.fill_(0.25)
    plain_sgd([p], [g], lr, grad_scale=scale)
    assert_close(p, np.full(5, 1 - 0.25 - 0.125, np.float32))


def test_versions_and_non_contiguous_tensors():
    p = weft.zeros(4, 3).t()
    g = weft.tensor(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    before = p._version
    plain_sgd([p], [g], 1.0)
    assert p._version > before
    assert_close(p, -np.arange(12.0, dtype=np.float32).reshape(3, 4))


def test_a_parameter_changed_by_a_step_cannot_be_used_by_an_old_backward():
    p = weft.ones(3, requires_grad=True)
    y = (p * p).sum()
    plain_sgd([p], [weft.ones(3)], 0.1)
    with pytest.raises(RuntimeError, match="in place"):
        y.backward()


def test_only_parameters_with_a_gradient_are_touched():
    p, q, state = weft.ones(3), weft.ones(3), {}
    p.grad = weft.ones(3)
    before = q._version
    new_state = lambda p: state.setdefault(p, {"momentum_buffer": weft.zeros(3)})  # noqa: E731
    numbers = {"momentum": 0.9, "dampening": 0, "nesterov": 0}
    group = {"params": [p, q], "lr": 1.0}
    _core._optimizer_step("sgd", group, state, ("momentum_buffer",), new_state, lambda _, n=numbers: n)
    assert list(state) == [p] and q._version == before
    assert p.tolist() == [0, 0, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_norm_and_scale(isa, dtype):
    values = tensors(arrays(3), dtype)
    norm = np.sqrt(sum((v**2).sum() for v in exact(values)))
    got, clip = _core._clip_scale(values, 1.0)
    assert_close(got, norm, rtol=1e-6, check_dtype=False)
    assert_close(clip, 1 / (norm + 1e-6), rtol=1e-6, check_dtype=False)
    assert float(_core._clip_scale(values, 1e9)[1]) == 1
    assert_close(_core._clip_scale(values, 1.0, 0.5)[1], 1 / (norm + 1e-6), rtol=1e-5, check_dtype=False)
    assert float(_core._clip_scale(values, 1e9, weft.tensor(0.5))[1]) == 0.5
    expected = [v * 0.5 for v in exact(values)]
    _core._scale_(values, 0.5)
    compare(values, expected, dtype, 1)
    _core._scale_(values, weft.tensor(2.0))
    compare(values, [2 * e for e in expected], dtype, 1)


def test_norm_of_large_values_does_not_overflow():
    assert_close(float(_core._clip_scale([weft.full((1000,), 1e30)])[0]), 1e30 * np.sqrt(1000), rtol=1e-6)
    assert float(_core._clip_scale([])[0]) == 0
    norm, clip = _core._clip_scale([weft.tensor([1.0, float("nan")])], 1.0)
    assert np.isnan(float(norm)) and np.isnan(float(clip))


@pytest.mark.parametrize("rule", RULES)
def test_bits_do_not_depend_on_threads(rule):
    def run():
        params, grads, state = tensors(arrays(0), "float32"), tensors(arrays(1), "float32"), {}
        step(rule, params, grads, state)
        step(rule, params, grads, state)
        return (*params, *(t for p in params for t in state[p].values()), *_core._clip_scale(grads, 1.0))

    same_bits(run)


def test_bad_input():
    p, g = weft.ones(3), weft.ones(3)

    def one(grad=g, lr=0.1, names=(), rule="sgd", state=None, **numbers):
        p.grad = grad
        numbers = numbers or {"momentum": 0, "dampening": 0, "nesterov": 0}
        group = {"params": [p], "lr": lr}
        _core._optimizer_step(rule, group, {}, names, lambda p: state, lambda _: numbers)

    with pytest.raises(ValueError, match="knows no rule 'sdg'"):
        one(rule="sdg")
    with pytest.raises(TypeError, match="sgd misses the number 'dampening'"):
        one(momentum=0.0)
    with pytest.raises(TypeError, match="takes the numbers momentum dampening nesterov, got"):
        one(momentum=0, dampening=0, nesterov=0, eps=1)
    with pytest.raises(TypeError, match="lr to be a number or a tensor, got str"):
        one(lr="fast")
    with pytest.raises(ValueError, match="lr to be a number or a float32 tensor of one element"):
        one(lr=weft.ones(2))
    with pytest.raises(ValueError, match="expected new state to be a dict"):
        one(names=("momentum_buffer",), state={})
    with pytest.raises(ValueError, match=r"the b of a parameter to be float32 \[3\] on cpu, got float32 \[4\]"):
        one(names=("b",), state={"b": weft.zeros(4)})
    with pytest.raises(ValueError, match=r"got float64 \[3\]"):
        one(names=("b",), state={"b": weft.zeros(3, dtype=weft.float64)})
    with pytest.raises(ValueError, match="the step of a parameter to be one float32 element"):
        state = {"s": weft.zeros(3), "step": weft.zeros((), dtype=weft.int64)}
        one(rule="adagrad", names=("s",), state=state, lr_decay=0, eps=0)
    with pytest.raises(TypeError, match="floating"):
        _core._scale_([weft.ones(3, dtype=weft.int64)], 1.0)
    assert_close(p, np.ones(3, np.float32))  # nothing ran
