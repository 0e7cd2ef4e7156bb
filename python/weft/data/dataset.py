"""Datasets: things with a length that give an item by index."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from weft._core import Tensor, as_tensor, index_select, randperm


class Dataset:
    """Protocol: `__len__` and `__getitem__(i)`. Those that also write `batch(indices)` skip the per-item path."""

    def __getitem__(self, index: int) -> Any:
        raise NotImplementedError

    def __add__(self, other: Dataset) -> ConcatDataset:
        return ConcatDataset([self, other])


class TensorDataset(Dataset):
    """Tensors or arrays of equal length; item i is the tuple of their i-th rows. Arrays are shared, not copied."""

    def __init__(self, *tensors: Tensor | np.ndarray) -> None:
        if not tensors:
            raise ValueError("[TensorDataset] expected at least one tensor")
        self.tensors = tuple(as_tensor(t) for t in tensors)
        sizes = [t.shape[0] if t.dim() else None for t in self.tensors]
        if len(set(sizes)) != 1 or sizes[0] is None:
            raise ValueError(f"[TensorDataset] Size mismatch between tensors: lengths {sizes}")

    def __len__(self) -> int:
        return self.tensors[0].shape[0]

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(t[index] for t in self.tensors)

    def batch(self, indices: Tensor | slice) -> list[Tensor]:
        """Rows by index tensor (copied natively) or slice (views)."""
        if isinstance(indices, slice):
            return [t[indices] for t in self.tensors]
        return [index_select(t, 0, indices) for t in self.tensors]


ArrayDataset = TensorDataset


class Subset(Dataset):
    """The items of a dataset at `indices`."""

    def __init__(self, dataset: Any, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        if hasattr(dataset, "batch"):
            chosen = as_tensor(np.asarray(indices, dtype=np.int64))
            self.batch = lambda which: dataset.batch(
                chosen[which] if isinstance(which, slice) else index_select(chosen, 0, which)
            )

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.indices[index]]


class ConcatDataset(Dataset):
    """Datasets one after another."""

    def __init__(self, datasets: Sequence[Any]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise ValueError("[ConcatDataset] expected at least one dataset")

    def __len__(self) -> int:
        return sum(len(d) for d in self.datasets)

    def __getitem__(self, index: int) -> Any:
        n = len(self)
        if not -n <= index < n:
            raise IndexError(f"[ConcatDataset] index {index} is out of range for length {n}")
        index %= n
        for dataset in self.datasets:
            if index < len(dataset):
                return dataset[index]
            index -= len(dataset)
        raise AssertionError("unreachable")


def random_split(dataset: Any, lengths: Sequence[int | float], generator: Any = None) -> list[Subset]:
    """Disjoint random subsets of the given lengths, or fractions that sum to 1 (remainders go round)."""
    n = len(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1 and not all(isinstance(x, int) for x in lengths):
        if any(not 0 <= x <= 1 for x in lengths):
            raise ValueError(f"[random_split] fractions must be between 0 and 1, got {list(lengths)}")
        sizes = [math.floor(n * x) for x in lengths]
        for i in range(n - sum(sizes)):
            sizes[i % len(sizes)] += 1
    else:
        sizes = list(lengths)
    if sum(sizes) != n:
        raise ValueError(f"Sum of input lengths does not equal the length of the input dataset! ({sum(sizes)} and {n})")
    order = randperm(n, generator=generator).tolist()
    ends = np.cumsum(sizes).tolist()
    return [Subset(dataset, order[end - size : end]) for end, size in zip(ends, sizes, strict=True)]
