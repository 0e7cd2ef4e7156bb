"""PyTorch's own catalogue of operations and of the arguments that its tests give them (op_db), turned into Weft's.

The catalogue is the systematic part: for each operation it has 0-dimensional, empty, broadcast and non-contiguous
tensors, negative axes and every keyword, and calls that must fail.
"""

import warnings
from functools import cache

import numpy as np

import weft

try:
    import torch
except ImportError:
    torch = None

DTYPES = ("float64", "float32", "bfloat16", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")


class Untranslatable(Exception):
    """The sample uses what Weft does not have: complex numbers, other layouts or devices."""


@cache
def catalogue():
    """{name: [OpInfo]}; a name has several where PyTorch's tests tell variants apart."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
    found = {}
    for info in op_db:
        found.setdefault(info.name, []).append(info)
    return found


def resolve(name, variant=""):
    """Weft's function of a name of the catalogue; None where there is none."""
    for label in (f"{name}.{variant}", name):
        if label in RENAMED:
            return RENAMED[label]
    root = weft
    parts = name.split(".")
    if parts[:2] == ["nn", "functional"]:
        root, parts = weft.nn.functional, parts[2:]
    for part in parts[:-1]:
        root = getattr(root, part, None)
    function = getattr(root, parts[-1], None)
    if len(parts) == 1 and not callable(function):  # a method alone, or a property; weft.float is a dtype
        function = getattr(weft.Tensor, name, None)
        if function is not None and not callable(function):
            return lambda x: getattr(x, name)
    return function


def _filling(method):
    """The catalogue's function of what is only a method in place."""
    return lambda x, *args, **kwargs: getattr(x.clone(), method)(*args, **kwargs)


# Names that are no functions, and those whose samples have the tensor to differentiate first.
RENAMED = {
    "__getitem__": lambda x, index: x[index],
    "where": lambda x, condition, other: weft.where(condition, x, other),  # the catalogue's order
    "normal.in_place": _filling("normal_"),
    "normal.number_mean": lambda std, mean, *args, **kwargs: weft.normal(mean, std, *args, **kwargs),
    "slice": lambda x, dim=0, start=None, end=None, step=1: x.movedim(dim, 0)[start:end:step].movedim(0, dim),
    "repeat": lambda x, dims: x.repeat(dims),
    **{name: _filling(name + "_") for name in ("cauchy", "exponential", "geometric", "log_normal", "uniform")},
    "zero_": _filling("zero_"),
    "einsum": lambda operands, equation: weft.einsum(equation, operands),
    "nn.functional.embedding": lambda weight, ids, **options: weft.nn.functional.embedding(ids, weight, **options),
    "nn.functional.embedding_bag": lambda weight, ids, **o: weft.nn.functional.embedding_bag(ids, weight, **o),
}


def translate(x):
    """A sample's argument, or a tree of them, as Weft's."""
    if isinstance(x, torch.Tensor):
        return translate_tensor(x)
    if isinstance(x, torch.dtype):
        name = str(x).removeprefix("torch.")
        if not hasattr(weft, name):
            raise Untranslatable(name)
        return getattr(weft, name)
    if isinstance(x, torch.device):
        return weft.device(str(x))
    if isinstance(x, torch.Size):
        return tuple(x)
    if isinstance(x, torch.layout | torch.memory_format):
        if x in (torch.strided, torch.contiguous_format, torch.preserve_format):
            raise Untranslatable("layout")
        raise Untranslatable(str(x))
    if isinstance(x, complex):
        raise Untranslatable("complex")
    if isinstance(x, torch.nn.Module | torch.Generator) or getattr(x, "__module__", "").startswith("torch"):
        raise Untranslatable(type(x).__name__)
    if isinstance(x, list | tuple):
        return type(x)(translate(i) for i in x) if type(x) in (list, tuple) else tuple(translate(i) for i in x)
    if isinstance(x, dict):
        return {k: translate(v) for k, v in x.items()}
    return x


def translate_tensor(t):
    if t.is_complex() or t.layout != torch.strided or str(t.dtype).removeprefix("torch.") not in DTYPES:
        raise Untranslatable(str(t.dtype))
    if t.dim() > 8:
        raise Untranslatable("more dimensions than Weft has")
    dtype = getattr(weft, str(t.dtype).removeprefix("torch."))
    x = _spread(t.detach(), dtype)
    if t.requires_grad:
        x.requires_grad_()
    return x


def _spread(t, dtype):
    """Not contiguous where t is not: every second element of a longer last dimension, or dimensions of stride 0."""
    flat = t.to(torch.float32) if t.dtype in (torch.bfloat16, torch.float16) else t
    if t.is_contiguous() or t.dim() == 0:
        return weft.tensor(flat.contiguous().numpy()).to(dtype)
    array = np.ascontiguousarray(flat.numpy())
    wide = weft.zeros(*array.shape[:-1], 2 * array.shape[-1], dtype=dtype)
    view = wide[..., ::2]
    view.copy_(weft.tensor(array).to(dtype))
    return view


def tensors_of(x):
    """All tensors of a tree, PyTorch's or Weft's, in order."""
    if isinstance(x, weft.Tensor) or (torch is not None and isinstance(x, torch.Tensor)):
        yield x
    elif isinstance(x, list | tuple):
        for i in x:
            yield from tensors_of(i)
    elif isinstance(x, dict):
        for i in x.values():
            yield from tensors_of(i)


def some(items, most):
    """At most `most` of the items, spread evenly, the first among them."""
    items = list(items)
    if len(items) <= most:
        return items
    return [items[i * len(items) // most] for i in range(most)]
