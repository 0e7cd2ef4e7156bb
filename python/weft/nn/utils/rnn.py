"""Sequences of different lengths: padded, or packed step by step without the padding. Names are PyTorch's."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import weft
from weft import _core
from weft._core import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Fields(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Fields):
    """The steps of all sequences, longest first: made by pack_padded_sequence and pack_sequence, not by hand.

    data: (sum of lengths, *), the first step of every sequence, then the second of all that have one, and so on.
    batch_sizes: int64 on the CPU, how many sequences have each step. sorted_indices and unsorted_indices: how the
    sequences were sorted and how to undo it, or None where they came sorted.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            if not (isinstance(data, (list, tuple)) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        elif batch_sizes.is_cuda:
            raise ValueError("batch_sizes should always be on CPU; let pack_padded_sequence or pack_sequence make them")
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data converted or moved as by Tensor.to; indices follow its device."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        indices = (i if i is None else i.to(data.device) for i in (self.sorted_indices, self.unsorted_indices))
        return type(self)(data, self.batch_sizes, *indices)

    def cpu(self) -> PackedSequence:
        return self.to("cpu")

    def cuda(self, device: Any = "cuda") -> PackedSequence:
        return self.to(device)

    def double(self) -> PackedSequence:
        return self.to(weft.float64)

    def float(self) -> PackedSequence:
        return self.to(weft.float32)

    def half(self) -> PackedSequence:
        return self.to(weft.float16)

    def long(self) -> PackedSequence:
        return self.to(weft.int64)

    def int(self) -> PackedSequence:
        return self.to(weft.int32)

    def short(self) -> PackedSequence:
        return self.to(weft.int16)

    def char(self) -> PackedSequence:
        return self.to(weft.int8)

    def byte(self) -> PackedSequence:
        return self.to(weft.uint8)

    @property
    def is_cuda(self) -> bool:
        return self.data.is_cuda


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that undoes this one; None for None."""
    return None if permutation is None else _core.argsort(permutation)


def _padding_of(lengths: list[int], steps: int, batch_first: bool, device: Any) -> tuple[Tensor, Tensor]:
    """Of sequences sorted by length: batch_sizes, and where packed rows lie among the rows of the padded form."""
    batch = len(lengths)
    sizes = _core.tensor([sum(n > t for n in lengths) for t in range(lengths[0])], dtype=weft.int64)
    sequence, step = _core.arange(batch).unsqueeze(0), _core.arange(lengths[0]).unsqueeze(1)
    rows = sequence * steps + step if batch_first else step * batch + sequence
    return sizes, rows[sequence < sizes.unsqueeze(1)].to(device)


def pack_padded_sequence(
    input: Tensor, lengths: Tensor | list[int], batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """Packs (T, B, *), or (B, T, *) with batch_first, leaving out what is padding.

    lengths: of the B sequences, each at least 1. They must not grow if enforce_sorted; otherwise they are sorted here.
    RuntimeError where lengths do not fit. Differentiable; the padding gets no gradient.
    """
    lengths = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    batch_dim = 0 if batch_first else 1
    if input.dim() < 2:
        raise RuntimeError(f"[pack_padded_sequence] expected at least 2 dimensions, got {input.dim()}")
    if input.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    batch, steps = input.shape[batch_dim], input.shape[1 - batch_dim]
    if len(lengths) != batch:
        raise RuntimeError(f"Expected `len(lengths)` to be equal to batch_size, but got {len(lengths)} ({batch=})")
    sorted_indices = None
    if not enforce_sorted:
        order = sorted(range(batch), key=lambda i: -lengths[i])
        lengths = [lengths[i] for i in order]
        sorted_indices = _core.tensor(order, dtype=weft.int64, device=input.device)
        input = input.index_select(batch_dim, sorted_indices)
    elif any(a < b for a, b in pairwise(lengths)):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. "
            "You can pass `enforce_sorted=False` to have it sorted here."
        )
    if lengths[-1] <= 0:
        raise RuntimeError("Length of all samples has to be greater than 0, but found an element in 'lengths' <= 0")
    if lengths[0] > steps:
        raise RuntimeError(f"Expected lengths of at most {steps}, the padded one, got {lengths[0]}")
    sizes, rows = _padding_of(lengths, steps, batch_first, input.device)
    return PackedSequence(input.flatten(0, 1).index_select(0, rows), sizes, sorted_indices, None)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded form, (T, B, *) or (B, T, *), in the order before sorting, and the int64 lengths on the CPU.

    T is the longest length, or total_length; ValueError if that is shorter.
    """
    data, batch_sizes, _, unsorted_indices = sequence
    sizes = batch_sizes.tolist()
    steps = len(sizes)
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                "Expected total_length to be at least the length of the longest sequence in input, but got "
                f"total_length={total_length} and max sequence length being {steps}"
            )
        steps = total_length
    batch = sizes[0]
    lengths = [sum(n > b for n in sizes) for b in range(batch)]
    _, rows = _padding_of(lengths, steps, batch_first, data.device)
    padded = _core.full((batch * steps, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = padded.index_copy(0, rows, data).unflatten(0, (batch, steps) if batch_first else (steps, batch))
    counts = _core.tensor(lengths, dtype=weft.int64)
    if unsorted_indices is None:
        return padded, counts
    return padded.index_select(0 if batch_first else 1, unsorted_indices), counts[unsorted_indices.cpu()]


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Stacks sequences of shapes (L, *) as (T, B, *), or (B, T, *) with batch_first: T the longest L, `padding_side`
    of the others filled up with padding_value. ValueError for a side that is neither "left" nor "right"."""
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: Expected iterable for input sequences, but got arg of type: {type(sequences)}"
        )
    sequences = tuple(sequences)
    if not sequences:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise ValueError(f"Expected padding_side to be one of left or right, but got {padding_side}")
    steps, rest = max(s.shape[0] for s in sequences), sequences[0].shape[1:]
    parts = []
    for s in sequences:
        if s.shape[1:] != rest:
            raise RuntimeError(f"[pad_sequence] expected shapes (L, {', '.join(map(str, rest))}), got {tuple(s.shape)}")
        if missing := steps - s.shape[0]:
            fill = _core.full((missing, *rest), padding_value, dtype=s.dtype, device=s.device)
            s = _core.cat([s, fill] if padding_side == "right" else [fill, s])
        parts.append(s)
    return _core.stack(parts, 0 if batch_first else 1)


def unpad_sequence(padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False) -> list[Tensor]:
    """The sequences of a padded tensor, each without its padding."""
    if not batch_first:
        padded_sequences = padded_sequences.transpose(0, 1)
    return [s[: int(n)] for s, n in zip(padded_sequences, lengths.tolist(), strict=True)]


def pack_sequence(sequences: list[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Packs sequences of shapes (L, *), which must not get longer if enforce_sorted."""
    return pack_padded_sequence(pad_sequence(sequences), [len(s) for s in sequences], enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences that were packed, in their order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
