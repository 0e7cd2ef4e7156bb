"""Tables of rows by index."""

from __future__ import annotations

from typing import Any, Self

from weft._core import Tensor, empty
from weft._grad_mode import no_grad
from weft.nn import functional as F
from weft.nn import init
from weft.nn.module import Module
from weft.nn.parameter import Parameter


class _Table(Module):
    """weight: (num_embeddings, embedding_dim), N(0, 1), or `_weight`; the row `padding_idx` starts as zeros."""

    _name = ""

    def _setup(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None,
        weight: Tensor | None,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        if padding_idx is not None:
            if not -num_embeddings <= padding_idx < num_embeddings:
                raise ValueError(f"padding_idx must be within num_embeddings ({num_embeddings}), got {padding_idx}")
            padding_idx %= num_embeddings
        self.num_embeddings = num_embeddings
        self.embedding_dim = embedding_dim
        self.padding_idx = padding_idx
        if weight is None:
            self.weight = Parameter(empty(num_embeddings, embedding_dim, device=device, dtype=dtype))
            self.reset_parameters()
        elif tuple(weight.shape) != (num_embeddings, embedding_dim):
            raise ValueError(
                f"[{self._name}] expected a weight of shape {(num_embeddings, embedding_dim)}, got "
                f"{tuple(weight.shape)}"
            )
        else:
            self.weight = Parameter(weight)

    def reset_parameters(self) -> None:
        init.normal_(self.weight)
        if self.padding_idx is not None:
            with no_grad():
                self.weight[self.padding_idx].fill_(0)

    @classmethod
    def _over(cls, embeddings: Tensor, freeze: bool, **options: Any) -> Self:
        """A table over the memory of `embeddings` (num_embeddings, embedding_dim)."""
        if embeddings.dim() != 2:
            raise ValueError(f"[{cls._name}] expected embeddings of 2 dimensions, got {embeddings.dim()}")
        layer = cls(*embeddings.shape, _weight=embeddings, **options)
        layer.weight.requires_grad_(not freeze)
        return layer


class Embedding(_Table):
    """Rows of a table by index: (*) -> (*, embedding_dim). weight: (num_embeddings, embedding_dim), N(0, 1).

    The row `padding_idx` starts as zeros and gets no gradient. max_norm: rows that are used are first shortened to it.
    sparse: weight.grad holds the rows that were used, each once (`is_sparse`, `indices()`, `values()`,
    `to_dense()`), for SGD without momentum, SparseAdam and Adagrad, which then touch no other row of the table.
    """

    _name = "embedding"

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
        _weight: Tensor | None = None,
        _freeze: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._setup(num_embeddings, embedding_dim, padding_idx, _weight, device, dtype)
        if _freeze:
            self.weight.requires_grad_(False)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.sparse = sparse

    def forward(self, input: Tensor) -> Tensor:
        return F.embedding(
            input,
            self.weight,
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.sparse,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        sparse: bool = False,
    ) -> Embedding:
        """A table over the memory of `embeddings` (num_embeddings, embedding_dim)."""
        return cls._over(
            embeddings,
            freeze,
            padding_idx=padding_idx,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            sparse=sparse,
        )

    def extra_repr(self) -> str:
        parts = [f"{self.num_embeddings}, {self.embedding_dim}"]
        if self.padding_idx is not None:
            parts.append(f"padding_idx={self.padding_idx}")
        return ", ".join(parts + _options(self, sparse=self.sparse))


def _options(layer: Any, **more: Any) -> list[str]:
    """What differs from the default."""
    parts = [] if layer.max_norm is None else [f"max_norm={layer.max_norm}"]
    if layer.norm_type != 2:
        parts.append(f"norm_type={layer.norm_type}")
    if layer.scale_grad_by_freq:
        parts.append(f"scale_grad_by_freq={layer.scale_grad_by_freq}")
    return parts + [f"{name}={value!r}" for name, value in more.items() if value not in (False, None)]


class EmbeddingBag(_Table):
    """The sum, mean or maximum of the rows of each bag of indices; see functional.embedding_bag().

    input: (bags, ids), or (ids,) with `offsets`; result (bags, embedding_dim). sparse: as in Embedding.
    """

    _name = "embedding_bag"

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        _weight: Tensor | None = None,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        self._setup(num_embeddings, embedding_dim, padding_idx, _weight, device, dtype)
        self.max_norm = max_norm
        self.norm_type = norm_type
        self.scale_grad_by_freq = scale_grad_by_freq
        self.mode = mode
        self.sparse = sparse
        self.include_last_offset = include_last_offset

    def forward(self, input: Tensor, offsets: Tensor | None = None, per_sample_weights: Tensor | None = None) -> Tensor:
        return F.embedding_bag(
            input,
            self.weight,
            offsets,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
            self.mode,
            self.sparse,
            per_sample_weights,
            self.include_last_offset,
            self.padding_idx,
        )

    @classmethod
    def from_pretrained(
        cls,
        embeddings: Tensor,
        freeze: bool = True,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        scale_grad_by_freq: bool = False,
        mode: str = "mean",
        sparse: bool = False,
        include_last_offset: bool = False,
        padding_idx: int | None = None,
    ) -> EmbeddingBag:
        """A table over the memory of `embeddings` (num_embeddings, embedding_dim)."""
        return cls._over(
            embeddings,
            freeze,
            max_norm=max_norm,
            norm_type=norm_type,
            scale_grad_by_freq=scale_grad_by_freq,
            mode=mode,
            sparse=sparse,
            include_last_offset=include_last_offset,
            padding_idx=padding_idx,
        )

    def extra_repr(self) -> str:
        return ", ".join(
            [f"{self.num_embeddings}, {self.embedding_dim}"]
            + _options(self, mode=self.mode, padding_idx=self.padding_idx)
        )
