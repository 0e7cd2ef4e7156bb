"""einsum: any product of tensors, as matrix products."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

from weft import _core
from weft._core import Tensor
from weft.operations._contraction import Labels, plan
from weft.operations._register import function

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


@function
def einsum(*args: Any) -> Tensor:
    """einsum("bij,bjk->bik", a, b), or with sublists einsum(a, [0, 1], b, [1, 2], [0, 2]).

    Letters name dimensions, ... those that broadcast, a letter twice in one operand its diagonal. Letters that are not
    in the output are summed; without "->" the output is ... and the letters that come once, in order. Three operands
    or more are multiplied in the order of fewest multiplications (up to six; beyond, pair by pair).
    """
    operands, inputs, output = _from_equation(*args) if isinstance(args[0], str) else _from_sublists(args)
    todo = plan(inputs, output, tuple(tuple(x.shape) for x in operands))
    values = list(zip(operands, todo.inputs, strict=True))
    if not todo.plain:
        values = [_own_form(x, labels, todo.sizes) for x, labels in values]
    waiting = dict(enumerate(values))
    for i, j in todo.path:
        a, b = waiting.pop(i), waiting.pop(j)
        kept = frozenset(todo.output).union(*(labels for _, labels in waiting.values()))
        waiting[len(values)] = _multiply(a, b, kept)
        values.append(waiting[len(values)])
    x, labels = values[-1]
    if labels != todo.output:
        x, labels = _sum_out(x, labels, frozenset(todo.output))
    return x if labels == todo.output else x.permute([labels.index(label) for label in todo.output])


def _from_equation(equation: str, *operands: Any) -> tuple[Sequence[Tensor], tuple, tuple | None]:
    if len(operands) == 1 and isinstance(operands[0], Sequence):
        operands = operands[0]
    inputs, output = _parsed(equation)
    if not operands or len(inputs) != len(operands):
        raise RuntimeError(f"[einsum] expected an operand for each of {len(inputs)} terms, got {len(operands)}")
    return operands, inputs, output


@lru_cache(1024)
def _parsed(equation: str) -> tuple[tuple, tuple | None]:
    inputs, arrow, output = equation.replace(" ", "").partition("->")
    return tuple(map(_terms, inputs.split(","))), _terms(output) if arrow else None


def _terms(text: str) -> tuple:
    before, dots, after = text.partition("...")
    for letter in before + after:
        if letter not in _LETTERS:
            raise RuntimeError(f"[einsum] expected letters and at most one ellipsis in a term, got '{text}'")
    return (*before, Ellipsis, *after) if dots else tuple(before)


def _from_sublists(args: tuple) -> tuple[Sequence[Tensor], tuple, tuple | None]:
    def letters(sublist):
        for x in sublist:
            if x is not Ellipsis and not 0 <= x < len(_LETTERS):
                raise RuntimeError(f"[einsum] expected numbers from 0 to {len(_LETTERS) - 1} in a sublist, got {x}")
        if sum(x is Ellipsis for x in sublist) > 1:
            raise RuntimeError(f"[einsum] expected at most one ellipsis in a sublist, got {sublist}")
        return tuple(x if x is Ellipsis else _LETTERS[x] for x in sublist)

    if len(args) < 2:
        raise TypeError("[einsum] expected an equation and operands, or operands and sublists")
    inputs = tuple(letters(x) for x in args[1 : len(args) // 2 * 2 : 2])
    return args[: len(args) // 2 * 2 : 2], inputs, letters(args[-1]) if len(args) % 2 else None


def _own_form(x: Tensor, labels: Labels, sizes: dict[Hashable, int]) -> tuple[Tensor, Labels]:
    """An operand with every label once, and without sizes of 1 that stretch."""
    for label in {label for label in labels if labels.count(label) > 1}:
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            x = x.movedim((first, second), (-2, -1))
            n = x.shape[-1]
            x = x.flatten(-2)[..., :: n + 1] if n else x[..., 0]
            labels = (*(k for i, k in enumerate(labels) if i not in (first, second)), label)
    stretched = [i for i, label in enumerate(labels) if x.shape[i] != sizes[label]]
    return x.squeeze(stretched) if stretched else x, tuple(k for i, k in enumerate(labels) if i not in stretched)


def _sum_out(x: Tensor, labels: Labels, kept: frozenset) -> tuple[Tensor, Labels]:
    gone = [i for i, label in enumerate(labels) if label not in kept]
    return x.sum(gone) if gone else x, tuple(label for label in labels if label in kept)


def _multiply(a: tuple[Tensor, Labels], b: tuple[Tensor, Labels], kept: frozenset) -> tuple[Tensor, Labels]:
    """Two values become one: what neither the output nor another value needs is summed."""
    x, of_x = a
    y, of_y = b
    if not kept.issuperset(of_x) or not kept.issuperset(of_y):
        (x, of_x), (y, of_y) = _sum_out(x, of_x, kept.union(of_y)), _sum_out(y, of_y, kept.union(of_x))
    if x.dtype != y.dtype and not (x.dtype.is_floating_point or y.dtype.is_floating_point):
        x, y = x.long(), y.long()  # which the sum of one of them is
    p = _product(of_x, tuple(x.shape), x.stride(), of_y, tuple(y.shape), y.stride(), kept, x.itemsize)
    x = x if p.x_order is None else x.permute(p.x_order)
    y = y if p.y_order is None else y.permute(p.y_order)
    if p.rows_of_one:
        return (x * y).sum(p.summed, dtype=x.dtype), p.labels
    x = x if p.x_shape is None else x.reshape(p.x_shape)
    y = y if p.y_shape is None else y.reshape(p.y_shape)
    product = _core.matmul(x, y) if p.summed else x * y
    return product if p.shape is None else product.reshape(p.shape), p.labels


class _Product(NamedTuple):
    """How two values are multiplied: in which order of dimensions and by which shapes; None leaves them."""

    labels: Labels
    summed: list[int] | bool
    x_order: list[int] | None
    y_order: list[int] | None
    x_shape: list[int] | None = None
    y_shape: list[int] | None = None
    shape: list[int] | None = None
    rows_of_one: bool = False


@lru_cache(4096)
def _product(of_x, x_shape, x_strides, of_y, y_shape, y_strides, kept, itemsize) -> _Product:
    x, y = _Value(of_x, x_shape, x_strides), _Value(of_y, y_shape, y_strides)
    batch = [k for k in of_x if k in of_y and k in kept]
    summed = [k for k in of_x if k in of_y and k not in kept]
    rows = [k for k in of_x if k not in of_y]
    columns = [k for k in of_y if k not in of_x]
    if not summed:
        return _Product(
            labels=(*batch, *rows, *columns),
            summed=False,
            x_order=x.order([*batch, *rows]),
            y_order=y.order([*batch, *columns]),
            x_shape=[*x.sizes(batch + rows), *[1] * len(columns)] if columns else None,
            y_shape=[*y.sizes(batch), *[1] * len(rows), *y.sizes(columns)] if rows else None,
        )
    if batch and not rows and not columns and itemsize > 2:  # many sums of one row each
        labels = tuple(k for k in of_x if k in kept)
        return _Product(labels, [of_x.index(k) for k in summed], None, y.order(of_x), rows_of_one=True)
    if len(summed) > 1:  # in the order under which less has to be copied
        orders = x.as_stored(summed), y.as_stored(summed)
        summed = min(orders, key=lambda order: sum(v.numel for v in (x, y) if not v.together(order)))
    rows, columns = x.as_stored(rows), y.as_stored(columns)
    as_they_are = len(batch) <= 6
    return _Product(
        labels=(*batch, *rows, *columns),
        summed=True,
        x_order=x.order([*batch, *rows, *summed]),
        y_order=y.order([*batch, *summed, *columns]),
        x_shape=None if as_they_are and len(rows) == len(summed) == 1 else x.matrices(batch, rows, summed),
        y_shape=None if as_they_are and len(columns) == len(summed) == 1 else y.matrices(batch, summed, columns),
        shape=None if as_they_are and len(rows) == len(columns) == 1 else [*x.sizes(batch + rows), *y.sizes(columns)],
    )


class _Value(NamedTuple):
    labels: Labels
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def numel(self) -> int:
        return math.prod(self.shape)

    def sizes(self, wanted: Sequence) -> list[int]:
        return [self.shape[self.labels.index(k)] for k in wanted]

    def order(self, wanted: Sequence) -> list[int] | None:
        return None if tuple(wanted) == self.labels else [self.labels.index(k) for k in wanted]

    def matrices(self, batch: list, rows: list, columns: list) -> list[int]:
        """[*batch, rows, columns]; a view where the labels of rows and of columns lie together in memory."""
        lead = self.sizes(batch) if len(batch) <= 6 else [math.prod(self.sizes(batch))]
        return [*lead, math.prod(self.sizes(rows)), math.prod(self.sizes(columns))]

    def as_stored(self, wanted: list) -> list:
        return wanted if len(wanted) < 2 else sorted(wanted, key=lambda k: -self.strides[self.labels.index(k)])

    def together(self, order: list) -> bool:
        dims = [self.labels.index(k) for k in order]
        return all(self.strides[i] == self.strides[j] * self.shape[j] for i, j in pairwise(dims))
