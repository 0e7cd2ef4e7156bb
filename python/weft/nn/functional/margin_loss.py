"""Losses that ask for a distance, up to a margin."""

from __future__ import annotations

from collections.abc import Callable

from weft import _core
from weft._core import Tensor
from weft.nn.functional.loss import _reduced, named_reduction
from weft.operations._register import in_float32


def margin_ranking_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin - target (input1 - input2)), target 1 or -1."""
    reduction = named_reduction(reduction, size_average, reduce)
    _same_dims("margin_ranking_loss", input1, input2, target)
    return _reduced((-target * (input1 - input2) + float(margin)).clamp(min=0), reduction)


@in_float32
def hinge_embedding_loss(
    input: Tensor,
    target: Tensor,
    margin: float = 1.0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """input where target is 1, max(0, margin - input) where it is -1."""
    reduction = named_reduction(reduction, size_average, reduce)
    zero = _core.zeros_like(input)
    apart = _core.where(target != 1, (margin - input).clamp(min=0), zero)
    return _reduced(apart + _core.where(target != -1, input, zero), reduction)


@in_float32
def cosine_embedding_loss(
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    margin: float = 0,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """1 - cos where target is 1, max(0, cos - margin) where it is -1. Inputs [N, D] and target [N], or [D] and []."""
    reduction = named_reduction(reduction, size_average, reduce)
    if target.dim() > 1 or input1.dim() != target.dim() + 1 or input2.dim() != target.dim() + 1:
        shapes = [tuple(x.shape) for x in (input1, input2, target)]
        raise RuntimeError(
            f"[cosine_embedding_loss] expected inputs [N, D] and target [N], or [D] and [], got {shapes}"
        )

    def dot(x, y):
        return (x * y).sum(-1)

    sizes = (dot(input1, input1) + 1e-12) * (dot(input2, input2) + 1e-12)
    cosine = dot(input1, input2) / sizes.sqrt()
    zero = _core.zeros_like(cosine)
    together = _core.where(target == 1, 1 - cosine, zero)
    return _reduced(together + _core.where(target == -1, (cosine - margin).clamp(min=0), zero), reduction)


@in_float32
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over i != target of max(0, margin - x[target] + x[i])^p / C, times weight[target]. input: [N, C] or [C]."""
    reduction = named_reduction(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError(f"[multi_margin_loss] expected p 1 or 2, got {p}")
    x, labels = _rows_and_labels("multi_margin_loss", input, target, one=True)
    n, classes = x.shape
    if weight is not None and tuple(weight.shape) != (classes,):
        raise ValueError(f"[multi_margin_loss] expected a weight of shape ({classes},), got {tuple(weight.shape)}")
    if n and not 0 <= int(labels.min()) <= int(labels.max()) < classes:
        raise RuntimeError(f"[multi_margin_loss] expected targets in [0, {classes})")
    over = _core.relu(margin - x.gather(1, labels) + x)
    over = over * over if p == 2 else over
    if weight is not None:
        over = over * weight[labels]
    others = _core.arange(classes, device=x.device) != labels
    loss = _core.where(others, over, _core.zeros_like(over)).sum(1) / classes
    return _reduced(loss.reshape(target.shape) if input.dim() > 1 else loss.squeeze(0), reduction)


@in_float32
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """sum over the classes j in target and i not in it of max(0, 1 - x[j] + x[i]) / C.

    input and target: [N, C] or [C]; the classes in target end at the first negative one.
    """
    reduction = named_reduction(reduction, size_average, reduce)
    x, labels = _rows_and_labels("multilabel_margin_loss", input, target, one=False)
    classes = x.shape[1]
    listed = (labels < 0).long().cumsum(1) == 0
    if x.numel() and int((labels * listed).max()) >= classes:
        raise RuntimeError(f"[multilabel_margin_loss] expected targets below {classes}")
    most = int(listed.sum(1).max()) if x.numel() else 0
    listed, labels = listed[:, :most], (labels * listed)[:, :most]
    among = (labels.unsqueeze(2) == _core.arange(classes, device=x.device)) & listed.unsqueeze(2)
    over = _core.relu(1 - x.gather(1, labels).unsqueeze(2) + x.unsqueeze(1))
    counted = listed.unsqueeze(2) & ~among.any(1).unsqueeze(1)
    loss = _core.where(counted, over, _core.zeros_like(over)).sum((1, 2)) / classes
    return _reduced(loss if input.dim() > 1 else loss.squeeze(0), reduction)


def _rows_and_labels(name: str, x: Tensor, target: Tensor, one: bool) -> tuple[Tensor, Tensor]:
    """x as [N, C], and the target as [N, 1] for one class an item, else [N, C]."""
    rows = x.reshape(1, -1) if x.dim() < 2 else x
    if rows.dim() != 2 or rows.shape[1] == 0:
        raise RuntimeError(f"[{name}] expected an input of shape [N, C] or [C], C > 0, got {tuple(x.shape)}")
    if not x.is_floating_point() or target.dtype != _core.int64:
        raise RuntimeError(f"[{name}] expected floating input and int64 target, got {x.dtype} and {target.dtype}")
    width = 1 if one else rows.shape[1]
    if target.numel() != rows.shape[0] * width or target.dim() > (1 if one else 2):
        raise RuntimeError(f"[{name}] expected a target for {tuple(x.shape)}, got {tuple(target.shape)}")
    return rows, target.reshape(rows.shape[0], width)


@in_float32
def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """triplet_margin_with_distance_loss() with |x - y + eps|_p along the last dimension."""
    reduction = named_reduction(reduction, size_average, reduce)
    return triplet_margin_with_distance_loss(
        anchor,
        positive,
        negative,
        distance_function=lambda x, y: (x - y + eps).norm(p, -1),
        margin=margin,
        swap=swap,
        reduction=reduction,
    )


def triplet_margin_with_distance_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    *,
    distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
    margin: float = 1.0,
    swap: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """max(0, margin + d(anchor, positive) - d(anchor, negative)); d is the Euclidean distance by default.

    swap: the distance between positive and negative counts where it is the smaller (Balntas et al. 2016).
    """
    reduction = named_reduction(reduction)
    if not margin > 0:
        raise ValueError(f"[triplet_margin_loss] expected margin > 0, got {margin}")
    _same_dims("triplet_margin_loss", anchor, positive, negative)
    distance = distance_function or (lambda x, y: (x - y + 1e-6).norm(2, -1))
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = _core.minimum(far, distance(positive, negative))
    return _reduced((margin + near - far).clamp(min=0), reduction)


def _same_dims(name: str, *tensors: Tensor) -> None:
    if len({x.dim() for x in tensors}) > 1:
        raise RuntimeError(f"[{name}] expected equal numbers of dimensions, got {[tuple(x.shape) for x in tensors]}")
