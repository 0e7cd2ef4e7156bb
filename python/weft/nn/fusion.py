"""Batch normalisation folded into the layer before it, for inference."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from weft._core import Tensor, channels_last, channels_last_3d, contiguous_format, float64
from weft._grad_mode import no_grad
from weft.nn.batch_norm import _BatchNorm
from weft.nn.container import Sequential
from weft.nn.conv import _Conv, _ConvTranspose
from weft.nn.linear import Identity, Linear
from weft.nn.module import Module
from weft.nn.parameter import Parameter

Pair = tuple[str, str]  # paths of a layer and of the batch normalisation that it feeds


def fuse(model: Module, *example: Any, **keywords: Any) -> Module:
    """A copy of `model` in evaluation mode whose batch normalisations are folded into the convolutions and linear
    layers before them, where that is sure to be right; each becomes an `Identity`. Results are the same up to rounding.

    Without an example, neighbours in an `nn.Sequential` are folded. With one, `model(*example, **keywords)` is run, and
    every normalisation that gets just what such a layer returned is folded too, as long as the model's results for the
    example stay the same: a layer whose output is used elsewhere keeps its normalisation. Layers that occur more than
    once in a model, or normalise by the statistics of the batch, are left alone.

    With an example on the CPU the convolutions' weights, and with them what lies between the layers, also get their
    channels last in memory, where the results for the example keep their strides.
    """
    fused = copy.deepcopy(model).train(False)
    with no_grad():
        for pair in _neighbours(fused):
            _fold(fused, pair)
        if example or keywords:
            wanted = _tensors(fused(*example, **keywords))
            for pair in _observed(fused, example, keywords):
                kept = _fold(fused, pair)
                if not _same(_tensors(fused(*example, **keywords)), wanted):
                    _unfold(fused, pair, kept)
            if all(t.device.type == "cpu" for t in wanted):
                _order_channels(fused, wanted, example, keywords)
    return fused


def _foldable(layer: Module, norm: Module, places: Counter) -> bool:
    return (
        isinstance(layer, _Conv | Linear)
        and isinstance(norm, _BatchNorm)
        and norm.running_mean is not None
        and norm.num_features == (layer.out_features if isinstance(layer, Linear) else layer.out_channels)
        and places[layer] == places[norm] == 1
    )


def _places(model: Module) -> Counter:
    return Counter(module for _, module in model.named_modules(remove_duplicate=False))


def _neighbours(model: Module) -> list[Pair]:
    places = _places(model)
    pairs = []
    for path, module in model.named_modules():
        if type(module) is not Sequential:
            continue
        children = list(module.named_children())
        for (first, layer), (second, norm) in pairwise(children):
            if places[module] == 1 and _foldable(layer, norm, places):
                prefix = f"{path}." if path else ""
                pairs.append((prefix + first, prefix + second))
    return pairs


def _observed(model: Module, example: tuple, keywords: dict) -> list[Pair]:
    """Layers and normalisations of which, in a run, one handed the very tensor to the other, and which ran once."""
    places, paths = _places(model), {module: path for path, module in model.named_modules()}
    calls: Counter = Counter()
    made: list[tuple[Tensor, Module]] = []  # kept alive, so that no other tensor takes a place
    pairs: list[tuple[Module, Module]] = []

    def watch(module: Module, args: tuple, output: Any) -> None:
        calls[module] += 1
        if isinstance(module, _BatchNorm):
            pairs.extend((layer, module) for tensor, layer in made if args and tensor is args[0])
        else:
            made.append((output, module))

    handles = [m.register_forward_hook(watch) for m in paths if isinstance(m, _BatchNorm | _Conv | Linear)]
    try:
        model(*example, **keywords)
    finally:
        for handle in handles:
            handle.remove()
    return [
        (paths[layer], paths[norm])
        for layer, norm in pairs
        if calls[layer] == calls[norm] == 1 and _foldable(layer, norm, places)
    ]


def _fold(model: Module, pair: Pair) -> tuple[Any, ...]:
    """Changes both modules; returns what _unfold needs."""
    layer, norm = (model.get_submodule(path) for path in pair)
    kept = layer.weight, layer.bias, norm
    mean, scale = norm.running_mean.to(float64), (norm.running_var.to(float64) + norm.eps).rsqrt()
    if norm.weight is not None:
        scale = scale * norm.weight.to(float64)
    shift = -mean if layer.bias is None else layer.bias.to(float64) - mean
    shift = shift * scale
    if norm.bias is not None:
        shift = shift + norm.bias.to(float64)
    weight = layer.weight.to(float64)
    if isinstance(layer, _ConvTranspose):  # [in, out / groups, …]
        grouped = weight.reshape(layer.groups, -1, *weight.shape[1:])
        scaled = grouped * scale.reshape(layer.groups, 1, -1, *[1] * (weight.ndim - 2))
    else:
        scaled = weight * scale.reshape(-1, *[1] * (weight.ndim - 1))
    dtype = layer.weight.dtype
    layer.weight = Parameter(scaled.reshape(weight.shape).to(dtype), layer.weight.requires_grad)
    layer.bias = Parameter(shift.to(dtype), layer.weight.requires_grad)
    _replace(model, pair[1], Identity())
    return kept


def _unfold(model: Module, pair: Pair, kept: tuple[Any, ...]) -> None:
    layer = model.get_submodule(pair[0])
    layer.weight, layer.bias, norm = kept
    _replace(model, pair[1], norm)


def _order_channels(model: Module, wanted: list[Tensor], example: tuple, keywords: dict) -> None:
    """Puts the channels of all convolutions last in memory, or leaves the model alone where that can be seen."""
    formats = {2: channels_last, 3: channels_last_3d}
    layers = [m for m in model.modules() if isinstance(m, _Conv) and m._dims in formats]
    for layer in layers:
        layer.to(memory_format=formats[layer._dims])
    try:
        got = _tensors(model(*example, **keywords))
        hidden = _same(got, wanted) and [t.stride() for t in got] == [t.stride() for t in wanted]
    except RuntimeError:  # from a view that this order does not have
        hidden = False
    if not hidden:
        for layer in layers:
            layer.to(memory_format=contiguous_format)


def _replace(model: Module, path: str, module: Module) -> None:
    parent, _, name = path.rpartition(".")
    setattr(model.get_submodule(parent), name, module)


def _tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [t for v in value for t in _tensors(v)] if isinstance(value, Iterable) and not isinstance(value, str) else []


def _same(got: list[Tensor], wanted: list[Tensor]) -> bool:
    return len(got) == len(wanted) and all(
        g.shape == w.shape and float((g - w).abs().max()) <= 1e-3 * float(w.abs().max()) + 1e-6
        for g, w in zip(got, wanted, strict=True)
    )
