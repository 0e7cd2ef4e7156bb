"""The oracle: one call compares a Weft function with PyTorch in shape, dtype, values and gradients.

    check(lambda x: weft.softmax(x, dim=-1), lambda x: torch.softmax(x, dim=-1), x)
    check_same(lambda m, x: m.softmax(x, dim=-1), x)         # the same, where the names are the same

References are computed in float64 on inputs already rounded to the dtype under test. Without PyTorch, gradients are
compared with central differences, and values with `reference`, a function of NumPy arrays, where one is given.
"""

from functools import partial

import numpy as np

import weft
from weft.testing import _as_tuple, assert_close, dtype_name, gradcheck, to_numpy

try:
    import torch
except ImportError:
    torch = None

FLOATS = ("float16", "bfloat16", "float32", "float64")


def to_weft(x, dtype):
    if not isinstance(x, np.ndarray):
        return x
    t = weft.tensor(x)
    return t.to(getattr(weft, dtype)) if x.dtype.kind == "f" else t


def to_torch(x, dtype):
    if not isinstance(x, np.ndarray):
        return x
    t = torch.from_numpy(np.array(x))
    return t.to(getattr(torch, dtype)) if x.dtype.kind == "f" else t


def rounded(x, dtype):
    """A floating array rounded to `dtype`, in float64; anything else unchanged."""
    if not (isinstance(x, np.ndarray) and x.dtype.kind == "f"):
        return x
    return to_numpy(to_weft(x, dtype)).astype(np.float64)


def check(
    weft_fn,
    torch_fn,
    *arrays,
    grad=True,
    dtypes=("float32", "float64"),
    rtol=None,
    atol=None,
    terms=None,
    reference=None,
    seed=0,
):
    """Compares weft_fn with torch_fn on `arrays`: NumPy arrays become tensors (floating ones in each of `dtypes`),
    anything else is passed as it is. Both return a tensor or a tuple of them.

    grad: True compares the gradients of all floating arrays, a list of positions those, False none.
    terms: the length of the sums inside, for the tolerance; default: the largest array's size. 1 is strict.
    """
    floating = [i for i, a in enumerate(arrays) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    wanted = floating if grad is True else list(grad or ())
    if terms is None:
        terms = max((a.size for a in arrays if isinstance(a, np.ndarray)), default=1)
    close = partial(assert_close, rtol=rtol, atol=atol, terms=terms, check_dtype=False)

    for dtype in dtypes if floating else ("float32",):
        exact = [rounded(a, dtype) for a in arrays]
        inputs, outputs = _run(weft_fn, to_weft, exact, dtype, wanted)
        if torch is None:
            if reference is not None:
                for k, (y, r) in enumerate(zip(outputs, _as_tuple(reference(*exact)), strict=True)):
                    close(y, r, name=f"{dtype} output {k}")
            continue

        ref_inputs, ref_outputs = _run(torch_fn, to_torch, exact, "float64", wanted)
        _check_kind(outputs, _in_dtype(torch_fn, exact, dtype) or ref_outputs, dtype)
        for k, (y, r) in enumerate(zip(outputs, ref_outputs, strict=True)):
            close(y, r, name=f"{dtype} output {k}")
        if not wanted:
            continue
        random = np.random.default_rng(seed)
        weights = [rounded(random.standard_normal(tuple(y.shape)), dtype) for y in outputs]
        _backward(outputs, weights, to_weft, dtype)
        _backward(ref_outputs, weights, to_torch, "float64")
        for i in wanted:
            got, want = inputs[i].grad, ref_inputs[i].grad
            assert (got is None) == (want is None), f"{dtype} gradient {i}: {got}, expected {want}"
            if want is not None:
                assert dtype_name(got) == dtype, f"{dtype} gradient {i}: dtype {dtype_name(got)}"
                close(got, want, name=f"{dtype} gradient {i}")

    if torch is None and wanted:
        gradcheck(weft_fn, *arrays, seed=seed)


def check_same(fn, *arrays, **options):
    """check() where both libraries are called alike: fn(m, *tensors) with m the module weft or torch."""
    check(partial(fn, weft), partial(fn, torch), *arrays, **options)


def _run(fn, convert, arrays, dtype, wanted):
    inputs = [convert(a, dtype) for a in arrays]
    for i in wanted:
        inputs[i].requires_grad = True
    return inputs, _as_tuple(fn(*inputs))


def _backward(outputs, weights, convert, dtype):
    for y, w in zip(outputs, weights, strict=True):
        if y.requires_grad:
            y.backward(convert(w, dtype), retain_graph=True)


def _in_dtype(torch_fn, exact, dtype):
    """PyTorch's result in `dtype` itself, for its dtype; None where PyTorch's CPU has no such kernel."""
    try:
        with torch.no_grad():
            return _as_tuple(torch_fn(*(to_torch(a, dtype) for a in exact)))
    except (RuntimeError, NotImplementedError):
        return None


def _check_kind(outputs, expected, dtype):
    assert len(outputs) == len(expected), f"{dtype}: {len(outputs)} results, expected {len(expected)}"
    for k, (y, r) in enumerate(zip(outputs, expected, strict=True)):
        got, want = (dtype_name(y), tuple(y.shape)), (dtype_name(r), tuple(r.shape))
        if want[0] == "float64" and got[0] == dtype:
            want = (dtype, want[1])  # PyTorch has no kernel in this dtype and answered in float64
        assert got == want, f"{dtype} output {k}: {got}, PyTorch has {want}"


def same_bits(fn, threads=(1, 2, 3, 8)):
    """Runs fn() once for each number of threads: the bytes of its result (an array or a tuple) must not change."""
    before = weft.get_num_threads()
    first = None
    try:
        for n in threads:
            weft.set_num_threads(n)
            result = [to_numpy(y) for y in _as_tuple(fn())]
            first = first or result
            for k, (a, b) in enumerate(zip(result, first, strict=True)):
                assert a.tobytes() == b.tobytes(), f"output {k} differs between {threads[0]} and {n} threads"
    finally:
        weft.set_num_threads(before)
