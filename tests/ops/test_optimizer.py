"""Optimizer kernels against the formulas in float64, step by step, over lists of every shape."""

import numpy as np
import pytest

import weft
from oracle import same_bits
from weft import _core
from weft.testing import assert_close, to_numpy, tolerance

SHAPES = [(), (0,), (1,), (15,), (16,), (17,), (3, 5), (130, 257), (40_001,)]


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


def adam_reference(p, g, m, v, x, step, lr, beta1, beta2, eps, decay, amsgrad, maximize, decoupled, scale):
    g = (-g if maximize else g) * scale
    if decoupled:
        p = p * (1 - lr * decay)
    else:
        g = g + decay * p
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g * g
    x = np.maximum(x, v) if amsgrad else x
    root = np.sqrt((x if amsgrad else v) / (1 - beta2**step)) + eps
    return p - lr / (1 - beta1**step) * m / root, m, v, x


@pytest.mark.parametrize("decoupled", [False, True])
@pytest.mark.parametrize("options", [{}, {"amsgrad": True}, {"maximize": True, "grad_scale": 0.25}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_adam(isa, dtype, options, decoupled):
    lr, beta1, beta2, eps, decay = 1e-2, 0.8, 0.95, 1e-6, 0.1
    params = tensors(arrays(0), dtype)
    reference = exact(params)
    m, v, x = (tensors(arrays(0, 0), dtype) for _ in range(3))
    rm, rv, rx = exact(m), exact(v), exact(x)
    steps = [weft.zeros(()) for _ in params]
    step = _core.adamw_step if decoupled else _core.adam_step
    for t in range(1, 4):
        grads = tensors(arrays(t), dtype)
        arguments = {"lr": lr, "beta1": beta1, "beta2": beta2, "eps": eps, "weight_decay": decay, **options}
        step(params, grads, m, v, x if options.get("amsgrad") else [], steps, **arguments)
        for k, g in enumerate(exact(grads)):
            reference[k], rm[k], rv[k], rx[k] = adam_reference(
                reference[k], g, rm[k], rv[k], rx[k], t, lr, beta1, beta2, eps, decay,
                options.get("amsgrad", False), options.get("maximize", False), decoupled, options.get("grad_scale", 1),
            )  # fmt: skip
    compare(params, reference, dtype, 3)
    compare(m, rm, dtype, 3)
    compare(v, rv, dtype, 3)
    assert all(float(s) == 3 for s in steps)


@pytest.mark.parametrize(
    "momentum, dampening, nesterov", [(0, 0, False), (0.9, 0, False), (0.9, 0.3, False), (0.8, 0, True)]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sgd(isa, dtype, momentum, dampening, nesterov):
    lr, decay = 0.1, 0.01
    params = tensors(arrays(0), dtype)
    reference = exact(params)
    buffers = tensors(arrays(9), dtype) if momentum else []  # nonsense: the first step must not read it
    kept = [None] * len(params)
    for t in range(3):
        grads = tensors(arrays(t + 1), dtype)
        _core.sgd_step(params, grads, buffers, lr, momentum, dampening, decay, nesterov, first=t == 0)
        for k, g in enumerate(exact(grads)):
            g = g + decay * reference[k]
            if momentum:
                kept[k] = g if t == 0 else momentum * kept[k] + (1 - dampening) * g
                g = g + momentum * kept[k] if nesterov else kept[k]
            reference[k] = reference[k] - lr * g
    compare(params, reference, dtype, 3)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_computed_in_float32(isa, dtype):
    params, grads = tensors(arrays(0), dtype), tensors(arrays(1), dtype)
    reference = [p - 0.5 * g for p, g in zip(exact(params), exact(grads), strict=True)]
    _core.sgd_step(params, grads, [], 0.5)
    compare(params, reference, dtype, 1)


def test_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    for ours, theirs, options in [
        (_core.adam_step, torch.optim.Adam, {"weight_decay": 0.1}),
        (_core.adamw_step, torch.optim.AdamW, {"weight_decay": 0.1}),
        (_core.adamw_step, torch.optim.AdamW, {"weight_decay": 0.1, "amsgrad": True}),
    ]:
        values = arrays(0)
        params = tensors(values, "float32")
        other = [torch.nn.Parameter(torch.tensor(v, dtype=torch.float32)) for v in values]
        optimizer = theirs(other, lr=1e-2, **options)
        m, v, x = (tensors(arrays(0, 0), "float32") for _ in range(3))
        steps = [weft.zeros(()) for _ in params]
        for t in range(1, 6):
            for p, g in zip(other, arrays(t), strict=True):
                p.grad = torch.tensor(g, dtype=torch.float32)
            ours(params, tensors(arrays(t), "float32"), m, v, x if "amsgrad" in options else [], steps, 1e-2, **options)
            optimizer.step()
        for p, q in zip(params, other, strict=True):
            assert_close(p, q, terms=400)


def test_more_tensors_than_one_launch_takes():
    shapes = [(k % 7,) for k in range(200)]
    params, grads = tensors(arrays(0, shapes=shapes), "float64"), tensors(arrays(1, shapes=shapes), "float64")
    reference = [p - g for p, g in zip(exact(params), exact(grads), strict=True)]
    _core.sgd_step(params, grads, [], 1.0)
    compare(params, reference, "float64", 1)
    norm = np.sqrt(sum(float((g**2).sum()) for g in exact(grads)))
    assert_close(float(_core.grad_norm(grads)), norm, rtol=1e-6)


def test_learning_rate_and_scale_are_read_from_memory():
    p, g = weft.ones(5), weft.ones(5)
    lr, scale = weft.tensor(0.5), weft.tensor(0.5)
    _core.sgd_step([p], [g], [], lr, grad_scale=scale)
    lr.fill_(0.25)
    _core.sgd_step([p], [g], [], lr, grad_scale=scale)
    assert_close(p, np.full(5, 1 - 0.25 - 0.125, np.float32))


def test_versions_and_non_contiguous_tensors():
    p = weft.zeros(4, 3).t()
    g = weft.tensor(np.arange(12.0, dtype=np.float32).reshape(3, 4))
    before = p._version
    _core.sgd_step([p], [g], [], 1.0)
    assert p._version > before
    assert_close(p, -np.arange(12.0, dtype=np.float32).reshape(3, 4))


def test_a_parameter_changed_by_a_step_cannot_be_used_by_an_old_backward():
    p = weft.ones(3, requires_grad=True)
    y = (p * p).sum()
    _core.sgd_step([p], [weft.ones(3)], [], 0.1)
    with pytest.raises(RuntimeError, match="in place"):
        y.backward()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_norm_and_scale(isa, dtype):
    values = tensors(arrays(3), dtype)
    assert_close(
        _core.grad_norm(values), np.sqrt(sum((v**2).sum() for v in exact(values))), rtol=1e-6, check_dtype=False
    )
    expected = [v * 0.5 for v in exact(values)]
    _core.scale_(values, 0.5)
    compare(values, expected, dtype, 1)
    _core.scale_(values, weft.tensor(2.0))
    compare(values, [2 * e for e in expected], dtype, 1)


def test_norm_of_large_values_does_not_overflow():
    assert_close(float(_core.grad_norm([weft.full((1000,), 1e30)])), 1e30 * np.sqrt(1000), rtol=1e-6)
    assert float(_core.grad_norm([])) == 0
    assert np.isnan(float(_core.grad_norm([weft.tensor([1.0, float("nan")])])))


def test_bits_do_not_depend_on_threads():
    def run():
        params, grads = tensors(arrays(0), "float32"), tensors(arrays(1), "float32")
        m, v = tensors(arrays(0, 0), "float32"), tensors(arrays(0, 0), "float32")
        _core.adamw_step(params, grads, m, v, [], [weft.zeros(()) for _ in params], 0.1)
        return (*params, *m, *v, _core.grad_norm(grads))

    same_bits(run)


def test_bad_input():
    p, g = weft.ones(3), weft.ones(3)
    with pytest.raises(ValueError, match=r"\[sgd_step\] expected 1 gradients, got 0"):
        _core.sgd_step([p], [], [], 0.1)
    with pytest.raises(ValueError, match=r"gradients of shape \[3\] at position 0, got \[4\]"):
        _core.sgd_step([p], [weft.ones(4)], [], 0.1)
    with pytest.raises(ValueError, match="gradients in float32 .* got float64"):
        _core.sgd_step([p], [g.double()], [], 0.1)
    with pytest.raises(ValueError, match="all tensors to be float32"):
        _core.sgd_step([p, p.double()], [g, g.double()], [], 0.1)
    with pytest.raises(TypeError, match="floating"):
        _core.sgd_step([weft.ones(3, dtype=weft.int64)], [g], [], 0.1)
    with pytest.raises(ValueError, match="momentum buffers"):
        _core.sgd_step([p], [g], [], 0.1, momentum=0.9)
    with pytest.raises(ValueError, match="steps of one float32 element"):
        _core.adam_step([p], [g], [g], [g], [], [weft.zeros((), dtype=weft.int64)], 0.1)
    with pytest.raises(TypeError, match="lr to be a number or a tensor, got str"):
        _core.sgd_step([p], [g], [], "fast")
    assert_close(p, np.ones(3, np.float32))  # nothing ran
