"""Every operation of the catalogue in a compiled step, forward and backward: a replay with other numbers gives the bits
that eager gives, or the step is left alone with a warning."""

import warnings
from collections import Counter
from functools import partial

import pytest

import weft

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from parity.samples import tensors_of, translate  # noqa: E402
from parity.test_parity import CASES, CLEAN, arguments, chosen, describe, dtypes_of, function_of  # noqa: E402
from weft.compiler import ReplayWarning  # noqa: E402

# Those of whose samples some cannot be replayed: they read values on the host, are made of Python's data, or change an
# argument.
LEFT_ALONE = {
    "__getitem__",
    "allclose",
    "argwhere",
    "bincount",
    "combinations",
    "cov",
    "cross",
    "equal",
    "histc",
    "index_put",
    "item",
    "lcm",
    "linalg.cross",
    "linspace",
    "logspace",
    "masked_scatter",
    "masked_select",
    "nanquantile",
    "narrow",
    "nn.functional.batch_norm",
    "nn.functional.ctc_loss",
    "nn.functional.embedding",
    "nn.functional.embedding_bag",
    "nn.functional.gaussian_nll_loss",
    "nn.functional.instance_norm",
    "nn.functional.multi_margin_loss",
    "nn.functional.multilabel_margin_loss",
    "nn.functional.one_hot",
    "nonzero",
    "normal",
    "quantile",
    "repeat_interleave",
    "tensor_split",
    "tril_indices",
    "triu_indices",
    "unique",
    "unique_consecutive",
}
NAMES = Counter(case.values[0] for case in CASES)  # some have several variants
EMPTY = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}  # whatever was in memory


def other_numbers(x):
    """The same numbers in other places: valid where the first ones were, for most operations."""
    if isinstance(x, weft.Tensor):
        y = x.detach().reshape(-1).roll(1).reshape(x.shape)
        return y.requires_grad_(x.requires_grad)
    if isinstance(x, list | tuple):
        return type(x)(map(other_numbers, x)) if type(x) in (list, tuple) else x
    return {k: other_numbers(v) for k, v in x.items()} if isinstance(x, dict) else x


def leaves(x):
    if isinstance(x, weft.Tensor):
        return x.detach().requires_grad_() if x.is_floating_point() else x
    if isinstance(x, list | tuple):
        return type(x)(map(leaves, x)) if type(x) in (list, tuple) else x
    return {k: leaves(v) for k, v in x.items()} if isinstance(x, dict) else x


def bits(x):
    if isinstance(x, list | tuple):
        return [bits(i) for i in x]
    if not isinstance(x, weft.Tensor):
        return repr(x)
    wide = x.detach().float() if x.dtype in (weft.bfloat16, weft.float16) else x.detach()
    return str(x.dtype), tuple(x.shape), wide.numpy().tobytes()


def step(operation, gradient, args, kwargs):
    if not gradient:
        return operation(*args, **kwargs)
    args, kwargs = leaves(args), leaves(kwargs)
    result = operation(*args, **kwargs)
    ends = [t for t in tensors_of(result) if t.requires_grad]
    starts = [t for t in tensors_of([args, kwargs]) if t.requires_grad]
    if not ends or not starts:
        return result
    grads = weft.autograd.grad(ends, starts, [weft.ones_like(t) for t in ends], allow_unused=True)
    return [t.detach() if isinstance(t, weft.Tensor) else t for t in tensors_of(result)], grads


class Raised(str):
    pass


def outcome(f, args, kwargs):
    weft.manual_seed(1)
    try:
        return bits(f(args, kwargs))
    except CLEAN as error:
        return Raised(type(error).__name__)


@pytest.mark.parametrize("name, info", CASES)
def test_replay(name, info):
    operation = function_of(name, info)
    if name in EMPTY:
        operation = lambda *args, _of=operation, **kwargs: _of(*args, **kwargs).zero_()  # noqa: E731
    dtypes = dtypes_of(info, False)
    dtype = "float32" if "float32" in dtypes else next(iter(dtypes), "float32")
    gradient = info.supports_autograd and dtype == "float32"
    alone = 0
    for sample in chosen(name, info, dtype, False, 4):
        args, kwargs = arguments(sample)
        what = f"{name}({describe(args, kwargs)})"
        args, kwargs = translate([args, kwargs])
        eager = partial(step, operation, gradient)
        if isinstance(outcome(eager, args, kwargs), Raised):  # such as statistics, which nothing is differentiated by
            eager = partial(step, operation, False)
        compiled = weft.compile(eager)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReplayWarning)
            for numbers in ((args, kwargs), other_numbers((args, kwargs)), (args, kwargs)):
                want = outcome(eager, *numbers)
                assert outcome(compiled, *numbers) == want, f"{what}: a replay differs"
        left = not compiled.plans and not isinstance(want, Raised)
        assert not left or name in LEFT_ALONE, f"{what} is not replayed"
        alone += left
    assert alone or name not in LEFT_ALONE or NAMES[name] > 1, f"{name} is replayed: not to be listed"
