"""Random shapes, dtypes, axes and strides at every operation: the right answer or a clean exception.

A call starts as a sample of the catalogue, or of examples.py; then some of its arguments are changed. Where both
libraries answer, the answers must agree.
"""

import math
import os

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

import weft  # noqa: E402
from parity import examples, samples, table  # noqa: E402
from parity.samples import Untranslatable, translate  # noqa: E402
from parity.test_parity import CASES, CLEAN, RANDOM, arguments, close, describe, fresh, same_tree  # noqa: E402

EXAMPLES = int(os.environ.get("WEFT_FUZZ_EXAMPLES", "20"))
SIZES = st.sampled_from([0, 1, 2, 3, 5, 17])
SHAPES = st.lists(SIZES, max_size=4)
INTEGERS = st.sampled_from([-100, -5, -2, -1, 0, 1, 2, 3, 7, 1000])
FEW = st.sampled_from([-3, -1, 0, 1, 2, 5])
NUMBERS = st.sampled_from([0.0, -1.0, 0.5, 1e30, math.inf, -math.inf, math.nan])
# Names whose answers are undefined where they are fuzzed.
UNORDERED = ["sort", "argsort", "topk", "kthvalue", "median", "nanmedian", "mode", "msort"]
# Names whose results grow with an integer: they get small ones.
GROWING = set(
    """arange linspace logspace tril_indices triu_indices one_hot nn.functional.one_hot full new_full eye zeros ones
    combinations cartesian_prod bincount histc randint empty new_zeros new_ones repeat tile repeat_interleave
    nn.functional.pad constant_pad_nd nn.functional.interpolate nn.functional.fold as_strided empty_strided
    new_empty_strided nn.functional.upsample nn.functional.affine_grid rand randperm csr_transpose""".split()  # noqa: SIM905
)

DIFFERENT = {
    "addmv": "a product of no rows is not broadcast",
    "all": "dim=() means every dimension, as elsewhere",
    "any": "dim=() means every dimension, as elsewhere",
    "nn.functional.pixel_unshuffle": "of an empty batch PyTorch keeps the shape",
    "__rdiv__": "of an integer tensor by a 0-d float64 one PyTorch's method gives float32, its function float64",
    "cov": "PyTorch's arithmetic with weights of another dtype",
    "nn.functional.binary_cross_entropy_with_logits": "PyTorch's dtype of mixed 0-d inputs is the target's",
    "nn.functional.scaled_dot_product_attention": "leading dimensions broadcast in every case",
    "trapezoid": "over nothing PyTorch forgets the dtype of dx",
    "trapz": "over nothing PyTorch forgets the dtype of dx",
    "var": "a variance that overflows is inf, where PyTorch's pairwise form may end in 0 or NaN",
    "nn.functional.nll_loss": "0 and not NaN where every target is ignored",
    "nn.functional.cross_entropy": "0 and not NaN where every target is ignored",
}
DIFFERENT |= dict.fromkeys(("std", "var_mean", "std_mean"), DIFFERENT["var"])


@st.composite
def tensors(draw, like):
    """A tensor of another dtype, shape or stride."""
    kind = draw(st.sampled_from(["dtype", "shape", "transpose", "expand", "slice", "empty", "scalar", "special"]))
    if kind == "dtype":
        return like.to(getattr(torch, draw(st.sampled_from(samples.DTYPES))))
    if kind == "shape":
        shape = draw(SHAPES)
        source = like.flatten()
        n = math.prod(shape)
        if source.numel() == 0:
            return torch.zeros(shape, dtype=like.dtype)
        return source.repeat(n // source.numel() + 1)[:n].reshape(shape)
    if kind == "transpose":
        return like.permute(draw(st.permutations(range(like.dim()))))
    if kind == "expand":
        return like.unsqueeze(0).expand(draw(st.sampled_from([0, 1, 3])), *like.shape)
    if kind == "slice":
        return like[..., :: draw(st.sampled_from([2, 3]))] if like.dim() else like
    if kind == "empty":
        return like[:0] if like.dim() else like
    if kind == "scalar":
        return like.flatten()[0] if like.numel() else like
    return torch.full_like(like, draw(NUMBERS)) if like.dtype.is_floating_point else like * 7


@st.composite
def changed(draw, x, integers):
    if isinstance(x, torch.Tensor):
        return draw(tensors(x.detach()))
    if isinstance(x, bool):
        return draw(st.booleans())
    if isinstance(x, int):
        return draw(integers)
    if isinstance(x, float):
        return draw(NUMBERS)
    if isinstance(x, list | tuple) and x:
        at = draw(st.integers(0, len(x) - 1))
        return type(x)([*x[:at], draw(changed(x[at], integers)), *x[at + 1 :]]) if type(x) in (list, tuple) else x
    return draw(st.sampled_from([x, None, 1, "mean", (2, 3)]))


def starts(info):
    """A few samples to start from."""
    for dtype in ("float32", "int64", "bool"):
        if getattr(torch, dtype) in info.supported_dtypes("cpu"):
            yield from samples.some(info.sample_inputs("cpu", getattr(torch, dtype)), 6)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name, info", CASES)
def test_fuzz(name, info):
    ours = samples.resolve(name, info.variant_test_name)
    assert ours is not None
    beginnings = [arguments(s) for s in starts(info)]
    if not beginnings:
        pytest.skip("no samples in these dtypes")
    fuzz(beginnings, name, lambda args, kwargs: once(name, ours, info.op, args, kwargs))


@pytest.mark.parametrize("name", examples.EXAMPLES)
def test_fuzz_what_pytorch_does_not_have(name):
    ours = table.public()[name]
    calls = [examples.EXAMPLES[name](dtype) for dtype in (weft.float32, weft.int64)]
    fuzz(
        [(as_torch(args), {}) for args in calls if args],
        name,
        lambda args, kwargs: once(name, ours, None, args, kwargs),
    )


def as_torch(args):
    return [torch.from_numpy(x.detach().numpy().copy()) if isinstance(x, weft.Tensor) else x for x in args]


def fuzz(beginnings, name, check):
    integers = FEW if name in GROWING else INTEGERS

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def run(data):
        args, kwargs = data.draw(st.sampled_from(beginnings))
        args, kwargs = list(args), dict(kwargs)
        for _ in range(data.draw(st.integers(1, 2))):
            at = data.draw(st.sampled_from([*range(len(args)), *kwargs]))
            where = kwargs if isinstance(at, str) else args
            where[at] = data.draw(changed(where[at], integers))
        check(args, kwargs)

    run()


def once(name, ours, theirs, args, kwargs):
    what = f"{name}({describe(args, kwargs)})"
    try:
        w_args, w_kwargs = translate(args), translate(kwargs)
    except Untranslatable:
        return
    try:
        got = ours(*w_args, **w_kwargs)
    except CLEAN:
        return
    except Exception as error:
        raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
    if theirs is None:
        return
    try:
        want = theirs(*fresh(args), **fresh(kwargs))
    except Exception:
        return  # an answer where PyTorch has none
    if name not in RANDOM and name not in UNORDERED and name not in DIFFERENT and moderate([args, kwargs]):
        same_tree(got, want, what, close)


def moderate(x):
    """No exponents and the like so large that rounding decides."""
    if isinstance(x, float):
        return abs(x) < 1e6  # and not NaN
    if isinstance(x, int):
        return abs(x) < 100
    values = x.values() if isinstance(x, dict) else x if isinstance(x, list | tuple) else ()
    return all(moderate(v) for v in values)
