"""One operation on a device against the CPU in float64, values and gradients."""

import numpy as np

import weft
from oracle import rounded, to_weft
from weft.testing import assert_close, dtype_name

HALVES, FLOATS = ("float16", "bfloat16"), ("float32", "float64")


def _as_tuple(x):
    return tuple(x) if isinstance(x, tuple | list) else (x,)


def _run(fn, arrays, dtype, where, wanted):
    inputs = [to_weft(a, dtype).to(where) if isinstance(a, np.ndarray) else a for a in arrays]
    for i in wanted:
        inputs[i].requires_grad = True
    return inputs, _as_tuple(fn(*inputs))


def agree(fn, *arrays, device, dtypes=FLOATS, grad=True, terms=None, exact=False):
    """Floating arrays become tensors of each of `dtypes`, others as they are; anything else is passed on."""
    floating = [i for i, a in enumerate(arrays) if isinstance(a, np.ndarray) and a.dtype.kind == "f"]
    wanted = floating if grad else []
    if terms is None:
        terms = max((a.size for a in arrays if isinstance(a, np.ndarray)), default=1)
    for dtype in dtypes if floating else ("float32",):
        values = [rounded(a, dtype) for a in arrays]
        inputs, outputs = _run(fn, values, dtype, device, wanted)
        reference, expected = _run(fn, values, dtype if exact else "float64", "cpu", wanted)
        random = np.random.default_rng(0)
        for k, (y, e) in enumerate(zip(outputs, expected, strict=True)):
            assert y.is_cuda and tuple(y.shape) == tuple(e.shape), f"{dtype} output {k}: {y.device} {y.shape}"
            assert_close(y, e, terms=terms, check_dtype=False, name=f"{dtype} output {k}")
            if y.requires_grad:
                dy = rounded(random.standard_normal(tuple(y.shape)), dtype)
                y.backward(weft.tensor(dy).to(y.dtype).to(device), retain_graph=True)
                e.backward(weft.tensor(dy).to(e.dtype), retain_graph=True)
        for i in wanted:
            if reference[i].grad is None:
                assert inputs[i].grad is None
                continue
            assert dtype_name(inputs[i].grad) == dtype
            assert_close(
                inputs[i].grad, reference[i].grad, terms=terms, check_dtype=False, name=f"{dtype} gradient {i}"
            )
