"""Every operation that PyTorch's catalogue and Weft's scope share: results, dtypes, shapes, gradients and errors."""

import math
import os
from functools import partial

import numpy as np
import pytest

import weft

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from parity import excuses, samples  # noqa: E402
from parity.samples import Untranslatable, tensors_of, translate  # noqa: E402

# Clean exceptions. Anything else, an AttributeError or a crash, is a bug.
CLEAN = (ValueError, TypeError, IndexError, RuntimeError, NotImplementedError)
GRADIENT_DTYPES = ("float64", "float32")
RTOL = {"float64": 1e-7, "float32": 2e-4, "float16": 4e-3, "bfloat16": 3e-2}
MOST = int(os.environ.get("WEFT_PARITY_SAMPLES", "24"))  # samples of an operation and dtype; the slow run takes all

NAMES = [name for name in samples.catalogue() if excuses.excuse(name) is None]
RANDOM = [
    "bernoulli",
    "multinomial",
    "normal",
    "rand_like",
    "randint",
    "randint_like",
    "randn",
    "randn_like",
    "uniform",
    "exponential",
    "geometric",
    "log_normal",
    "cauchy",
    "empty",
    "empty_like",
    "new_empty",
    "empty_strided",
    "new_empty_strided",
    "nn.functional.dropout",
    "nn.functional.dropout2d",
    "nn.functional.dropout3d",
    "nn.functional.alpha_dropout",
    "nn.functional.feature_alpha_dropout",
    "nn.functional.rrelu",
    "nn.functional.fractional_max_pool2d",
    "nn.functional.fractional_max_pool3d",
]


def infos(name):
    return [(f"{name}.{i.variant_test_name}" if i.variant_test_name else name, i) for i in samples.catalogue()[name]]


CASES = [pytest.param(name, info, id=label) for name in NAMES for label, info in infos(name)]


def test_nothing_is_excused_for_no_reason():
    known = set(samples.catalogue())
    stale = [name for name, _ in excuses.VARIANTS if name not in known]
    stale += [name for name in excuses.SAMPLES if name not in known]
    assert not stale


def close(got, want, what, same_dtype=True):
    assert isinstance(got, weft.Tensor) == isinstance(want, torch.Tensor), f"{what}: {type(got)}, not {type(want)}"
    if not isinstance(want, torch.Tensor):
        assert got == want or (got != got and want != want) or math.isclose(got, want, rel_tol=1e-6), (what, got, want)
        return
    assert tuple(got.shape) == tuple(want.shape), f"{what}: shape {tuple(got.shape)}, not {tuple(want.shape)}"
    name = str(want.dtype).removeprefix("torch.")
    if same_dtype:
        assert str(got.dtype).removeprefix("weft.") == name, f"{what}: {got.dtype}, not {name}"
    a, b = numpy_of(got), numpy_of(want)
    rtol = RTOL.get(name)
    if rtol is None:
        bad = a != b
    else:
        size = max(1e-3, np.abs(b[np.isfinite(b)]).max(initial=0.0))
        if name in (
            "float32",
            "float64",
        ):  # halves round their terms, which may cancel
            size = min(1.0, size)
        with np.errstate(invalid="ignore"):
            near = np.abs(a - b) <= rtol * np.abs(b) + rtol * size
        bad = ~(near | (a == b) | (np.isnan(a) & np.isnan(b)))
    if bad.any():
        at = tuple(int(i[0]) for i in np.nonzero(bad)) if bad.ndim else ()
        raise AssertionError(f"{what}: {int(bad.sum())} of {bad.size} differ, at {at} {a[at]!r}, not {b[at]!r}")


def numpy_of(t):
    wide = t.dtype in (torch.bfloat16, torch.float16, weft.bfloat16, weft.float16)
    t = t.detach().cpu() if isinstance(t, torch.Tensor) else t.detach()
    t = t.float() if wide else t
    a = t.numpy() if isinstance(t, weft.Tensor) else t.resolve_conj().numpy(force=True)
    return a.astype(np.float64) if a.dtype.kind == "f" else a


def same_tree(got, want, what, compare):
    if isinstance(want, list | tuple):
        assert isinstance(got, list | tuple), f"{what}: {type(got)}, not a sequence"
        assert len(got) == len(want), f"{what}: {len(got)} results, not {len(want)}"
        for k, (g, w) in enumerate(zip(got, want, strict=True)):
            same_tree(g, w, f"{what}[{k}]", compare)
    else:
        compare(got, want, what)


def alike(got, want, what):
    """Random results: shape and dtype alone."""
    assert tuple(got.shape) == tuple(want.shape) and str(got.dtype)[5:] == str(want.dtype)[6:], what


def arguments(sample):
    return [sample.input, *sample.args], dict(sample.kwargs)


def describe(args, kwargs):
    def one(x):
        if isinstance(x, torch.Tensor):
            return f"{str(x.dtype)[6:]}{list(x.shape)}" + ("" if x.is_contiguous() else f"/{list(x.stride())}")
        if isinstance(x, list | tuple):
            return f"{type(x).__name__}({', '.join(map(one, x))})"
        return repr(x)

    return ", ".join([one(a) for a in args] + [f"{k}={one(v)}" for k, v in kwargs.items()])


def check(name, ours, theirs, args, kwargs, gradient, reset=None):
    """One call in both libraries, on arguments of PyTorch's."""
    what = f"{name}({describe(args, kwargs)})"
    w_args, w_kwargs = translate(list(args)), translate(kwargs)
    t_args, t_kwargs = fresh(list(args)), fresh(kwargs)
    want = theirs(*t_args, **t_kwargs)
    if any(t.is_complex() or t.layout != torch.strided for t in tensors_of(want)):
        return False
    try:
        got = ours(*w_args, **w_kwargs)
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    same_tree(got, want, what, alike if name in RANDOM else close)
    if not gradient or name in RANDOM:
        return True
    outputs = [(g, w) for g, w in zip(tensors_of(got), tensors_of(want), strict=True) if w.requires_grad]
    for g, _ in outputs:
        assert g.requires_grad, f"{what}: no gradient"
    inputs = [
        (g, w)
        for g, w in zip(tensors_of([w_args, w_kwargs]), tensors_of([t_args, t_kwargs]), strict=True)
        if w.requires_grad
    ]
    if not outputs or not inputs:
        return True
    random = np.random.default_rng(0)
    weights = [random.standard_normal(tuple(w.shape)) for _, w in outputs]
    try:
        theirs_grads = torch.autograd.grad(
            [w for _, w in outputs],
            [w for _, w in inputs],
            [torch.tensor(r).to(w.dtype) for r, (_, w) in zip(weights, outputs, strict=True)],
            allow_unused=True,
        )
    except RuntimeError as error:
        if "derivative for" in str(error):  # "... is not implemented"
            return True
        raise
    try:
        ours_grads = weft.autograd.grad(
            [g for g, _ in outputs],
            [g for g, _ in inputs],
            [weft.tensor(r).to(g.dtype) for r, (g, _) in zip(weights, outputs, strict=True)],
            allow_unused=True,
        )
    except Exception as error:
        raise AssertionError(f"{what}: gradient: {type(error).__name__}: {error}") from error
    for k, (g, w) in enumerate(zip(ours_grads, theirs_grads, strict=True)):
        if g is None or w is None:  # means the same as zeros
            rest = g if w is None else w
            assert rest is None or not numpy_of(rest).any(), f"{what}: gradient {k}: {g}, not {w}"
        else:
            close(g, w, f"{what}: gradient {k}")
    return True


def fresh(x):
    """Leaves of their own: a call may change its arguments."""
    if isinstance(x, torch.Tensor):
        return x.detach().clone(memory_format=torch.preserve_format).requires_grad_(x.requires_grad)
    if isinstance(x, list | tuple):
        return type(x)(fresh(i) for i in x) if type(x) in (list, tuple) else x
    if isinstance(x, dict):
        return {k: fresh(v) for k, v in x.items()}
    return x


def chosen(name, info, dtype, requires_grad, most):
    """Translatable samples of one dtype."""
    left_out = excuses.SAMPLES.get(name, (lambda *_: False, ""))[0]
    kept = []
    for sample in info.sample_inputs("cpu", getattr(torch, dtype), requires_grad=requires_grad):
        args, kwargs = arguments(sample)
        try:
            translate([args, kwargs])
        except Untranslatable:
            continue
        if not left_out(args, kwargs):
            kept.append(sample)
    return samples.some(kept, most)


def dtypes_of(info, gradient):
    supported = info.supported_backward_dtypes("cpu") if gradient else info.supported_dtypes("cpu")
    return [d for d in samples.DTYPES if getattr(torch, d) in supported]


def excused(name, which):
    return (name, which) in excuses.VARIANTS


def function_of(name, info):
    function = samples.resolve(name, info.variant_test_name)
    assert function is not None, f"there is no weft.{name}"
    return function


@pytest.mark.parametrize("name, info", CASES)
def test_forward(name, info):
    ours = function_of(name, info)
    for dtype in dtypes_of(info, False):
        if excused(name, dtype):
            continue
        for sample in chosen(name, info, dtype, False, MOST if dtype in ("float32", "int64") else MOST // 4 or 1):
            check(name, ours, info.op, *arguments(sample), gradient=False)


@pytest.mark.parametrize("name, info", [c for c in CASES if c.values[1].supports_autograd])
def test_gradient(name, info):
    if excused(name, "gradient"):
        pytest.skip(excuses.VARIANTS[name, "gradient"])
    ours = function_of(name, info)
    left_out = excuses.SAMPLES.get(name, (lambda *_: False, ""))[0]
    for dtype in dtypes_of(info, True):
        if dtype not in GRADIENT_DTYPES:
            continue
        for sample in chosen(name, info, dtype, True, MOST):
            check(name, ours, info.op, *arguments(sample), gradient=True)
            strided = sample.noncontiguous()
            if dtype == "float64" and not left_out(*arguments(strided)):
                check(name, ours, info.op, *arguments(strided), gradient=True)


@pytest.mark.parametrize("name, info", [c for c in CASES if c.values[1].get_method() is not None])
def test_method(name, info):
    if excused(name, "method"):
        pytest.skip(excuses.VARIANTS[name, "method"])
    theirs = info.get_method()
    method = theirs.__name__.replace("<lambda>", name)
    assert hasattr(weft.Tensor, method), f"there is no Tensor.{method}"
    for sample in chosen(name, info, "float32" if "float32" in dtypes_of(info, False) else "int64", False, 4):
        if isinstance(sample.input, torch.Tensor):
            check(name, getattr(weft.Tensor, method), theirs, *arguments(sample), gradient=False)


@pytest.mark.parametrize("name, info", [c for c in CASES if c.values[1].get_inplace() is not None])
def test_inplace(name, info):
    if excused(name, "inplace"):
        pytest.skip(excuses.VARIANTS[name, "inplace"])
    theirs = info.get_inplace()
    method = getattr(theirs, "__name__", "")
    if hasattr(torch.Tensor, method):
        ours = getattr(weft.Tensor, method, None)
        assert ours is not None, f"there is no Tensor.{method}"
    else:  # of weft.nn.functional: an argument
        ours = partial(function_of(name, info), inplace=True)
    for dtype in [d for d in dtypes_of(info, False) if d in ("float64", "int64", "bool")]:
        for sample in chosen(name, info, dtype, False, 6):
            args, kwargs = arguments(sample)
            try:
                theirs(*fresh(args), **fresh(kwargs))
            except RuntimeError:
                continue  # a broadcast input or an integer one cannot take the result
            check(name, ours, theirs, args, kwargs, gradient=False)
            if dtype == "float64" and info.supports_autograd and name not in RANDOM:
                check(name, through(ours), through(theirs), with_grad(args), kwargs, gradient=True)


def through(change):
    """The change made to a result, so that a leaf may require a gradient."""
    return lambda x, *args, **kwargs: change(x * 1, *args, **kwargs)


def with_grad(args):
    def one(x):
        if isinstance(x, torch.Tensor) and x.dtype.is_floating_point:
            return x.detach().requires_grad_()
        return [one(i) for i in x] if isinstance(x, list) else x

    return [one(a) for a in args]


@pytest.mark.parametrize("name, info", [c for c in CASES if c.values[1].error_inputs_func is not None])
def test_errors(name, info):
    if excused(name, "errors"):
        pytest.skip(excuses.VARIANTS[name, "errors"])
    ours = function_of(name, info)
    left_out = excuses.SAMPLES.get(name, (lambda *_: False, ""))[0]
    for error in info.error_inputs("cpu"):
        args, kwargs = arguments(error.sample_input)
        if left_out(args, kwargs):
            continue
        try:
            w_args, w_kwargs = translate(args), translate(kwargs)
        except Untranslatable:
            continue
        try:
            info.op(*fresh(args), **fresh(kwargs))
            continue  # an error of the method or of another variant
        except Exception:
            pass
        what = f"{name}({describe(args, kwargs)})"
        try:
            got = ours(*w_args, **w_kwargs)
        except CLEAN:
            continue
        raise AssertionError(f"{what}: {got!r}, where PyTorch says: {error.error_regex}")
