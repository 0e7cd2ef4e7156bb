"""DataLoader: batches of a dataset, in order or shuffled from a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from weft._core import Generator, Tensor, arange, as_tensor, randint, randperm, stack


class DataLoader:
    """Iterates over batches.

    Datasets that write `batch(indices)` (TensorDataset, ArrayDataset, and subsets of them) are indexed once per batch,
    natively; of others the items are collected one by one and joined by `collate_fn` (default: `default_collate`). A
    plain tensor or array, or a tuple of them, counts as a TensorDataset.

    shuffle: a new order in each epoch. The order is a function of `seed` and the epoch's number alone; without `seed`
    (or `generator`) the seed is drawn from `weft.manual_seed`'s stream when the loader is first used.
    state_dict() holds seed, epoch and position, so that an interrupted epoch goes on where it stopped.
    num_workers, pin_memory and persistent_workers are accepted and change nothing: batches of arrays need no workers.
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Iterable[int] | None = None,
        batch_sampler: Iterable[list[int]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        *,
        generator: Generator | None = None,
        seed: int | None = None,
        persistent_workers: bool = False,
    ) -> None:
        if isinstance(dataset, Tensor | np.ndarray):
            dataset = (dataset,)
        if isinstance(dataset, tuple) and all(isinstance(a, Tensor | np.ndarray) for a in dataset):
            from weft.data.dataset import TensorDataset

            dataset = TensorDataset(*dataset)
        if batch_size is not None and (not isinstance(batch_size, int) or batch_size < 1):
            raise ValueError(f"batch_size should be a positive integer value, but got batch_size={batch_size}")
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None and (batch_size != 1 or shuffle or sampler is not None or drop_last):
            raise ValueError(
                "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
            )
        if seed is not None and generator is not None:
            raise ValueError("[DataLoader] expected seed or generator, got both")
        self.dataset = dataset
        self.batch_size = batch_size
        self.shuffle = bool(shuffle)
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn
        self.drop_last = drop_last
        self.generator = generator
        self.seed = seed
        self.epoch = 0  # of the next iteration
        self._resume_at = 0
        self._running: tuple[int, int] | None = None  # epoch and batches handed out, while one is under way

    def __len__(self) -> int:
        """Batches in an epoch."""
        if self.batch_sampler is not None:
            return len(self.batch_sampler)
        n = len(self.dataset if self.sampler is None else self.sampler)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        """One epoch, or the rest of one after load_state_dict()."""
        epoch, start = self.epoch, self._resume_at
        self.epoch, self._resume_at = epoch + 1, 0
        for i, indices in enumerate(self._index_batches(epoch)):
            if i >= start:
                batch = self._fetch(indices)
                self._running = (epoch, i + 1)
                yield batch
        self._running = None

    def _order(self, epoch: int) -> Tensor:
        n = len(self.dataset)
        if self.sampler is not None:
            return as_tensor(np.fromiter(self.sampler, dtype=np.int64))
        if not self.shuffle:
            return arange(n)
        if self.seed is None:
            self.seed = int(randint(0, 2**62, (1,), generator=self.generator))
        stream = Generator()
        stream.manual_seed((self.seed * 0x9E3779B97F4A7C15 + epoch * 0xD1B54A32D192ED03) % 2**63)
        return randperm(n, generator=stream)

    def _index_batches(self, epoch: int) -> Iterator[Any]:
        """Index tensors (or slices, where rows are in order); lists from a batch_sampler; ints without batches."""
        if self.batch_sampler is not None:
            yield from self.batch_sampler
            return
        if self.batch_size is None:
            yield from self._order(epoch).tolist()
            return
        in_order = self.sampler is None and not self.shuffle
        order = None if in_order else self._order(epoch)
        n = len(self.dataset) if order is None else order.numel()
        for a in range(0, n - self.batch_size + 1 if self.drop_last else n, self.batch_size):
            rows = slice(a, min(a + self.batch_size, n))
            yield rows if in_order else order[rows]

    def _fetch(self, indices: Any) -> Any:
        if isinstance(indices, int):
            item = self.dataset[indices]
            return item if self.collate_fn is None else self.collate_fn(item)
        if self.collate_fn is None and hasattr(self.dataset, "batch"):
            return self.dataset.batch(as_tensor(indices) if isinstance(indices, list) else indices)
        if isinstance(indices, slice):
            indices = range(indices.start, indices.stop)
        elif isinstance(indices, Tensor):
            indices = indices.tolist()
        return (self.collate_fn or default_collate)([self.dataset[i] for i in indices])

    def state_dict(self) -> dict[str, Any]:
        epoch, position = self._running or (self.epoch, self._resume_at)
        return {"seed": self.seed, "epoch": epoch, "position": position}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The next iteration goes on from there."""
        self.seed = state_dict["seed"]
        self.epoch = state_dict["epoch"]
        self._resume_at = state_dict["position"]
        self._running = None


def default_collate(batch: list[Any]) -> Any:
    """Joins items: tensors and arrays are stacked, numbers become a tensor; tuples, lists and dicts go by element."""
    first = batch[0]
    if isinstance(first, Tensor):
        return stack(batch)
    if isinstance(first, np.ndarray | np.generic):
        return as_tensor(np.stack(batch))
    if isinstance(first, bool | int):
        return as_tensor(batch)
    if isinstance(first, float):
        return as_tensor(np.asarray(batch, dtype=np.float64))
    if isinstance(first, str | bytes):
        return batch
    if isinstance(first, Mapping):
        return {key: default_collate([item[key] for item in batch]) for key in first}
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return type(first)(*(default_collate(list(group)) for group in zip(*batch, strict=True)))
    if isinstance(first, tuple | list):
        if any(len(item) != len(first) for item in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return [default_collate(list(group)) for group in zip(*batch, strict=True)]
    raise TypeError(
        f"default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {type(first)}"
    )
