"""Second derivatives of every differentiable operation of PyTorch's catalogue, by differences of the gradients."""

import math

import pytest

from weft.autograd import gradgradcheck

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest")

from parity import excuses, samples  # noqa: E402
from parity.test_parity import RANDOM, chosen, function_of  # noqa: E402

MOST, ELEMENTS = 4, 1000  # samples of an operation, and elements of a sample
COARSE = {"bfloat16", "half", "float"}  # their results have too few digits for differences

# Operations whose backward is a fused kernel and says so.
REFUSES = {"nn.functional.grid_sample"}


def candidates():
    for name, infos in samples.catalogue().items():
        if (
            excuses.excuse(name) is not None
            or name in RANDOM
            or name in COARSE
            or (name.endswith("_") and not name.endswith("__"))
        ):
            continue
        for info in infos:
            if info.supports_gradgrad and torch.float64 in info.supported_backward_dtypes("cpu"):
                if info.variant_test_name == "subgradients_at_zero":
                    continue  # differences across a kink
                label = f"{name}.{info.variant_test_name}" if info.variant_test_name else name
                yield pytest.param(name, info, id=label)


def small(sample):
    tensors = list(samples.tensors_of([sample.input, sample.args, sample.kwargs]))
    wanted = [t for t in tensors if t.requires_grad]
    if any(t.isnan().any() or t.dtype != torch.float64 for t in wanted):
        return False  # differences say nothing
    return wanted and sum(t.numel() for t in tensors) <= ELEMENTS and all(t.numel() for t in wanted)


def largest(tensors):
    return max(float(t.detach().abs().max()) for t in tensors if t.numel())


@pytest.mark.parametrize("name, info", list(candidates()))
def test_second_derivative(name, info):
    ours = function_of(name, info)
    kept = [s for s in chosen(name, info, "float64", True, 10_000) if small(s)]
    for sample in samples.some(kept, MOST):
        args, kwargs = samples.translate([sample.input, *sample.args]), samples.translate(dict(sample.kwargs))
        leaves = [t for t in samples.tensors_of([args, kwargs]) if t.requires_grad]

        def call(*_, args=args, kwargs=kwargs):
            return tuple(samples.tensors_of(ours(*args, **kwargs)))

        y = [t for t in call() if t.requires_grad]
        if not y or not 0 < sum(t.numel() for t in y) <= ELEMENTS or not math.isfinite(largest(y)):
            continue
        if name in REFUSES:
            with pytest.raises(RuntimeError, match="no second derivative"):
                gradgradcheck(call, leaves)
        else:
            assert gradgradcheck(call, leaves, fast_mode=True, atol=1e-6 * max(10, largest(y)))  # of large differences
