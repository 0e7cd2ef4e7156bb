"""Losses that are formulas; those that training loops spend time in are in the core."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

from weft import _core
from weft._core import Tensor
from weft._grad_mode import no_grad
from weft.operations._register import in_float32


def named_reduction(reduction: str, size_average: bool | None = None, reduce: bool | None = None) -> str:
    """`reduction`, or what PyTorch's older arguments mean, which win and warn."""
    if size_average is not None or reduce is not None:
        reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
        message = f"size_average and reduce args will be deprecated, please use reduction={reduction!r} instead."
        warnings.warn(message, stacklevel=3)
    if reduction not in ("none", "mean", "sum"):
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    return loss if reduction == "none" else loss.sum() if reduction == "sum" else loss.mean()


@in_float32
def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
) -> Tensor:
    """cross_entropy(linear(input, linear_weight, linear_bias), target, …), without the logits of all rows at a time.

    input: (in,) or (N, in); linear_weight: (C, in); target: class numbers () or (N,). Gradients are made a chunk of
    rows at a time too, so that memory stays at a few million logits however many rows and classes there are.
    Class probabilities as target, and weights (C, d, …, in), take the composed form. ignore_index: None means -100.
    """
    labels = not target.dtype.is_floating_point
    ignored = -100 if ignore_index is None else ignore_index
    if labels and linear_weight.dim() == 2 and input.dim() in (1, 2):
        rows, targets = (input, target) if input.dim() == 2 else (input.unsqueeze(0), target.unsqueeze(0))
        loss = _core._linear_cross_entropy(
            rows, linear_weight, targets, linear_bias, weight, reduction, ignored, label_smoothing
        )
        return loss.squeeze(0) if reduction == "none" and input.dim() == 1 else loss
    outputs = tuple(linear_weight.shape[:-1])
    bias = None if linear_bias is None else linear_bias.reshape(-1)
    logits = _core.linear(input, linear_weight.reshape(-1, linear_weight.shape[-1]), bias)
    return _core.cross_entropy(
        logits.reshape(*input.shape[:-1], *outputs),
        target,
        weight=weight,
        reduction=reduction,
        ignore_index=ignored,
        label_smoothing=label_smoothing,
    )


@in_float32
def poisson_nll_loss(
    input: Tensor,
    target: Tensor,
    log_input: bool = True,
    full: bool = False,
    size_average: bool | None = None,
    eps: float = 1e-8,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """exp(x) - target x for logarithms x of rates, x - target log(x + eps) for rates; full: plus about log(target!)."""
    reduction = named_reduction(reduction, size_average, reduce)
    loss = input.exp() - target * input if log_input else input - target * (input + eps).log()
    if full:
        stirling = target * target.log() - target + 0.5 * (2 * math.pi * target).log()
        loss = loss + _core.where(target > 1, stirling, _core.zeros_like(stirling))
    return _reduced(loss, reduction)


def gaussian_nll_loss(
    input: Tensor,
    target: Tensor,
    var: Tensor | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Tensor:
    """(log(var) + (input - target)^2 / var) / 2, var kept above eps; full: plus log(2 pi) / 2."""
    reduction = named_reduction(reduction)
    if not isinstance(var, Tensor):
        var = _core.full_like(input, var)
    if (var < 0).any():
        raise ValueError("[gaussian_nll_loss] expected var above 0")
    if var.shape != input.shape:
        if tuple(input.shape[:-1]) == tuple(var.shape):
            var = var.unsqueeze(-1)
        elif not (
            input.dim() == var.dim() and sum(v for n, v in zip(input.shape, var.shape, strict=True) if n != v) == 1
        ):
            raise ValueError(
                f"[gaussian_nll_loss] expected var of shape {tuple(input.shape)}, without the last dimension or with "
                f"a 1 in one, got {tuple(var.shape)}"
            )
    var = var.clone()
    with no_grad():
        var.clamp_(min=eps)
    loss = 0.5 * (var.log() + (input - target) ** 2 / var)
    return _reduced(loss + 0.5 * math.log(2 * math.pi) if full else loss, reduction)


@in_float32
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target input)), target 1 or -1."""
    return _reduced(-_core.logsigmoid(target * input), named_reduction(reduction, size_average, reduce))


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Binary cross-entropy of sigmoid(input), averaged over the classes, the last dimension."""
    reduction = named_reduction(reduction, size_average, reduce)
    loss = -(target * _core.logsigmoid(input) + (1 - target) * _core.logsigmoid(-input))
    return _reduced((loss if weight is None else loss * weight).mean(-1), reduction)


@in_float32
def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """-log of the probability of `targets` under log_probs [T, N, C] or [T, C], summed over all alignments in time.

    targets: [N, S], or the N lists joined. "mean" divides each loss by its target's length first. zero_infinity: an
    item whose target does not fit its input counts 0. Graves et al. 2006.
    """
    reduction = named_reduction(reduction)
    single = log_probs.dim() == 2
    x = log_probs.unsqueeze(1) if single else log_probs
    inputs, lengths = _lengths(input_lengths, single), _lengths(target_lengths, single)
    x = x.float() if x.dtype in (_core.float16, _core.bfloat16) else x
    loss = _core._ctc_loss(x, targets, inputs, lengths, blank, zero_infinity)
    if zero_infinity:
        loss = _core.where(loss == math.inf, _core.zeros_like(loss), loss)
    if reduction == "mean":
        return (loss / lengths.clamp(min=1).to(loss.device, loss.dtype)).mean().to(log_probs.dtype)
    loss = loss.squeeze(0) if single else loss
    return _reduced(loss, reduction).to(log_probs.dtype)


def _lengths(lengths: Tensor | Sequence[int], single: bool) -> Tensor:
    if not isinstance(lengths, Tensor):
        lengths = _core.tensor(lengths, dtype=_core.int64)
    return lengths.reshape(1) if single and lengths.dim() == 0 else lengths
