"""Written by tests/typing/stubs.py from the built module."""

# ruff: noqa
import builtins
from collections.abc import Callable, Iterator, Sequence
from typing import Any, SupportsFloat, SupportsIndex, overload

import numpy
import numpy.typing

from weft._size import Size

Operand = Any  # a tensor, a number, a NumPy scalar

class Generator:
    """A stream of random numbers: a seed and a position."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def get_state(self) -> Tensor:
        """The stream's seed and position as a uint8 tensor."""
    def initial_seed(self) -> builtins.int:
        """The seed of the stream."""
    def manual_seed(self, seed: Any) -> Generator:
        """Starts the stream of this seed. Returns the generator."""
    def seed(self) -> builtins.int:
        """Seeds from the system's entropy and returns the seed."""
    def set_state(self, new_state: Tensor) -> None:
        """Continues where get_state() was called."""

class Node:
    """An operation on the tape."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def name(self) -> str: ...
    @property
    def next_functions(self) -> tuple: ...

class RemovableHandle:
    """Takes a hook off again."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def remove(self) -> None: ...

class device:
    """Where memory is: weft.device('cpu'), weft.device('cuda:0')."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    @property
    def index(self) -> Any: ...
    @property
    def type(self) -> str: ...

class dtype:
    """An element type: weft.float32 and its like."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    @property
    def is_complex(self) -> builtins.bool: ...
    @property
    def is_floating_point(self) -> builtins.bool: ...
    @property
    def is_signed(self) -> builtins.bool: ...
    @property
    def itemsize(self) -> builtins.int: ...
    @property
    def name(self) -> str: ...

class memory_format:
    """How the elements of a tensor lie in memory."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def channels_last(*args: Any, **kwargs: Any) -> Any: ...
    def channels_last_3d(*args: Any, **kwargs: Any) -> Any: ...
    def contiguous_format(*args: Any, **kwargs: Any) -> Any: ...
    @property
    def name(self) -> str: ...
    def preserve_format(*args: Any, **kwargs: Any) -> Any: ...
    @property
    def value(self) -> builtins.int: ...

_dtype = dtype
_device = device

class Tensor:
    """Elements of one dtype on one device, with the tape of their making."""

    @property
    def T(self) -> Tensor: ...
    def __abs__(self) -> Tensor: ...
    def __add__(self, other: Operand, /) -> Tensor: ...
    def __and__(self, other: Operand, /) -> Tensor: ...
    def __array__(self, dtype: Any = None, copy: builtins.bool | None = None) -> numpy.ndarray: ...
    def __bool__(self) -> builtins.bool: ...
    def __contains__(self, element: Any, /) -> builtins.bool: ...
    def __deepcopy__(self, memo: Any, /) -> Tensor: ...
    def __divmod__(self, other: Operand, /) -> tuple[Tensor, Tensor]: ...
    def __eq__(self, other: Any, /) -> Tensor: ...  # type: ignore[override]
    def __float__(self) -> builtins.float: ...
    def __floordiv__(self, other: Operand, /) -> Tensor: ...
    def __ge__(self, other: Operand, /) -> Tensor: ...
    def __getitem__(self, index: Any, /) -> Tensor: ...
    def __gt__(self, other: Operand, /) -> Tensor: ...
    def __hash__(self) -> builtins.int: ...
    def __iadd__(self, other: Operand, /) -> Tensor: ...
    def __iand__(self, other: Operand, /) -> Tensor: ...
    def __ifloordiv__(self, other: Operand, /) -> Tensor: ...
    def __ilshift__(self, other: Operand, /) -> Tensor: ...
    def __imod__(self, other: Operand, /) -> Tensor: ...
    def __imul__(self, other: Operand, /) -> Tensor: ...
    def __index__(self) -> builtins.int: ...
    def __int__(self) -> builtins.int: ...
    def __invert__(self) -> Tensor: ...
    def __ior__(self, other: Operand, /) -> Tensor: ...
    def __ipow__(self, other: Operand, /) -> Tensor: ...
    def __irshift__(self, other: Operand, /) -> Tensor: ...
    def __isub__(self, other: Operand, /) -> Tensor: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __itruediv__(self, other: Operand, /) -> Tensor: ...
    def __ixor__(self, other: Operand, /) -> Tensor: ...
    def __le__(self, other: Operand, /) -> Tensor: ...
    def __len__(self) -> builtins.int: ...
    def __lshift__(self, other: Operand, /) -> Tensor: ...
    def __lt__(self, other: Operand, /) -> Tensor: ...
    def __matmul__(self, other: Operand, /) -> Tensor: ...
    def __mod__(self, other: Operand, /) -> Tensor: ...
    def __mul__(self, other: Operand, /) -> Tensor: ...
    def __ne__(self, other: Any, /) -> Tensor: ...  # type: ignore[override]
    def __neg__(self) -> Tensor: ...
    def __or__(self, other: Operand, /) -> Tensor: ...
    def __pos__(self) -> Tensor: ...
    def __pow__(self, other: Operand, /) -> Tensor: ...
    def __radd__(self, other: Operand, /) -> Tensor: ...
    def __rand__(self, other: Operand, /) -> Tensor: ...
    def __reversed__(self) -> Tensor: ...
    def __rfloordiv__(self, other: Operand, /) -> Tensor: ...
    def __rlshift__(self, other: Operand, /) -> Tensor: ...
    def __rmatmul__(self, other: Operand, /) -> Tensor: ...
    def __rmod__(self, other: Operand, /) -> Tensor: ...
    def __rmul__(self, other: Operand, /) -> Tensor: ...
    def __ror__(self, other: Operand, /) -> Tensor: ...
    def __rpow__(self, other: Operand, /) -> Tensor: ...
    def __rrshift__(self, other: Operand, /) -> Tensor: ...
    def __rshift__(self, other: Operand, /) -> Tensor: ...
    def __rsub__(self, other: Operand, /) -> Tensor: ...
    def __rtruediv__(self, other: Operand, /) -> Tensor: ...
    def __rxor__(self, other: Operand, /) -> Tensor: ...
    def __setitem__(self, index: Any, value: Any, /) -> None: ...
    def __sub__(self, other: Operand, /) -> Tensor: ...
    def __truediv__(self, other: Operand, /) -> Tensor: ...
    def __xor__(self, other: Operand, /) -> Tensor: ...
    def abs(self) -> Tensor: ...
    def abs_(self) -> Tensor: ...
    def absolute(self) -> Tensor: ...
    def absolute_(self) -> Tensor: ...
    def acos(self) -> Tensor: ...
    def acos_(self) -> Tensor: ...
    def acosh(self) -> Tensor: ...
    def acosh_(self) -> Tensor: ...
    def add(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def add_(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def addbmm(*args, **kwargs: Any) -> Tensor:
        """beta * input + alpha * the sum of all batch1[i] @ batch2[i].
        
        batch1: (b, n, m), batch2: (b, m, p); `input` broadcasts to (n, p), and beta = 0 ignores it."""
    def addbmm_(self, *args: Any, **kwargs: Any) -> Any:
        """addbmm() in place."""
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor: ...
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor: ...
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor: ...
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor: ...
    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0) -> Tensor:
        """beta * input + alpha * mat1 @ mat2 for matrices; `input` broadcasts to [m, n]. beta = 0 ignores it."""
    def addmm_(self, *args: Any, **kwargs: Any) -> Any:
        """addmm() in place."""
    def addmv(input, mat: Tensor, vec: Tensor, *, beta: builtins.float = ..., alpha: builtins.float = ...) -> Tensor:
        """beta * input + alpha * mat @ vec. mat: (n, m), vec: (m,); `input` broadcasts to (n,). beta = 0 ignores it."""
    def addmv_(self, *args: Any, **kwargs: Any) -> Any:
        """addmv() in place."""
    def addr(input, vec1: Tensor, vec2: Tensor, *, beta: builtins.float = ..., alpha: builtins.float = ...) -> Tensor:
        """beta * input + alpha * outer(vec1, vec2); `input` broadcasts to (n, m), and beta = 0 ignores it.
        
        Of bools the sum is "or" and the product "and"."""
    def addr_(self, *args: Any, **kwargs: Any) -> Any:
        """addr() in place."""
    @overload
    def all(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether all elements over `dim` are nonzero."""
    @overload
    def all(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def allclose(self, other: Tensor, rtol: builtins.float = 1e-05, atol: builtins.float = 1e-08, equal_nan: builtins.bool = False) -> builtins.bool:
        """True if isclose() holds everywhere."""
    @overload
    def amax(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Largest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""
    @overload
    def amax(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def amin(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Smallest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""
    @overload
    def amin(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def aminmax(input, *, dim: builtins.int | None = ..., keepdim: builtins.bool = ...) -> Any:
        """(min, max) over `dim`, or over all elements; the gradients are shared evenly among equals."""
    @overload
    def any(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether any element over `dim` is nonzero."""
    @overload
    def any(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def apply_(self, callable: Any) -> Tensor:
        """Each element replaced by a Python function of it, one by one: slow, and on the CPU alone."""
    def arccos(self) -> Tensor: ...
    def arccos_(self) -> Tensor: ...
    def arccosh(self) -> Tensor: ...
    def arccosh_(self) -> Tensor: ...
    def arcsin(self) -> Tensor: ...
    def arcsin_(self) -> Tensor: ...
    def arcsinh(self) -> Tensor: ...
    def arcsinh_(self) -> Tensor: ...
    def arctan(self) -> Tensor: ...
    def arctan2(self, other: Operand) -> Tensor: ...
    def arctan2_(self, other: Operand) -> Tensor: ...
    def arctan_(self) -> Tensor: ...
    def arctanh(self) -> Tensor: ...
    def arctanh_(self) -> Tensor: ...
    @overload
    def argmax(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the largest element along `dim` (or in the flattened tensor), the first of equals."""
    @overload
    def argmax(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def argmin(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the smallest element along `dim` (or in the flattened tensor), the first of equals."""
    @overload
    def argmin(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def argsort(self, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Tensor:
        """Where the elements in order are, along dim. Always stable."""
    @overload
    def argsort(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def argwhere(self) -> Tensor:
        """Indices of the elements that are not zero, a row each."""
    def as_strided(self, size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int, storage_offset: builtins.int | None = None) -> Tensor:
        """The tensor's memory read with other sizes and strides, which count elements; a view."""
    def as_strided_(self: Any, size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int, storage_offset: builtins.int | None = None) -> Any:
        """as_strided() in place."""
    def asin(self) -> Tensor: ...
    def asin_(self) -> Tensor: ...
    def asinh(self) -> Tensor: ...
    def asinh_(self) -> Tensor: ...
    def atan(self) -> Tensor: ...
    def atan2(self, other: Operand) -> Tensor: ...
    def atan2_(self, other: Operand) -> Tensor: ...
    def atan_(self) -> Tensor: ...
    def atanh(self) -> Tensor: ...
    def atanh_(self) -> Tensor: ...
    def backward(self: Any, gradient: Any | None = None, retain_graph: builtins.bool | None = None, create_graph: builtins.bool = False, inputs: Any | None = None) -> None:
        """Accumulates d(self)/d(leaf) into the .grad of every leaf that self was computed from. `gradient` weights self's elements and may be left out for one element. RuntimeError on a graph that was already used."""
    def baddbmm(self, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0) -> Tensor:
        """beta * input + alpha * batch1 @ batch2 for batches of matrices; `input` broadcasts to [b, m, n]."""
    def baddbmm_(self, *args: Any, **kwargs: Any) -> Any:
        """baddbmm() in place."""
    def bernoulli(self, p: builtins.float | None = None, *, generator: Generator | None = None) -> Tensor:
        """1 with probability p, by default with the one that the element states, else 0."""
    @overload
    def bernoulli_(self, p: builtins.float = 0.5, *, generator: Generator | None = None) -> Tensor:
        """Fills with 1 (probability p) and 0."""
    @overload
    def bernoulli_(self, p: Tensor, *, generator: Generator | None = None) -> Tensor: ...
    def bfloat16(self) -> Tensor: ...
    def bincount(input, weights: Tensor | None = ..., minlength: builtins.int = ...) -> Tensor:
        """How often each of the numbers 0, 1, ... comes in the integers [n], or the sums of their weights [n]."""
    def bitwise_and(self, other: Operand) -> Tensor: ...
    def bitwise_and_(self, other: Operand) -> Tensor: ...
    def bitwise_left_shift(self, other: Operand) -> Tensor: ...
    def bitwise_left_shift_(self, other: Operand) -> Tensor: ...
    def bitwise_not(self) -> Tensor: ...
    def bitwise_not_(self) -> Tensor: ...
    def bitwise_or(self, other: Operand) -> Tensor: ...
    def bitwise_or_(self, other: Operand) -> Tensor: ...
    def bitwise_right_shift(self, other: Operand) -> Tensor: ...
    def bitwise_right_shift_(self, other: Operand) -> Tensor: ...
    def bitwise_xor(self, other: Operand) -> Tensor: ...
    def bitwise_xor_(self, other: Operand) -> Tensor: ...
    def bmm(self, mat2: Tensor) -> Tensor:
        """[b, m, k] times [b, k, n]: [b, m, n]. No broadcasting. See matmul."""
    def bool(self) -> Tensor: ...
    def broadcast_to(self, shape: Sequence[builtins.int] | builtins.int) -> Tensor: ...
    def byte(self) -> Tensor: ...
    def cauchy_(self, median: builtins.float = ..., sigma: builtins.float = ..., *, generator: Any = ...) -> Tensor:
        """Fills with numbers of the Cauchy distribution."""
    def ceil(self) -> Tensor: ...
    def ceil_(self) -> Tensor: ...
    def char(self) -> Tensor: ...
    def chunk(self, chunks: builtins.int, dim: builtins.int = 0) -> tuple:
        """At most `chunks` pieces of equal size but the last; views."""
    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
    def clamp_max(self, max: Operand) -> Tensor: ...
    def clamp_max_(self, max: Operand) -> Tensor: ...
    def clamp_min(self, min: Operand) -> Tensor: ...
    def clamp_min_(self, min: Operand) -> Tensor: ...
    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
    def clip_(self, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
    def clone(self) -> Tensor:
        """A copy with memory of its own; the gradient passes through."""
    def coalesce(self: Any) -> Any:
        """Of a sparse tensor: itself, because no row is ever in it twice."""
    def contiguous(self, memory_format: memory_format = ...) -> Tensor:
        """The tensor itself if its memory is in that order (row-major by default), else a copy that is."""
    def copy_(self, src: Tensor, non_blocking: builtins.bool = False) -> Tensor:
        """Copies src into this tensor: broadcast, converted, from any device. In place."""
    def copysign(self, other: Operand) -> Tensor: ...
    def copysign_(self, other: Operand) -> Tensor: ...
    def corrcoef(input) -> Tensor:
        """Correlations of variables [n] or [variables, n]: cov() divided by the standard deviations."""
    def cos(self) -> Tensor: ...
    def cos_(self) -> Tensor: ...
    def cosh(self) -> Tensor: ...
    def cosh_(self) -> Tensor: ...
    @overload
    def count_nonzero(self, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
        """How many elements over `dim` are nonzero, as int64."""
    @overload
    def count_nonzero(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def cov(input, *, correction: builtins.int = ..., fweights: Tensor | None = ..., aweights: Tensor | None = ...) -> Tensor:
        """Covariances of variables [n] or [variables, n] over n observations, which fweights [n] (whole numbers) counts and
        aweights [n] weighs."""
    def cpu(self) -> Tensor: ...
    def cross(input, other: Tensor, dim: builtins.int | None = ...) -> Tensor:
        """Cross products along `dim`, of size 3; by default the first dimension of that size."""
    def cuda(self, device: builtins.int | None = None) -> Tensor: ...
    @overload
    def cummax(self, dim: builtins.int) -> Any:
        """(values, indices) of the extreme so far along dim; among equals, where it was last."""
    @overload
    def cummax(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def cummin(self, dim: builtins.int) -> Any:
        """(values, indices) of the extreme so far along dim; among equals, where it was last."""
    @overload
    def cummin(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def cumprod(self, dim: builtins.int, *, dtype: _dtype | None = None) -> Tensor:
        """Running products along dim. Integers give int64."""
    @overload
    def cumprod(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def cumprod_(self, dim: builtins.int, *, dtype: _dtype | None = ...) -> Tensor:
        """cumprod() in place."""
    @overload
    def cumsum(self, dim: builtins.int, *, dtype: _dtype | None = None) -> Tensor:
        """Running sums along dim. Integers give int64."""
    @overload
    def cumsum(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def cumsum_(self, dim: builtins.int, *, dtype: _dtype | None = ...) -> Tensor:
        """cumsum() in place."""
    @property
    def data(self) -> Tensor: ...
    @data.setter
    def data(self, value: Any) -> None: ...
    def data_ptr(self) -> builtins.int:
        """Address of the first element."""
    def deg2rad(input) -> Tensor:
        """Degrees as radians."""
    def deg2rad_(input) -> Tensor:
        """Degrees as radians."""
    def dense_dim(self) -> builtins.int:
        """dim() - sparse_dim()."""
    def detach(self) -> Tensor:
        """The same memory, off the tape."""
    def detach_(self: Any) -> Any:
        """Takes the tensor off the tape."""
    @property
    def device(self) -> _device: ...
    def diag(input, diagonal: builtins.int = ...) -> Tensor:
        """A matrix with a vector on its diagonal, or the diagonal of a matrix."""
    def diag_embed(self, offset: builtins.int = 0, dim1: builtins.int = -2, dim2: builtins.int = -1) -> Tensor:
        """Zeros whose diagonals are the last dimension of the input."""
    def diagflat(input, offset: builtins.int = ...) -> Tensor:
        """A matrix with all elements on its diagonal."""
    def diagonal(self, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int = 1) -> Tensor:
        """The diagonal of two dimensions as a new last one; a view."""
    def diagonal_scatter(self, src: Tensor, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int = 1) -> Tensor:
        """A copy with src in place of a diagonal."""
    def diff(input, n: builtins.int = ..., dim: builtins.int = ..., prepend: Tensor | None = ..., append: Tensor | None = ...) -> Tensor:
        """n times the differences of neighbours along dim, after joining `prepend` and `append`; of bools, whether they
        differ."""
    def dim(self) -> builtins.int:
        """Number of dimensions."""
    def dist(input, other: Tensor, p: builtins.float = ...) -> Tensor:
        """The p-norm of input - other, broadcast against each other."""
    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def div_(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def divide(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def divide_(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def dot(self, tensor: Tensor) -> Tensor:
        """Sum of the products of two vectors of one length: a tensor of no dimension."""
    def double(self) -> Tensor: ...
    def dsplit(input, indices_or_sections: builtins.int | Sequence[builtins.int]) -> tuple[Tensor, ...]:
        """tensor_split() along dimension 2, into equal parts or before each of the indices; views."""
    @property
    def dtype(self) -> _dtype: ...
    def element_size(self) -> builtins.int:
        """Bytes per element."""
    def eq(self, other: Operand) -> Tensor: ...
    def eq_(self, other: Operand) -> Tensor: ...
    def equal(self, other: Tensor) -> builtins.bool:
        """True if both have one shape and equal elements."""
    def erf(self) -> Tensor: ...
    def erf_(self) -> Tensor: ...
    def erfc(self) -> Tensor: ...
    def erfc_(self) -> Tensor: ...
    def erfinv(self) -> Tensor: ...
    def erfinv_(self) -> Tensor: ...
    def exp(self) -> Tensor: ...
    def exp2(self) -> Tensor: ...
    def exp2_(self) -> Tensor: ...
    def exp_(self) -> Tensor: ...
    def expand(self, *args: Any) -> Tensor:
        """Repeats dimensions of size 1 without copying; -1 keeps a size."""
    def expand_as(self, other: Tensor) -> Tensor: ...
    def expm1(self) -> Tensor: ...
    def expm1_(self) -> Tensor: ...
    def exponential_(self, lambd: builtins.float = ..., *, generator: Any = ...) -> Tensor:
        """Fills with numbers of density lambd * exp(-lambd * x)."""
    def fill_(self, value: Operand) -> Tensor:
        """Sets every element to a number or to a 0-dimensional tensor. In place."""
    def fill_diagonal_(self, fill_value: builtins.float, wrap: builtins.bool = ...) -> Tensor:
        """Sets the main diagonal (of all dimensions, which must then be equal); wrap: again below a tall matrix."""
    def fix(self) -> Tensor: ...
    def fix_(self) -> Tensor: ...
    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
        """Merges dimensions start_dim..end_dim into one."""
    @overload
    def flip(self, dims: Sequence[builtins.int] | builtins.int) -> Tensor:
        """The order of some dimensions reversed; a copy."""
    @overload
    def flip(self, *args: Any) -> Tensor: ...
    def fliplr(input) -> Tensor:
        """The second dimension reversed."""
    def flipud(input) -> Tensor:
        """The first dimension reversed."""
    def float(self) -> Tensor: ...
    def float_power(input, exponent: Tensor | builtins.float) -> Tensor:
        """input^exponent in float64."""
    def float_power_(input, exponent: Tensor | builtins.float) -> Tensor:
        """float_power() of a float64 tensor in place."""
    def floor(self) -> Tensor: ...
    def floor_(self) -> Tensor: ...
    def floor_divide(self, other: Operand) -> Tensor: ...
    def floor_divide_(self, other: Operand) -> Tensor: ...
    def fmax(self, other: Operand) -> Tensor: ...
    def fmax_(self, other: Operand) -> Tensor: ...
    def fmin(self, other: Operand) -> Tensor: ...
    def fmin_(self, other: Operand) -> Tensor: ...
    def fmod(self, other: Operand) -> Tensor: ...
    def fmod_(self, other: Operand) -> Tensor: ...
    def frac(self) -> Tensor: ...
    def frac_(self) -> Tensor: ...
    def gather(self, dim: builtins.int, index: Tensor) -> Tensor:
        """Elements of the input by an index along dim; the index has as many dimensions and gives the shape."""
    def gcd(self, other: Operand) -> Tensor: ...
    def gcd_(self, other: Operand) -> Tensor: ...
    def ge(self, other: Operand) -> Tensor: ...
    def ge_(self, other: Operand) -> Tensor: ...
    def geometric_(self, p: builtins.float, *, generator: Any = ...) -> Tensor:
        """Fills with the number of trials up to the first success, each of probability p."""
    def ger(input, vec2: Tensor) -> Tensor:
        """outer() under its older name."""
    def get_device(input) -> builtins.int:
        """The index of the GPU, -1 for the CPU."""
    @property
    def grad(self) -> Tensor | None: ...
    @grad.setter
    def grad(self, value: Any) -> None: ...
    @property
    def grad_fn(self) -> Node | None: ...
    def greater(self, other: Operand) -> Tensor: ...
    def greater_(self, other: Operand) -> Tensor: ...
    def greater_equal(self, other: Operand) -> Tensor: ...
    def greater_equal_(self, other: Operand) -> Tensor: ...
    def gt(self, other: Operand) -> Tensor: ...
    def gt_(self, other: Operand) -> Tensor: ...
    def half(self) -> Tensor: ...
    def hardshrink(self, lambd: builtins.float = 0.5) -> Tensor:
        """0 within [-lambd, lambd], else x."""
    def hardsigmoid(self) -> Tensor: ...
    def hardsigmoid_(self) -> Tensor: ...
    def hardswish(self) -> Tensor: ...
    def hardswish_(self) -> Tensor: ...
    def heaviside(input, values: Tensor) -> Tensor:
        """0 below zero, 1 above, `values` at it."""
    def heaviside_(input, values: Tensor) -> Tensor:
        """0 below zero, 1 above, `values` at it."""
    def histc(input, bins: builtins.int = ..., min: builtins.float = ..., max: builtins.float = ...) -> Tensor:
        """Counts of the elements in `bins` parts of equal width from min to max (both 0: those of the input)."""
    def hsplit(input, indices_or_sections: builtins.int | Sequence[builtins.int]) -> tuple[Tensor, ...]:
        """tensor_split() along dimension 1, into equal parts or before each of the indices; views."""
    def hypot(self, other: Operand) -> Tensor: ...
    def hypot_(self, other: Operand) -> Tensor: ...
    def index_add(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Operand = 1) -> Tensor:
        """The input with alpha * source added to its slices index along dim, in order."""
    def index_add_(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Operand = 1) -> Tensor:
        """The input with alpha * source added to its slices index along dim, in order."""
    def index_copy(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
        """The input with the slices of source in place of its slices index along dim."""
    def index_copy_(self, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
        """The input with the slices of source in place of its slices index along dim."""
    def index_fill(self, dim: builtins.int, index: Tensor, value: Operand) -> Tensor:
        """The input with one value in its slices index along dim."""
    def index_fill_(self, dim: builtins.int, index: Tensor, value: Operand) -> Tensor:
        """The input with one value in its slices index along dim."""
    def index_put(self, indices: Sequence, values: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """The input with x[indices] = values, or +=; indices: a tuple of integer or bool tensors."""
    def index_put_(self, indices: Sequence, values: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """The input with x[indices] = values, or +=; indices: a tuple of integer or bool tensors."""
    def index_select(self, dim: builtins.int, index: Tensor) -> Tensor:
        """The slices along dim that an index names."""
    def indices(self) -> Tensor:
        """Of a sparse tensor: which rows are there, ascending, as [1, n]."""
    def inner(input, other: Tensor) -> Tensor:
        """Sums of products along the last dimensions: (*a, k) and (*b, k) give (*a, *b). A number multiplies."""
    def int(self) -> Tensor: ...
    def is_coalesced(self) -> builtins.bool:
        """True for a sparse one."""
    def is_complex(input) -> builtins.bool:
        """False: there are no complex numbers here."""
    def is_contiguous(self, memory_format: memory_format = ...) -> builtins.bool:
        """True if the elements lie in that order (row-major by default) without gaps."""
    @property
    def is_cuda(self) -> builtins.bool: ...
    def is_floating_point(self) -> builtins.bool: ...
    def is_inference(self) -> builtins.bool:
        """True for a tensor made in inference mode."""
    @property
    def is_leaf(self) -> builtins.bool: ...
    def is_nonzero(input) -> builtins.bool:
        """Whether the only element is not zero. RuntimeError if there are more, or none."""
    def is_same_size(input, other: Tensor) -> builtins.bool:
        """Whether two tensors have one shape."""
    def is_signed(input) -> builtins.bool:
        """Whether the dtype has negative numbers."""
    @property
    def is_sparse(self) -> builtins.bool: ...
    def isclose(self, other: Tensor, rtol: builtins.float = 1e-05, atol: builtins.float = 1e-08, equal_nan: builtins.bool = False) -> Tensor:
        """Where |input - other| <= atol + rtol |other|."""
    def isfinite(self) -> Tensor: ...
    def isinf(self) -> Tensor: ...
    def isnan(self) -> Tensor: ...
    def isneginf(input) -> Tensor:
        """Where x is minus infinity."""
    def isposinf(input) -> Tensor:
        """Where x is infinity."""
    def isreal(input) -> Tensor:
        """True everywhere: there are no complex numbers."""
    def item(self) -> Any:
        """The only element as a Python number. RuntimeError if there are more."""
    @property
    def itemsize(self) -> builtins.int: ...
    def kron(input, other: Tensor) -> Tensor:
        """Kronecker product: every element of `input` times all of `other`, as blocks."""
    @overload
    def kthvalue(self, k: builtins.int, dim: builtins.int = -1, keepdim: builtins.bool = False) -> Any:
        """(values, indices) of the k-th smallest along dim, counted from 1."""
    @overload
    def kthvalue(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def lcm(input, other: Tensor) -> Tensor:
        """The least common multiple; 0 where one is 0."""
    def lcm_(input, other: Tensor) -> Tensor:
        """The least common multiple; 0 where one is 0."""
    def ldexp(input, other: Tensor) -> Tensor:
        """input * 2^other"""
    def ldexp_(input, other: Tensor) -> Tensor:
        """input * 2^other"""
    def le(self, other: Operand) -> Tensor: ...
    def le_(self, other: Operand) -> Tensor: ...
    def lerp(self, end: Tensor, weight: Operand) -> Tensor: ...
    def lerp_(self, end: Tensor, weight: Operand) -> Tensor: ...
    def less(self, other: Operand) -> Tensor: ...
    def less_(self, other: Operand) -> Tensor: ...
    def less_equal(self, other: Operand) -> Tensor: ...
    def less_equal_(self, other: Operand) -> Tensor: ...
    def log(self) -> Tensor: ...
    def log10(self) -> Tensor: ...
    def log10_(self) -> Tensor: ...
    def log1p(self) -> Tensor: ...
    def log1p_(self) -> Tensor: ...
    def log2(self) -> Tensor: ...
    def log2_(self) -> Tensor: ...
    def log_(self) -> Tensor: ...
    def log_normal_(self, mean: builtins.float = ..., std: builtins.float = ..., *, generator: Any = ...) -> Tensor:
        """Fills with exponentials of normal numbers of this mean and deviation."""
    @overload
    def log_softmax(self, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
        """log(softmax(x, dim)), computed without leaving the logarithm. See softmax."""
    @overload
    def log_softmax(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def logaddexp(self, other: Operand) -> Tensor: ...
    def logaddexp2(self, other: Operand) -> Tensor: ...
    def logaddexp2_(self, other: Operand) -> Tensor: ...
    def logaddexp_(self, other: Operand) -> Tensor: ...
    @overload
    def logcumsumexp(self, dim: builtins.int) -> Tensor:
        """Logarithms of the running sums of exp(x) along dim."""
    @overload
    def logcumsumexp(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def logical_and(self, other: Operand) -> Tensor: ...
    def logical_and_(self, other: Operand) -> Tensor: ...
    def logical_not(self) -> Tensor: ...
    def logical_not_(self) -> Tensor: ...
    def logical_or(self, other: Operand) -> Tensor: ...
    def logical_or_(self, other: Operand) -> Tensor: ...
    def logical_xor(self, other: Operand) -> Tensor: ...
    def logical_xor_(self, other: Operand) -> Tensor: ...
    def logit(self, eps: builtins.float | None = None) -> Tensor: ...
    def logit_(self, eps: builtins.float | None = None) -> Tensor: ...
    def logsigmoid(self) -> Tensor: ...
    def logsigmoid_(self) -> Tensor: ...
    @overload
    def logsumexp(self, dim: Sequence[builtins.int] | builtins.int, keepdim: builtins.bool = False) -> Tensor:
        """log(sum(exp(x))) over `dim` (an axis or several), without overflow. Integers become floating."""
    @overload
    def logsumexp(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def long(self) -> Tensor: ...
    def lt(self, other: Operand) -> Tensor: ...
    def lt_(self, other: Operand) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    def map_(self, tensor: Tensor, callable: Any) -> Tensor:
        """Each element replaced by a Python function of it and of another tensor's: slow, and on the CPU alone."""
    def masked_fill(self, mask: Tensor, value: Operand) -> Tensor:
        """A copy with `value` where the mask holds."""
    def masked_fill_(self, mask: Tensor, value: Operand) -> Tensor: ...
    def masked_scatter(input, mask: Tensor, source: Tensor) -> Tensor:
        """The input with the first elements of source, in order, where a mask is true."""
    def masked_scatter_(self, mask: Tensor, source: Tensor) -> Tensor:
        """masked_scatter() in place."""
    def masked_select(self, mask: Tensor) -> Tensor:
        """The elements where a mask is true, in order."""
    def matmul(self, other: Tensor) -> Tensor:
        """Matrix product of [..., m, k] and [..., k, n]: [..., m, n], with broadcasting over the leading dimensions.
        A vector counts as a row on the left and as a column on the right, and its dimension goes again.
        RuntimeError unless the sum's lengths, the dtypes and the devices agree."""
    @overload
    def max(self) -> Tensor:
        """The extreme element, as a scalar."""
    @overload
    def max(self, other: Tensor) -> Tensor:
        """Of two tensors, element by element."""
    @overload
    def max(self, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
        """Along `dim`: a named tuple (values, indices), the first position among equals."""
    @overload
    def max(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def maximum(self, other: Operand) -> Tensor: ...
    def maximum_(self, other: Operand) -> Tensor: ...
    @overload
    def mean(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None) -> Tensor:
        """Mean over `dim` (an axis, several, or None for all). Floating dtypes only."""
    @overload
    def mean(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def median(self) -> Tensor:
        """The median of all elements, the lower one of two."""
    @overload
    def median(self, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
        """(values, indices) of the medians along dim, the lower ones of two."""
    @overload
    def median(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def min(self) -> Tensor:
        """The extreme element, as a scalar."""
    @overload
    def min(self, other: Tensor) -> Tensor:
        """Of two tensors, element by element."""
    @overload
    def min(self, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
        """Along `dim`: a named tuple (values, indices), the first position among equals."""
    @overload
    def min(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def minimum(self, other: Operand) -> Tensor: ...
    def minimum_(self, other: Operand) -> Tensor: ...
    def mish(self) -> Tensor: ...
    def mish_(self) -> Tensor: ...
    def mm(self, mat2: Tensor) -> Tensor:
        """[m, k] times [k, n]: [m, n]. No broadcasting. See matmul."""
    @overload
    def mode(self, dim: builtins.int = -1, keepdim: builtins.bool = False) -> Any:
        """(values, indices) of the most frequent along dim: the least of several, where it is last."""
    @overload
    def mode(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def moveaxis(self, source: Sequence[builtins.int] | builtins.int, destination: Sequence[builtins.int] | builtins.int) -> Tensor:
        """Moves dimensions to new places; a view."""
    def movedim(self, source: Sequence[builtins.int] | builtins.int, destination: Sequence[builtins.int] | builtins.int) -> Tensor:
        """Moves dimensions to new places; a view."""
    def msort(input) -> Tensor:
        """The elements in order along the first dimension."""
    def mul(self, other: Operand) -> Tensor: ...
    def mul_(self, other: Operand) -> Tensor: ...
    def multinomial(self, num_samples: builtins.int, replacement: builtins.bool = False, *, generator: Generator | None = None) -> Tensor:
        """Indices drawn with probabilities proportional to the weights, a vector or rows of them."""
    def multiply(self, other: Operand) -> Tensor: ...
    def multiply_(self, other: Operand) -> Tensor: ...
    def mv(self, vec: Tensor) -> Tensor:
        """[m, k] times [k]: [m]. See matmul."""
    def nan_to_num(self, nan: builtins.float | None = None, posinf: builtins.float | None = None, neginf: builtins.float | None = None) -> Tensor: ...
    def nan_to_num_(self, nan: builtins.float | None = None, posinf: builtins.float | None = None, neginf: builtins.float | None = None) -> Tensor: ...
    def nanmean(input, dim: builtins.int | Sequence[builtins.int] | None = ..., keepdim: builtins.bool = ..., *, dtype: _dtype | None = ...) -> Tensor:
        """Mean over `dim` (all by default) of the elements that are not NaN; NaN where there are none."""
    @overload
    def nanmedian(self) -> Tensor:
        """The median of all elements, the lower one of two."""
    @overload
    def nanmedian(self, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
        """(values, indices) of the medians along dim, the lower ones of two."""
    @overload
    def nanmedian(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def nanquantile(*args, **kwargs: Any) -> Tensor:
        """quantile() of the elements that are not NaN."""
    def nansum(input, dim: builtins.int | Sequence[builtins.int] | None = ..., keepdim: builtins.bool = ..., *, dtype: _dtype | None = ...) -> Tensor:
        """Sum over `dim` (all by default) with NaN counted as 0."""
    def narrow(self, dim: builtins.int, start: Any, length: builtins.int) -> Tensor:
        """A stretch of one dimension; a view."""
    @property
    def nbytes(self) -> builtins.int: ...
    @property
    def ndim(self) -> builtins.int: ...
    def ndimension(self) -> builtins.int:
        """Number of dimensions."""
    def ne(self, other: Operand) -> Tensor: ...
    def ne_(self, other: Operand) -> Tensor: ...
    def neg(self) -> Tensor: ...
    def neg_(self) -> Tensor: ...
    def negative(self) -> Tensor: ...
    def negative_(self) -> Tensor: ...
    def nelement(self) -> builtins.int:
        """Number of elements."""
    def new_empty(self, *args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor: ...
    def new_empty_strided(self, size: Sequence[builtins.int], stride: Sequence[builtins.int], dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ...) -> Tensor:
        """empty_strided() with the tensor's dtype and device, unless given."""
    def new_full(self, size: Sequence[builtins.int], fill_value: builtins.float, *, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ...) -> Tensor:
        """full() with the tensor's dtype and device, unless given."""
    def new_ones(self, *args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor: ...
    def new_tensor(self, data: Any, *, dtype: Any = ..., device: Any = ..., requires_grad: builtins.bool = ...) -> Tensor:
        """tensor() with the tensor's dtype and device, unless given; always a copy."""
    def new_zeros(self, *args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor: ...
    def nonzero(self, *, as_tuple: builtins.bool = False) -> Any:
        """Indices of the elements that are not zero: a row each, or a tensor for each dimension."""
    @overload
    def norm(self, p: Any = 'fro', dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False, dtype: _dtype | None = None) -> Tensor:
        """Vector norm of order p over `dim` (all by default): sum(|x|^p)^(1/p); 'fro' is 2, inf the largest, 0 counts."""
    @overload
    def norm(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def normal_(self, mean: builtins.float = 0.0, std: builtins.float = 1.0, *, generator: Generator | None = None) -> Tensor:
        """Fills with normal numbers."""
    def not_equal(self, other: Operand) -> Tensor: ...
    def not_equal_(self, other: Operand) -> Tensor: ...
    def numel(self) -> builtins.int:
        """Number of elements."""
    def numpy(self, *, force: builtins.bool = False) -> Any:
        """A NumPy array over the same memory. TypeError for bfloat16 or a GPU tensor and RuntimeError for one that requires grad, unless force=True, which detaches and copies (bfloat16 as float32)."""
    def outer(self, vec2: Tensor) -> Tensor:
        """[m] and [n]: [m, n], each with each."""
    def permute(self, *args: Any) -> Tensor: ...
    def poisson(input, generator: Any = ...) -> Tensor:
        """Numbers of events where the input says how many to expect."""
    def positive(self) -> Tensor:
        """input itself, unless it is of bools."""
    def pow(self, other: Operand) -> Tensor: ...
    def pow_(self, other: Operand) -> Tensor: ...
    def prelu(self, weight: Tensor) -> Tensor:
        """input where positive, else weight * input; one weight, or one per channel (dimension 1)."""
    @overload
    def prod(self, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None) -> Tensor:
        """Product over one axis, or over all. Integers and bool multiply in int64."""
    @overload
    def prod(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def put(self, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
        """The input with the elements index of its flattened form replaced by, or added to, those of source."""
    def put_(self, index: Tensor, source: Tensor, accumulate: builtins.bool = ...) -> Tensor:
        """put() in place."""
    def quantile(*args, **kwargs: Any) -> Tensor:
        """The values below which the fractions q (a number, or several: a new first dimension) of the elements lie, along
        dim or of all. Interpolation between neighbours: linear, lower, higher, nearest or midpoint. NaN if there is one."""
    def rad2deg(input) -> Tensor:
        """Radians as degrees."""
    def rad2deg_(input) -> Tensor:
        """Radians as degrees."""
    def random_(self, *args: Any, **kwargs: Any) -> Tensor:
        """Fills with integers in [from, to); to: one more than the dtype holds exactly."""
    def ravel(self) -> Tensor:
        """One dimension, a view where possible."""
    def reciprocal(self) -> Tensor: ...
    def reciprocal_(self) -> Tensor: ...
    def register_hook(self, hook: Any) -> RemovableHandle:
        """Calls hook(grad) during backward; what it returns, if not None, replaces the gradient."""
    def register_post_accumulate_grad_hook(self, hook: Any) -> RemovableHandle:
        """Calls hook(tensor) each time that backward has added to a leaf's .grad."""
    def relu(self) -> Tensor: ...
    def relu6(self) -> Tensor: ...
    def relu6_(self) -> Tensor: ...
    def relu_(self) -> Tensor: ...
    def remainder(self, other: Operand) -> Tensor: ...
    def remainder_(self, other: Operand) -> Tensor: ...
    def renorm(input, p: builtins.float, dim: builtins.int, maxnorm: builtins.float) -> Tensor:
        """Every slice along `dim` whose p-norm is above maxnorm is scaled down to it."""
    def renorm_(self, p: builtins.float, dim: builtins.int, maxnorm: builtins.float) -> Tensor:
        """renorm() in place."""
    def repeat(self, *sizes: builtins.int) -> Tensor:
        """Repeated sizes[d] times along dimension d; further sizes at the front make new dimensions."""
    def repeat_interleave(input, repeats: Tensor | builtins.int | None = ..., dim: builtins.int | None = ..., *, output_size: builtins.int | None = ...) -> Tensor:
        """Each slice along dim (each element, without dim) repeated, all as often or each as `repeats` says.
        
        repeat_interleave(repeats) alone gives the indices. output_size is the sum of repeats, where that is known."""
    @property
    def requires_grad(self) -> builtins.bool: ...
    @requires_grad.setter
    def requires_grad(self, value: Any) -> None: ...
    def requires_grad_(self: Any, requires_grad: builtins.bool = True) -> Any:
        """Sets requires_grad in place."""
    def reshape(self, *args: Any) -> Tensor: ...
    def reshape_as(self, other: Tensor) -> Tensor: ...
    def resize_(self: Any, *args: Any) -> Any:
        """Other sizes over the same memory, of which there is more where it does not suffice. What is new is not set."""
    def retain_grad(self) -> None:
        """Keeps .grad of a tensor that is not a leaf."""
    @property
    def retains_grad(self) -> builtins.bool: ...
    def roll(input, shifts: builtins.int | Sequence[builtins.int], dims: builtins.int | Sequence[builtins.int] | None = ...) -> Tensor:
        """Elements moved on by `shifts` along `dims`, the last ones to the front; flattened meanwhile without dims."""
    def rot90(input, k: builtins.int = ..., dims: Sequence[builtins.int] = ...) -> Tensor:
        """Turned k times by 90 degrees, from the first towards the second of two dimensions."""
    def round(self, *, decimals: builtins.int = 0) -> Tensor: ...
    def round_(self, *, decimals: builtins.int = 0) -> Tensor: ...
    def rsqrt(self) -> Tensor: ...
    def rsqrt_(self) -> Tensor: ...
    @overload
    def scatter(self, dim: builtins.int, index: Tensor, src: Tensor, *, reduce: str | None = None) -> Tensor:
        """The input with elements, named by an index along dim, replaced by those of src or by one value, or with reduce 'add' or 'multiply' combined with them."""
    @overload
    def scatter(self, dim: builtins.int, index: Tensor, value: builtins.float, *, reduce: str | None = None) -> Tensor: ...
    @overload
    def scatter_(self, dim: builtins.int, index: Tensor, src: Tensor, *, reduce: str | None = None) -> Tensor:
        """The input with elements, named by an index along dim, replaced by those of src or by one value, or with reduce 'add' or 'multiply' combined with them."""
    @overload
    def scatter_(self, dim: builtins.int, index: Tensor, value: builtins.float, *, reduce: str | None = None) -> Tensor: ...
    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """The input with the elements of src added where an index along dim says, in order."""
    def scatter_add_(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """The input with the elements of src added where an index along dim says, in order."""
    def scatter_reduce(input, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = ...) -> Tensor:
        """The input combined with the elements of src that an index along dim sends to each place.
        
        reduce: "sum", "prod", "mean", "amax" or "amin". include_self=False: places that get any forget what they held."""
    def scatter_reduce_(self, dim: builtins.int, index: Tensor, src: Tensor, reduce: str, *, include_self: builtins.bool = ...) -> Tensor:
        """scatter_reduce() in place."""
    def select(self, dim: builtins.int, index: builtins.int) -> Tensor:
        """One index of one dimension; a view."""
    def select_scatter(self, src: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
        """A copy with src in place of one index of a dimension."""
    def selu(self) -> Tensor: ...
    def selu_(self) -> Tensor: ...
    def sgn(self) -> Tensor: ...
    def sgn_(self) -> Tensor: ...
    @property
    def shape(self) -> Size: ...
    def short(self) -> Tensor: ...
    def sigmoid(self) -> Tensor: ...
    def sigmoid_(self) -> Tensor: ...
    def sign(self) -> Tensor: ...
    def sign_(self) -> Tensor: ...
    def signbit(self) -> Tensor: ...
    def silu(self) -> Tensor: ...
    def silu_(self) -> Tensor: ...
    def sin(self) -> Tensor: ...
    def sin_(self) -> Tensor: ...
    def sinc(input) -> Tensor:
        """sin(pi x) / (pi x), 1 at 0."""
    def sinc_(input) -> Tensor:
        """sin(pi x) / (pi x), 1 at 0."""
    def sinh(self) -> Tensor: ...
    def sinh_(self) -> Tensor: ...
    def size(self, dim: builtins.int | None = None) -> Any:
        """All sizes, or one."""
    def slice_scatter(self, src: Tensor, dim: builtins.int = 0, start: builtins.int | None = None, end: builtins.int | None = None, step: builtins.int = 1) -> Tensor:
        """A copy with src in place of a slice."""
    @overload
    def softmax(self, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`: same shape, each slice sums to 1. `dtype` converts the input first.
        IndexError if there is no such dim; NotImplementedError for integers."""
    @overload
    def softmax(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def sort(self, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any:
        """(values, indices) in order along dim. Always stable; NaN counts as greatest."""
    @overload
    def sort(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def sparse_dim(self) -> builtins.int:
        """1 for a sparse tensor, 0 otherwise."""
    def split(self, split_size: Any, dim: builtins.int = 0) -> tuple:
        """Pieces of split_size (the last may be smaller), or of the sizes given; views."""
    def split_with_sizes(self, split_sizes: Sequence[builtins.int], dim: builtins.int = 0) -> tuple:
        """Pieces of these sizes; views."""
    def sqrt(self) -> Tensor: ...
    def sqrt_(self) -> Tensor: ...
    def square(self) -> Tensor: ...
    def square_(self) -> Tensor: ...
    def squeeze(self, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
        """Drops dimensions of size 1 (all, or those given)."""
    def squeeze_(self: Any, dim: Sequence[builtins.int] | builtins.int | None = None) -> Any:
        """squeeze() in place."""
    @overload
    def std(self, unbiased: builtins.bool) -> Tensor:
        """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""
    @overload
    def std(self, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> Tensor:
        """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""
    @overload
    def std(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def std_mean(self, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
        """(std(x, …), mean(x, …))"""
    @overload
    def std_mean(self, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> tuple[Tensor, Tensor]:
        """(std(x, …), mean(x, …))"""
    @overload
    def std_mean(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def storage_offset(self) -> builtins.int:
        """First element's place in its buffer."""
    def stride(self, dim: builtins.int | None = None) -> Any:
        """Steps between neighbours, in elements."""
    def sub(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def sub_(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def subtract(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def subtract_(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    @overload
    def sum(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None) -> Tensor:
        """Sum over `dim` (an axis, several, or None for all). Integers and bool add up in int64; `dtype` converts first."""
    @overload
    def sum(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def sum_to_size(self, *size: builtins.int) -> Tensor:
        """Sums over the dimensions that broadcasting `size` to the tensor's shape would repeat."""
    def swapaxes(self, axis0: builtins.int, axis1: builtins.int) -> Tensor:
        """Alias of transpose."""
    def swapaxes_(self: Any, dim0: builtins.int, dim1: builtins.int) -> Any:
        """transpose() in place."""
    def swapdims(self, axis0: builtins.int, axis1: builtins.int) -> Tensor:
        """Alias of transpose."""
    def swapdims_(self: Any, dim0: builtins.int, dim1: builtins.int) -> Any:
        """transpose() in place."""
    def t(self) -> Tensor:
        """Transpose of a matrix; a view."""
    def t_(self: Any) -> Any:
        """t() in place."""
    def take(self, index: Tensor) -> Tensor:
        """Elements of the flattened input; the result has the index's shape."""
    def take_along_dim(self, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
        """gather() with broadcasting; of the flattened input without dim."""
    def tan(self) -> Tensor: ...
    def tan_(self) -> Tensor: ...
    def tanh(self) -> Tensor: ...
    def tanh_(self) -> Tensor: ...
    @overload
    def tensor_split(self, indices_or_sections: Any, dim: builtins.int = 0) -> tuple: ...
    @overload
    def tensor_split(self, sections: Any, dim: builtins.int = 0) -> tuple: ...
    @overload
    def tensor_split(self, indices: Any, dim: builtins.int = 0) -> tuple: ...
    def tile(input, *dims: builtins.int) -> Tensor:
        """repeat() with ones in front of `dims` where those are too few."""
    def to(self, *args: Any, device: _device | None = None, dtype: _dtype | None = None, copy: builtins.bool = False, memory_format: memory_format | None = None) -> Tensor:
        """The tensor with another dtype and on another device: to(dtype), to(device), to(device, dtype), to(other), and in
        another memory format: to(memory_format=weft.channels_last). The tensor itself if nothing changes and copy is
        False."""
    def to_dense(self, dtype: _dtype | None = None) -> Tensor:
        """All rows, zeros where a sparse tensor has none; a dense one is returned itself."""
    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
    @overload
    def topk(self, k: builtins.int, dim: builtins.int = -1, largest: builtins.bool = True, sorted: builtins.bool = True) -> Any:
        """(values, indices) of the k largest or smallest along dim, in order; of equal ones the first."""
    @overload
    def topk(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def trace(*args, **kwargs: Any) -> Tensor:
        """Sum of the diagonal of a matrix."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Swaps two dimensions; a view."""
    def transpose_(self: Any, dim0: builtins.int, dim1: builtins.int) -> Any:
        """transpose() in place."""
    def tril(self, diagonal: builtins.int = 0) -> Tensor:
        """The lower triangle of matrices, up to a diagonal (0: the main one); the rest is 0."""
    def tril_(self, diagonal: builtins.int = ...) -> Tensor:
        """tril() in place."""
    def triu(self, diagonal: builtins.int = 0) -> Tensor:
        """The upper triangle of matrices, from a diagonal (0: the main one); the rest is 0."""
    def triu_(self, diagonal: builtins.int = ...) -> Tensor:
        """triu() in place."""
    def true_divide(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def true_divide_(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def trunc(self) -> Tensor: ...
    def trunc_(self) -> Tensor: ...
    def type(self, *args: Any, device: _device | None = None, dtype: _dtype | None = None, copy: builtins.bool = False, memory_format: memory_format | None = None) -> Tensor:
        """The tensor with another dtype."""
    def type_as(self, other: Tensor) -> Tensor:
        """The tensor with the dtype and on the device of another."""
    def unbind(self, dim: builtins.int = 0) -> tuple:
        """All indices of one dimension, as a tuple of views."""
    def unflatten(self, dim: builtins.int, sizes: Sequence[builtins.int] | builtins.int) -> Tensor:
        """Splits one dimension into several."""
    def unfold(self, dimension: builtins.int, size: builtins.int, step: builtins.int) -> Tensor:
        """Windows of `size` elements along a dimension, `step` apart, as a new last dimension; a view."""
    def uniform_(self, *args: Any, **kwargs: Any) -> Tensor:
        """Fills with uniform numbers in [from, to)."""
    def unique(input, sorted: builtins.bool = ..., return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ...) -> Tensor | tuple[Tensor, ...]:
        """The distinct elements in order, or the distinct slices along dim; on request with where each element is among
        them, and how often each comes."""
    def unique_consecutive(input, return_inverse: builtins.bool = ..., return_counts: builtins.bool = ..., dim: builtins.int | None = ...) -> Tensor | tuple[Tensor, ...]:
        """unique() of runs: the first of every run of equal elements or slices."""
    def unsafe_chunk(self, chunks: builtins.int, dim: builtins.int = 0) -> tuple:
        """At most `chunks` pieces of equal size but the last; views."""
    def unsafe_split(self, split_size: Any, dim: builtins.int = 0) -> tuple:
        """Pieces of split_size (the last may be smaller), or of the sizes given; views."""
    def unsafe_split_with_sizes(self, split_sizes: Sequence[builtins.int], dim: builtins.int = 0) -> tuple:
        """Pieces of these sizes; views."""
    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """A new dimension of size 1."""
    def unsqueeze_(self: Any, dim: builtins.int) -> Any:
        """unsqueeze() in place."""
    def values(self) -> Tensor:
        """Of a sparse tensor: its rows [n, columns], in the order of indices(); not a copy."""
    @overload
    def var(self, unbiased: builtins.bool) -> Tensor:
        """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""
    @overload
    def var(self, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> Tensor:
        """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""
    @overload
    def var(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    @overload
    def var_mean(self, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
        """(var(x, …), mean(x, …))"""
    @overload
    def var_mean(self, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> tuple[Tensor, Tensor]:
        """(var(x, …), mean(x, …))"""
    @overload
    def var_mean(*args: Any, **kwargs: Any) -> Any:
        """The same with NumPy's names axis and keepdims."""
    def vdot(input, other: Tensor) -> Tensor:
        """The sum of the products of two vectors."""
    @overload
    def view(self, dtype: _dtype) -> Tensor:
        """The same bytes read as another dtype of the same size; off the tape."""
    @overload
    def view(self, *args: Any) -> Tensor:
        """As reshape, but never copies: RuntimeError where no view can do it."""
    def view_as(self, other: Tensor) -> Tensor: ...
    def vsplit(input, indices_or_sections: builtins.int | Sequence[builtins.int]) -> tuple[Tensor, ...]:
        """tensor_split() along dimension 0, into equal parts or before each of the indices; views."""
    def where(self, condition: Tensor, other: Operand) -> Tensor: ...
    def xlogy(self, other: Operand) -> Tensor: ...
    def xlogy_(self, other: Operand) -> Tensor: ...
    def zero_(self) -> Tensor:
        """Sets every element to zero. In place."""

def abs(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def abs_(input: Tensor) -> Tensor: ...
def absolute(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def absolute_(input: Tensor) -> Tensor: ...
def acos(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def acos_(input: Tensor) -> Tensor: ...
def acosh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def acosh_(input: Tensor) -> Tensor: ...
def adaptive_avg_pool1d(input: Tensor, output_size: Any) -> Tensor:
    """Mean over output_size windows of [N, C, L] or [C, L]; see adaptive_avg_pool2d."""
def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Mean over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to
    ceil((i+1) H / out). None in output_size keeps that axis."""
def adaptive_avg_pool3d(input: Tensor, output_size: Any) -> Tensor:
    """Mean over output_size windows of [.., D, H, W]; see adaptive_avg_pool2d."""
def adaptive_max_pool1d(input: Tensor, output_size: Any, return_indices: builtins.bool = False) -> Any:
    """Maximum over output_size windows of [N, C, L] or [C, L]; see adaptive_max_pool2d."""
def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: builtins.bool = False) -> Any:
    """Maximum over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to
    ceil((i+1) H / out). None in output_size keeps that axis."""
def adaptive_max_pool3d(input: Tensor, output_size: Any, return_indices: builtins.bool = False) -> Any:
    """Maximum over output_size windows of [.., D, H, W]; see adaptive_max_pool2d."""
def add(input: Operand, other: Operand, *, alpha: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input plus (minus) alpha * other."""
def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input + value * tensor1 * tensor2 (addcdiv: / tensor2)."""
def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input + value * tensor1 * tensor2 (addcdiv: / tensor2)."""
def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0) -> Tensor:
    """beta * input + alpha * mat1 @ mat2 for matrices; `input` broadcasts to [m, n]. beta = 0 ignores it."""
@overload
def all(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Whether all elements over `dim` are nonzero."""
@overload
def all(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def allclose(input: Tensor, other: Tensor, rtol: builtins.float = 1e-05, atol: builtins.float = 1e-08, equal_nan: builtins.bool = False) -> builtins.bool:
    """True if isclose() holds everywhere."""
@overload
def amax(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Largest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""
@overload
def amax(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def amin(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Smallest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""
@overload
def amin(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def any(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Whether any element over `dim` is nonzero."""
@overload
def any(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def arange(start: Any = 0, end: Any | None = None, step: Any = 1, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """Values from start (0) up to, not including, end. int64 if all arguments are ints, else float32."""
def arccos(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def arccos_(input: Tensor) -> Tensor: ...
def arccosh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def arccosh_(input: Tensor) -> Tensor: ...
def arcsin(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def arcsin_(input: Tensor) -> Tensor: ...
def arcsinh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def arcsinh_(input: Tensor) -> Tensor: ...
def arctan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def arctan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def arctan_(input: Tensor) -> Tensor: ...
def arctanh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def arctanh_(input: Tensor) -> Tensor: ...
@overload
def argmax(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Position of the largest element along `dim` (or in the flattened tensor), the first of equals."""
@overload
def argmax(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def argmin(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Position of the smallest element along `dim` (or in the flattened tensor), the first of equals."""
@overload
def argmin(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def argsort(input: Tensor, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Tensor:
    """Where the elements in order are, along dim. Always stable."""
@overload
def argsort(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def argwhere(input: Tensor) -> Tensor:
    """Indices of the elements that are not zero, a row each."""
def as_strided(input: Tensor, size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int, storage_offset: builtins.int | None = None) -> Tensor:
    """The tensor's memory read with other sizes and strides, which count elements; a view."""
def as_tensor(data: Any, dtype: _dtype | None = None, device: _device | None = None) -> Tensor:
    """As tensor(), but shares memory with a NumPy array or tensor where nothing has to change."""
def asin(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def asin_(input: Tensor) -> Tensor: ...
def asinh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def asinh_(input: Tensor) -> Tensor: ...
def atan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def atan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def atan_(input: Tensor) -> Tensor: ...
def atanh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def atanh_(input: Tensor) -> Tensor: ...
def autocast_decrement_nesting() -> builtins.int:
    """Leaves a region: how many are left."""
def autocast_increment_nesting() -> builtins.int:
    """Enters a region: how many there are now."""
def avg_pool1d(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int | None = None, padding: Sequence[builtins.int] | builtins.int = 0, ceil_mode: builtins.bool = False, count_include_pad: builtins.bool = True) -> Tensor:
    """Mean over windows of [N, C, L] or [C, L]; see avg_pool2d."""
def avg_pool2d(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int | None = None, padding: Sequence[builtins.int] | builtins.int = 0, ceil_mode: builtins.bool = False, count_include_pad: builtins.bool = True, divisor_override: builtins.int | None = None) -> Tensor:
    """Mean over windows of [N, C, H, W] or [C, H, W]. The divisor is the window's size with the zero padding,
    or without it (count_include_pad=False), or divisor_override."""
def avg_pool3d(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int | None = None, padding: Sequence[builtins.int] | builtins.int = 0, ceil_mode: builtins.bool = False, count_include_pad: builtins.bool = True, divisor_override: builtins.int | None = None) -> Tensor:
    """Mean over windows of [N, C, D, H, W] or [C, D, H, W]; see avg_pool2d."""
def baddbmm(input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0) -> Tensor:
    """beta * input + alpha * batch1 @ batch2 for batches of matrices; `input` broadcasts to [b, m, n]."""
def batch_norm(input: Tensor, running_mean: Tensor | None, running_var: Tensor | None, weight: Tensor | None = None, bias: Tensor | None = None, training: builtins.bool = False, momentum: builtins.float = 0.1, eps: builtins.float = 1e-05) -> Tensor:
    """Shifts and scales each channel of [N, C, ...] to mean 0 and variance 1, then y * weight + bias. When training, by
    the statistics of the batch, which also move running_mean and running_var (unbiased variance) in place by
    `momentum`; else by the running statistics. ValueError for a single value per channel in training.
    Ioffe, Szegedy, Batch Normalization, 2015."""
def bernoulli(input: Tensor, p: builtins.float | None = None, *, generator: Generator | None = None) -> Tensor:
    """1 with probability p, by default with the one that the element states, else 0."""
def binary_cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: builtins.bool | None = None, reduce: builtins.bool | None = None, reduction: str = 'mean') -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)); the logarithms stop at -100. RuntimeError for an input
    outside [0, 1]."""
def binary_cross_entropy_with_logits(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: builtins.bool | None = None, reduce: builtins.bool | None = None, reduction: str = 'mean', pos_weight: Tensor | None = None) -> Tensor:
    """binary_cross_entropy(sigmoid(input), target) computed without overflow; pos_weight multiplies the positive part."""
def bitwise_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_left_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_not(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_not_(input: Tensor) -> Tensor: ...
def bitwise_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_right_shift(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """[b, m, k] times [b, k, n]: [b, m, n]. No broadcasting. See matmul."""
def broadcast_to(input: Tensor, shape: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Expands to a shape; a view."""
@overload
def bucketize(input: Operand, boundaries: Tensor, *, out_int32: builtins.bool = False, right: builtins.bool = False) -> Tensor:
    """The bucket of each value between sorted boundaries [n]: 0 to n. A boundary belongs to the bucket below it, or
    with right=True above it."""
@overload
def bucketize(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def cat(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted."""
def cdist(x1: Tensor, x2: Tensor, p: builtins.float = 2.0, compute_mode: str = 'use_mm_for_euclid_dist_if_necessary') -> Tensor:
    """Distances in the p-norm between all rows of x1 [..., m, k] and of x2 [..., n, k]: [..., m, n].
    p = 2 is a matrix product where m or n is above 25, unless compute_mode says otherwise."""
def ceil(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def ceil_(input: Tensor) -> Tensor: ...
def celu(input: Tensor, alpha: builtins.float = 1.0, inplace: builtins.bool = False) -> Tensor:
    """x, or alpha (e^(x / alpha) - 1) below zero. https://arxiv.org/abs/1704.07483"""
def celu_(input: Tensor, alpha: builtins.float = 1.0) -> Tensor: ...
def chunk(input: Tensor, chunks: builtins.int, dim: builtins.int = 0) -> tuple:
    """At most `chunks` pieces of equal size but the last; views."""
def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None, *, out: Tensor | None = None) -> Tensor:
    """x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds."""
def clamp_(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
def clamp_max(input: Tensor, max: Operand, *, out: Tensor | None = None) -> Tensor: ...
def clamp_max_(input: Tensor, max: Operand) -> Tensor: ...
def clamp_min(input: Tensor, min: Operand, *, out: Tensor | None = None) -> Tensor: ...
def clamp_min_(input: Tensor, min: Operand) -> Tensor: ...
def clear_autocast_cache() -> None:
    """Forgets the conversions of parameters on this thread."""
def clip(input: Tensor, min: Operand | None = None, max: Operand | None = None, *, out: Tensor | None = None) -> Tensor:
    """x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds."""
def clip_(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
def clone(input: Tensor) -> Tensor:
    """A copy with memory of its own; the gradient passes through."""
def col2im(input: Tensor, output_size: Sequence[builtins.int] | builtins.int, kernel_size: Sequence[builtins.int] | builtins.int, dilation: Sequence[builtins.int] | builtins.int = 1, padding: Sequence[builtins.int] | builtins.int = 0, stride: Sequence[builtins.int] | builtins.int = 1) -> Tensor:
    """Columns [N, C * kh * kw, windows] or [C * kh * kw, windows] added up into images [N, C, *output_size]: the
    transpose of im2col."""
def concat(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted."""
def concatenate(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted."""
def constant_pad_nd(input: Tensor, pad: Sequence[builtins.int] | builtins.int, value: builtins.float = 0.0) -> Tensor:
    """(before, after) elements of one value per dimension, from the last on; negative counts cut."""
def conv1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[builtins.int] | builtins.int = 1, padding: str | Sequence[builtins.int] | builtins.int = 0, dilation: Sequence[builtins.int] | builtins.int = 1, groups: builtins.int = 1) -> Tensor:
    """Cross-correlation of [N, C, L] or [C, L] with weight [out, C / groups, k], plus bias [out]; see conv2d."""
def conv2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[builtins.int] | builtins.int = 1, padding: str | Sequence[builtins.int] | builtins.int = 0, dilation: Sequence[builtins.int] | builtins.int = 1, groups: builtins.int = 1) -> Tensor:
    """Cross-correlation of [N, C, H, W] or [C, H, W] with weight [out, C / groups, kh, kw], plus bias [out].
    padding: a number, a pair, 'valid' or 'same' (stride 1). RuntimeError when the channels do not match or the
    kernel is larger than the padded input."""
def conv3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[builtins.int] | builtins.int = 1, padding: str | Sequence[builtins.int] | builtins.int = 0, dilation: Sequence[builtins.int] | builtins.int = 1, groups: builtins.int = 1) -> Tensor:
    """Cross-correlation of [N, C, D, H, W] or [C, D, H, W] with weight [out, C / groups, kd, kh, kw], plus bias
    [out]; see conv2d."""
def conv_transpose1d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[builtins.int] | builtins.int = 1, padding: Sequence[builtins.int] | builtins.int = 0, output_padding: Sequence[builtins.int] | builtins.int = 0, groups: builtins.int = 1, dilation: Sequence[builtins.int] | builtins.int = 1) -> Tensor:
    """The transpose of conv1d: [N, C, L] or [C, L] with weight [C, out / groups, k]; see conv_transpose2d."""
def conv_transpose2d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[builtins.int] | builtins.int = 1, padding: Sequence[builtins.int] | builtins.int = 0, output_padding: Sequence[builtins.int] | builtins.int = 0, groups: builtins.int = 1, dilation: Sequence[builtins.int] | builtins.int = 1) -> Tensor:
    """The transpose of conv2d (its gradient with respect to the input) as an operation: [N, C, H, W] or
    [C, H, W] with weight [C, out / groups, kh, kw], plus bias [out]. An output size is
    (H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1."""
def conv_transpose3d(input: Tensor, weight: Tensor, bias: Tensor | None = None, stride: Sequence[builtins.int] | builtins.int = 1, padding: Sequence[builtins.int] | builtins.int = 0, output_padding: Sequence[builtins.int] | builtins.int = 0, groups: builtins.int = 1, dilation: Sequence[builtins.int] | builtins.int = 1) -> Tensor:
    """The transpose of conv3d: [N, C, D, H, W] or [C, D, H, W] with weight [C, out / groups, kd, kh, kw];
    see conv_transpose2d."""
def copysign(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def cos(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def cos_(input: Tensor) -> Tensor: ...
def cosh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def cosh_(input: Tensor) -> Tensor: ...
@overload
def count_nonzero(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
    """How many elements over `dim` are nonzero, as int64."""
@overload
def count_nonzero(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def cpu_isa() -> str:
    """The instruction set of the CPU kernels in use."""
def cpu_isas() -> list[str]:
    """The instruction sets that this build has and this processor runs, best first."""
def cross_entropy(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: builtins.bool | None = None, ignore_index: builtins.int = -100, reduce: builtins.bool | None = None, reduction: str = 'mean', label_smoothing: builtins.float = 0.0) -> Tensor:
    """Cross-entropy between logits [C], [N, C] or [N, C, ...] and class labels (the same shape without C) or class
    probabilities (the same shape). The mean is weighted by `weight` [C] of the labels; targets equal to ignore_index
    do not count, and if none counts the mean is 0. IndexError for other labels outside [0, C)."""
def csr_matmul(crow_indices: Tensor, col_indices: Tensor, values: Tensor, dense: Tensor, *, transposed: tuple[Tensor, Tensor, Tensor] | None = None) -> Tensor:
    """A sparse matrix in CSR form times dense [columns, n] (or [columns]): [rows, n]. Row r has values[k] in column
    col_indices[k] for k from crow_indices[r] to crow_indices[r + 1]. Gradients reach values and dense. That of
    dense needs the transpose, which is built in backward unless csr_transpose(...) is given as `transposed`:
    build it once for a graph that is used many times."""
def csr_transpose(crow_indices: Tensor, col_indices: Tensor, num_columns: builtins.int) -> tuple[Tensor, Tensor, Tensor]:
    """The transpose of a CSR structure: (crow_indices, col_indices, order), where values[order] are its values."""
@overload
def cummax(input: Tensor, dim: builtins.int) -> Any:
    """(values, indices) of the extreme so far along dim; among equals, where it was last."""
@overload
def cummax(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def cummin(input: Tensor, dim: builtins.int) -> Any:
    """(values, indices) of the extreme so far along dim; among equals, where it was last."""
@overload
def cummin(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def cumprod(input: Tensor, dim: builtins.int, *, dtype: _dtype | None = None) -> Tensor:
    """Running products along dim. Integers give int64."""
@overload
def cumprod(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def cumsum(input: Tensor, dim: builtins.int, *, dtype: _dtype | None = None) -> Tensor:
    """Running sums along dim. Integers give int64."""
@overload
def cumsum(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def detach(input: Tensor) -> Tensor:
    """The same memory, off the tape."""
def diag_embed(input: Tensor, offset: builtins.int = 0, dim1: builtins.int = -2, dim2: builtins.int = -1) -> Tensor:
    """Zeros whose diagonals are the last dimension of the input."""
def diagonal(input: Tensor, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int = 1) -> Tensor:
    """The diagonal of two dimensions as a new last one; a view."""
def diagonal_scatter(input: Tensor, src: Tensor, offset: builtins.int = 0, dim1: builtins.int = 0, dim2: builtins.int = 1) -> Tensor:
    """A copy with src in place of a diagonal."""
def div(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """True division; rounded towards zero ('trunc') or down ('floor') on demand."""
def divide(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """True division; rounded towards zero ('trunc') or down ('floor') on demand."""
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Sum of the products of two vectors of one length: a tensor of no dimension."""
def dropout(input: Tensor, p: builtins.float = 0.5, training: builtins.bool = True, inplace: builtins.bool = False) -> Tensor:
    """Zeroes each element with probability p and multiplies the others by 1 / (1 - p); the input itself unless training. Srivastava et al. 2014."""
def elu(input: Tensor, alpha: builtins.float = 1.0, inplace: builtins.bool = False) -> Tensor:
    """x, or alpha (e^x - 1) below zero. https://arxiv.org/abs/1511.07289"""
def elu_(input: Tensor, alpha: builtins.float = 1.0) -> Tensor: ...
def embedding(input: Tensor, weight: Tensor, padding_idx: builtins.int | None = None, max_norm: Any | None = None, norm_type: builtins.float = 2.0, scale_grad_by_freq: builtins.bool = False, sparse: builtins.bool = False) -> Tensor:
    """Rows of weight [rows, cols] by id: input [...] of integers gives [..., cols]. IndexError names an id that is out of range. The row padding_idx gets no gradient. sparse: the gradient holds the rows used and no others."""
def empty(*args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor; sizes as ints or as one sequence. dtype float32 unless given."""
def empty_cache() -> None:
    """Gives cached CPU memory back to the system."""
def empty_like(input: Tensor, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor with the shape, dtype and device of another, unless given."""
def eq(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def equal(input: Tensor, other: Tensor) -> builtins.bool:
    """True if both have one shape and equal elements."""
def erf(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def erf_(input: Tensor) -> Tensor: ...
def erfc(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def erfc_(input: Tensor) -> Tensor: ...
def erfinv(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def erfinv_(input: Tensor) -> Tensor: ...
def exp(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def exp2(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def exp2_(input: Tensor) -> Tensor: ...
def exp_(input: Tensor) -> Tensor: ...
def expm1(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def expm1_(input: Tensor) -> Tensor: ...
def eye(n: builtins.int, m: builtins.int | None = None, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """Ones on the diagonal of an n x m matrix."""
def fix(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def fix_(input: Tensor) -> Tensor: ...
def flatten(input: Tensor, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
    """Merges dimensions start_dim..end_dim into one."""
def flip(input: Tensor, dims: Sequence[builtins.int] | builtins.int) -> Tensor:
    """The order of some dimensions reversed; a copy."""
def floor(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def floor_(input: Tensor) -> Tensor: ...
def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def fmax(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def fmin(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def fmod(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def frac(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """x - trunc(x)"""
def frac_(input: Tensor) -> Tensor: ...
def from_dlpack(ext_tensor: Any, *, device: _device | None = None, copy: builtins.bool | None = None) -> Tensor:
    """A tensor over the memory of another library's array (anything with __dlpack__), or of a DLPack capsule.
    copy: True always copies, False never does (BufferError where it would have to)."""
def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over the array's own memory (a copy if its strides are negative or its bytes swapped)."""
def full(size: Sequence[builtins.int] | builtins.int, fill_value: Any, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A tensor filled with one value."""
def full_like(input: Tensor, fill_value: Any, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A tensor filled with one value, with the shape, dtype and device of another, unless given."""
def gather(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor:
    """Elements of the input by an index along dim; the index has as many dimensions and gives the shape."""
def gcd(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def ge(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def gelu(input: Tensor, approximate: str = 'none') -> Tensor:
    """x P(X <= x) for a standard normal X; 'tanh' approximates it. https://arxiv.org/abs/1606.08415"""
def get_autocast_dtype(device_type: str) -> _dtype:
    """The dtype that products take under autocast: bfloat16 on 'cpu' and float16 on 'cuda' unless set."""
def get_default_dtype() -> _dtype: ...
def get_num_threads() -> builtins.int:
    """The same as num_threads()."""
def get_rng_state() -> Tensor:
    """The default generator's state."""
def greater(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def greater_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def grid_sample(input: Tensor, grid: Tensor, mode: str = 'bilinear', padding_mode: str = 'zeros', align_corners: builtins.bool | None = None) -> Tensor:
    """input [N, C, H, W] read at the positions grid [N, H', W', 2] (x, y), or [N, C, D, H, W] at [N, D', H', W', 3]
    (x, y, z); -1 and 1 are the edges, or with align_corners the centres of the outermost elements. mode: 'bilinear',
    'nearest' or, of images, 'bicubic'. padding_mode, for what lies outside: 'zeros', 'border' or 'reflection'."""
def group_norm(input: Tensor, num_groups: builtins.int, weight: Tensor | None = None, bias: Tensor | None = None, eps: builtins.float = 1e-05) -> Tensor:
    """Shifts and scales each of `num_groups` groups of channels of each item of (N, C, *) to mean 0 and variance 1,
    then y * weight + bias, both (C,). ValueError where C is no multiple of num_groups.
    Wu, He, Group Normalization, 2018."""
def gt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def hardshrink(input: Tensor, lambd: builtins.float = 0.5) -> Tensor:
    """0 within [-lambd, lambd], else x."""
def hardsigmoid(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def hardsigmoid_(input: Tensor) -> Tensor: ...
def hardswish(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def hardswish_(input: Tensor) -> Tensor: ...
def hardtanh(input: Tensor, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0, inplace: builtins.bool = False) -> Tensor:
    """x kept within [min_val, max_val]; no gradient at the bounds and beyond."""
def hardtanh_(input: Tensor, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0) -> Tensor: ...
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joins along columns (along the only dimension of 1-D tensors)."""
def huber_loss(input: Tensor, target: Tensor, reduction: str = 'mean', delta: builtins.float = 1.0, weight: Tensor | None = None) -> Tensor:
    """d^2 / 2 where |d| <= delta and delta (|d| - delta / 2) elsewhere, d = input - target."""
def hypot(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def im2col(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, dilation: Sequence[builtins.int] | builtins.int = 1, padding: Sequence[builtins.int] | builtins.int = 0, stride: Sequence[builtins.int] | builtins.int = 1) -> Tensor:
    """The windows of [N, C, H, W] or [C, H, W] as columns [N, C * kh * kw, windows]; outside the image is 0."""
def index_add(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: Operand = 1) -> Tensor:
    """The input with alpha * source added to its slices index along dim, in order."""
def index_copy(input: Tensor, dim: builtins.int, index: Tensor, source: Tensor) -> Tensor:
    """The input with the slices of source in place of its slices index along dim."""
def index_fill(input: Tensor, dim: builtins.int, index: Tensor, value: Operand) -> Tensor:
    """The input with one value in its slices index along dim."""
def index_put(input: Tensor, indices: Sequence, values: Tensor, accumulate: builtins.bool = False) -> Tensor:
    """The input with x[indices] = values, or +=; indices: a tuple of integer or bool tensors."""
def index_select(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor:
    """The slices along dim that an index names."""
def initial_seed() -> builtins.int:
    """The default generator's seed."""
def is_autocast_cache_enabled() -> builtins.bool:
    """Whether conversions of parameters are kept."""
def is_autocast_enabled(device_type: str = 'cuda') -> builtins.bool:
    """Whether autocast is on for 'cpu' or 'cuda' on this thread."""
def is_floating_point(input: Tensor) -> builtins.bool: ...
def is_grad_enabled() -> builtins.bool:
    """Whether operations of this thread are recorded."""
def is_inference(input: Tensor) -> builtins.bool:
    """True for a tensor made in inference mode."""
def is_inference_mode_enabled() -> builtins.bool:
    """Whether this thread is in inference_mode()."""
def is_tensor(obj: Any) -> builtins.bool: ...
def isclose(input: Tensor, other: Tensor, rtol: builtins.float = 1e-05, atol: builtins.float = 1e-08, equal_nan: builtins.bool = False) -> Tensor:
    """Where |input - other| <= atol + rtol |other|."""
def isfinite(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def isinf(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def isnan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def kl_div(input: Tensor, target: Tensor, size_average: builtins.bool | None = None, reduce: builtins.bool | None = None, reduction: str = 'mean', log_target: builtins.bool = False) -> Tensor:
    """target (log(target) - input), input being log-probabilities; 'batchmean' is the divergence per item."""
@overload
def kthvalue(input: Tensor, k: builtins.int, dim: builtins.int = -1, keepdim: builtins.bool = False) -> Any:
    """(values, indices) of the k-th smallest along dim, counted from 1."""
@overload
def kthvalue(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def l1_loss(input: Tensor, target: Tensor, size_average: builtins.bool | None = None, reduce: builtins.bool | None = None, reduction: str = 'mean', weight: Tensor | None = None) -> Tensor:
    """|input - target|, reduced by 'mean', 'sum' or 'none'; shapes broadcast. The mean is weighted by `weight`."""
def layer_norm(input: Tensor, normalized_shape: Sequence[builtins.int] | builtins.int, weight: Tensor | None = None, bias: Tensor | None = None, eps: builtins.float = 1e-05) -> Tensor:
    """Shifts and scales the last dimensions (normalized_shape) to mean 0 and variance 1, then y * weight + bias.
    weight and bias have normalized_shape. RuntimeError where shapes do not fit.
    Ba, Kiros, Hinton, Layer Normalization, 2016."""
def le(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def leaky_relu(input: Tensor, negative_slope: builtins.float = 0.01, inplace: builtins.bool = False) -> Tensor:
    """x, or negative_slope x below zero."""
def leaky_relu_(input: Tensor, negative_slope: builtins.float = 0.01) -> Tensor: ...
def lerp(input: Tensor, end: Tensor, weight: Operand, *, out: Tensor | None = None) -> Tensor:
    """input + weight (end - input)."""
def less(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def less_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: [..., in], [out, in] and [out] give [..., out]. RuntimeError where they do not fit."""
def linear_act(input: Tensor, weight: Tensor, bias: Tensor | None, act: str) -> Tensor:
    """act(linear(input, weight, bias)) in one pass: 'none', 'relu', 'gelu', 'gelu_tanh' or 'silu'."""
def linear_scan(a: Tensor, b: Tensor, dim: builtins.int, initial: Tensor | None = None, reverse: builtins.bool = False) -> Tensor:
    """h[t] = a[t] * h[t - 1] + b[t] along dim, for all t, where h[-1] is `initial` (the shape without dim) or 0:
    the recurrence of state-space models and of exponential averages. a and b broadcast. reverse runs from the end.
    The same bits for any number of threads; differentiable any number of times."""
def linspace(start: builtins.float, end: builtins.float, steps: builtins.int, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """`steps` values from start to end, both included."""
def log(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log10(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log10_(input: Tensor) -> Tensor: ...
def log1p(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log1p_(input: Tensor) -> Tensor: ...
def log2(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log2_(input: Tensor) -> Tensor: ...
def log_(input: Tensor) -> Tensor: ...
@overload
def log_softmax(input: Tensor, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
    """log(softmax(x, dim)), computed without leaving the logarithm. See softmax."""
@overload
def log_softmax(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def logaddexp(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logaddexp2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
@overload
def logcumsumexp(input: Tensor, dim: builtins.int) -> Tensor:
    """Logarithms of the running sums of exp(x) along dim."""
@overload
def logcumsumexp(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def logical_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logical_not(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def logical_not_(input: Tensor) -> Tensor: ...
def logical_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logical_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logit(input: Tensor, eps: builtins.float | None = None, *, out: Tensor | None = None) -> Tensor:
    """log(x / (1 - x)), of x kept within [eps, 1 - eps] if that is given."""
def logit_(input: Tensor, eps: builtins.float | None = None) -> Tensor: ...
def logsigmoid(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def logsigmoid_(input: Tensor) -> Tensor: ...
@overload
def logsumexp(input: Tensor, dim: Sequence[builtins.int] | builtins.int, keepdim: builtins.bool = False) -> Tensor:
    """log(sum(exp(x))) over `dim` (an axis or several), without overflow. Integers become floating."""
@overload
def logsumexp(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def lt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def manual_seed(seed: Any) -> Generator:
    """Seeds the default generator and returns it."""
def masked_fill(input: Tensor, mask: Tensor, value: Operand) -> Tensor:
    """A copy with `value` where the mask holds."""
def masked_select(input: Tensor, mask: Tensor) -> Tensor:
    """The elements where a mask is true, in order."""
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """Matrix product of [..., m, k] and [..., k, n]: [..., m, n], with broadcasting over the leading dimensions.
    A vector counts as a row on the left and as a column on the right, and its dimension goes again.
    RuntimeError unless the sum's lengths, the dtypes and the devices agree."""
@overload
def max(input: Tensor) -> Tensor:
    """The extreme element, as a scalar."""
@overload
def max(input: Tensor, other: Tensor) -> Tensor:
    """Of two tensors, element by element."""
@overload
def max(input: Tensor, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
    """Along `dim`: a named tuple (values, indices), the first position among equals."""
@overload
def max(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def max_pool1d(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int | None = None, padding: Sequence[builtins.int] | builtins.int = 0, dilation: Sequence[builtins.int] | builtins.int = 1, ceil_mode: builtins.bool = False, return_indices: builtins.bool = False) -> Any:
    """Maximum over windows of [N, C, L] or [C, L]; see max_pool2d."""
def max_pool2d(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int | None = None, padding: Sequence[builtins.int] | builtins.int = 0, dilation: Sequence[builtins.int] | builtins.int = 1, ceil_mode: builtins.bool = False, return_indices: builtins.bool = False) -> Any:
    """Maximum over windows of [N, C, H, W] or [C, H, W]. `stride` defaults to kernel_size; padding counts as
    -inf. With return_indices also the positions in the H x W plane, as int64. RuntimeError when the window
    does not fit."""
def max_pool3d(input: Tensor, kernel_size: Sequence[builtins.int] | builtins.int, stride: Sequence[builtins.int] | builtins.int | None = None, padding: Sequence[builtins.int] | builtins.int = 0, dilation: Sequence[builtins.int] | builtins.int = 1, ceil_mode: builtins.bool = False, return_indices: builtins.bool = False) -> Any:
    """Maximum over windows of [N, C, D, H, W] or [C, D, H, W]; indices are positions in the volume. See max_pool2d."""
def maximum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
@overload
def mean(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None) -> Tensor:
    """Mean over `dim` (an axis, several, or None for all). Floating dtypes only."""
@overload
def mean(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def median(input: Tensor) -> Tensor:
    """The median of all elements, the lower one of two."""
@overload
def median(input: Tensor, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
    """(values, indices) of the medians along dim, the lower ones of two."""
@overload
def median(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def memory_stats() -> dict:
    """CPU memory: bytes in use, their peak, bytes cached for reuse; allocations so far, and how many came from the cache."""
@overload
def min(input: Tensor) -> Tensor:
    """The extreme element, as a scalar."""
@overload
def min(input: Tensor, other: Tensor) -> Tensor:
    """Of two tensors, element by element."""
@overload
def min(input: Tensor, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
    """Along `dim`: a named tuple (values, indices), the first position among equals."""
@overload
def min(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def minimum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def mish(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def mish_(input: Tensor) -> Tensor: ...
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """[m, k] times [k, n]: [m, n]. No broadcasting. See matmul."""
@overload
def mode(input: Tensor, dim: builtins.int = -1, keepdim: builtins.bool = False) -> Any:
    """(values, indices) of the most frequent along dim: the least of several, where it is last."""
@overload
def mode(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def moveaxis(input: Tensor, source: Sequence[builtins.int] | builtins.int, destination: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Moves dimensions to new places; a view."""
def movedim(input: Tensor, source: Sequence[builtins.int] | builtins.int, destination: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Moves dimensions to new places; a view."""
def mse_loss(input: Tensor, target: Tensor, size_average: builtins.bool | None = None, reduce: builtins.bool | None = None, reduction: str = 'mean', weight: Tensor | None = None) -> Tensor:
    """(input - target)^2, reduced by 'mean', 'sum' or 'none'; shapes broadcast. The mean is weighted by `weight`."""
def mul(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def multinomial(input: Tensor, num_samples: builtins.int, replacement: builtins.bool = False, *, generator: Generator | None = None) -> Tensor:
    """Indices drawn with probabilities proportional to the weights, a vector or rows of them."""
def multiply(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """[m, k] times [k]: [m]. See matmul."""
def nan_to_num(input: Tensor, nan: builtins.float | None = None, posinf: builtins.float | None = None, neginf: builtins.float | None = None, *, out: Tensor | None = None) -> Tensor:
    """Numbers for NaN (0) and the infinities (the largest and lowest of the dtype)."""
def nan_to_num_(input: Tensor, nan: builtins.float | None = None, posinf: builtins.float | None = None, neginf: builtins.float | None = None) -> Tensor: ...
@overload
def nanmedian(input: Tensor) -> Tensor:
    """The median of all elements, the lower one of two."""
@overload
def nanmedian(input: Tensor, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
    """(values, indices) of the medians along dim, the lower ones of two."""
@overload
def nanmedian(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def narrow(input: Tensor, dim: builtins.int, start: Any, length: builtins.int) -> Tensor:
    """A stretch of one dimension; a view."""
def ne(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def neg(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def neg_(input: Tensor) -> Tensor: ...
def negative(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def negative_(input: Tensor) -> Tensor: ...
def nll_loss(input: Tensor, target: Tensor, weight: Tensor | None = None, size_average: builtins.bool | None = None, ignore_index: builtins.int = -100, reduce: builtins.bool | None = None, reduction: str = 'mean') -> Tensor:
    """Negative log-likelihood of class labels under log-probabilities [C], [N, C] or [N, C, ...]. See cross_entropy."""
def nonzero(input: Tensor, *, as_tuple: builtins.bool = False) -> Any:
    """Indices of the elements that are not zero: a row each, or a tensor for each dimension."""
@overload
def norm(input: Tensor, p: Any = 'fro', dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False, dtype: _dtype | None = None) -> Tensor:
    """Vector norm of order p over `dim` (all by default): sum(|x|^p)^(1/p); 'fro' is 2, inf the largest, 0 counts."""
@overload
def norm(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def not_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def num_threads() -> builtins.int:
    """Threads that operations use: WEFT_NUM_THREADS, else affinity and CPU quota."""
def numel(input: Tensor) -> builtins.int:
    """Number of elements."""
def one_hot(tensor: Tensor, num_classes: builtins.int = -1) -> Tensor:
    """1 at the class number, else 0, along a new last dimension; num_classes: default one more than the largest."""
def ones(*args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor; sizes as ints or as one sequence. dtype float32 unless given."""
def ones_like(input: Tensor, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor with the shape, dtype and device of another, unless given."""
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """[m] and [n]: [m, n], each with each."""
def pdist(input: Tensor, p: builtins.float = 2.0) -> Tensor:
    """The distances in the p-norm between the rows of a matrix: 0 and 1, 0 and 2, ..., 1 and 2, ...:
    (n (n - 1) / 2,)."""
def permute(input: Tensor, dims: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Reorders the dimensions; a view."""
def positive(input: Tensor) -> Tensor:
    """input itself, unless it is of bools."""
def pow(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """input where positive, else weight * input; one weight, or one per channel (dimension 1)."""
@overload
def prod(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None) -> Tensor:
    """Product over one axis, or over all. Integers and bool multiply in int64."""
@overload
def prod(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def promote_types(type1: _dtype, type2: _dtype) -> _dtype:
    """The dtype that holds both."""
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: builtins.bool = False) -> Tensor:
    """The input with the elements index of its flattened form replaced by, or added to, those of source."""
def rand(*args: Any, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """Uniform numbers in [0, 1); sizes as ints or as one sequence."""
def rand_like(input: Tensor, *, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """Uniform numbers in [0, 1); sizes as ints or as one sequence."""
@overload
def randint(high: builtins.int, size: Sequence[builtins.int] | builtins.int, *, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None) -> Tensor: ...
@overload
def randint(low: builtins.int, high: builtins.int, size: Sequence[builtins.int] | builtins.int, *, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None) -> Tensor:
    """Integers from low (0) up to, not including, high; int64 unless another dtype is given."""
def randn(*args: Any, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """Normal numbers of mean 0 and variance 1; sizes as ints or as one sequence."""
def randn_like(input: Tensor, *, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """Normal numbers of mean 0 and variance 1; sizes as ints or as one sequence."""
def randperm(n: builtins.int, *, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None) -> Tensor:
    """0 .. n-1 in random order."""
def ravel(input: Tensor) -> Tensor:
    """One dimension, a view where possible."""
def reciprocal(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def reciprocal_(input: Tensor) -> Tensor: ...
def relu(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def relu6(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def relu6_(input: Tensor) -> Tensor: ...
def relu_(input: Tensor) -> Tensor: ...
def remainder(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def reset_peak() -> None:
    """Sets the peak of memory_stats() to what is in use now."""
def reshape(input: Tensor, shape: Sequence[builtins.int] | builtins.int) -> Tensor:
    """The same elements in another shape; one size may be -1. A view where possible, else a copy."""
def result_type(tensor1: Operand, tensor2: Operand) -> _dtype:
    """The dtype of an arithmetic result of two tensors or numbers."""
def rms_norm(input: Tensor, normalized_shape: Sequence[builtins.int] | builtins.int, weight: Tensor | None = None, eps: builtins.float | None = None) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * weight over the last dimensions (normalized_shape). eps defaults to the epsilon of
    float64 for float64, else of float32. Zhang, Sennrich, Root Mean Square Layer Normalization, 2019."""
def rnn_layer(mode: str, input: Tensor, h0: Tensor, c0: Tensor | None, weights: Sequence[Tensor | None], batch_first: builtins.bool = False, batch_sizes: Tensor | None = None) -> list[Tensor]:
    """One recurrent layer in one or two directions. mode: 'RNN_TANH', 'RNN_RELU', 'LSTM' or 'GRU'. input: [T, B, in],
    [B, T, in] with batch_first, or [rows, in] with batch_sizes, as in a PackedSequence. h0 and, of an LSTM, c0:
    [directions, B, out]. weights: for each direction weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, None for
    what there is not. Returns [output, h_n] or [output, h_n, c_n]. Formulas: torch.nn.LSTM, GRU and RNN."""
def round(input: Tensor, *, decimals: builtins.int = 0, out: Tensor | None = None) -> Tensor:
    """To the nearest number of so many decimals (negative: tens, hundreds ...); halves to the even one."""
def round_(input: Tensor, *, decimals: builtins.int = 0) -> Tensor: ...
def rsqrt(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def rsqrt_(input: Tensor) -> Tensor: ...
def rsub(input: Tensor, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor:
    """other minus alpha * input."""
def scaled_dot_product_attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None = None, dropout_p: builtins.float = 0.0, is_causal: builtins.bool = False, scale: builtins.float | None = None, enable_gqa: builtins.bool = False) -> Tensor:
    """softmax(scale * query key^T + attn_mask) value for query [..., L, E], key [..., S, E], value [..., S, Ev], by
    blocks: the L x S scores are never stored. attn_mask broadcasts to [..., L, S]; bool means True attends, floats
    are added. scale defaults to 1 / sqrt(E). dropout_p always applies. enable_gqa: the heads (dimension -3) of query
    are a multiple of those of key and value. A query that may attend to nothing gives zeros and zero gradients.
    Dao 2023, https://arxiv.org/abs/2307.08691."""
@overload
def scatter(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor, *, reduce: str | None = None) -> Tensor:
    """The input with elements, named by an index along dim, replaced by those of src or by one value, or with reduce 'add' or 'multiply' combined with them."""
@overload
def scatter(input: Tensor, dim: builtins.int, index: Tensor, value: builtins.float, *, reduce: str | None = None) -> Tensor: ...
def scatter_add(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
    """The input with the elements of src added where an index along dim says, in order."""
@overload
def searchsorted(sorted_sequence: Tensor, input: Operand, *, out_int32: builtins.bool = False, right: builtins.bool = False, side: str | None = None, sorter: Tensor | None = None) -> Tensor:
    """Where values belong in the sorted last dimension: before equal elements, or after them with right=True."""
@overload
def searchsorted(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def seed() -> builtins.int:
    """Seeds the default generator from the system's entropy and returns the seed."""
def segment_max(data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False) -> Tensor:
    """The largest of each segment, -inf (or the lowest integer) for an empty one. The gradient is shared by
    equal elements. See segment_sum."""
def segment_mean(data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False) -> Tensor:
    """The mean of each segment, 0 for an empty one. See segment_sum."""
def segment_min(data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False) -> Tensor:
    """The smallest of each segment, inf (or the highest integer) for an empty one. See segment_max."""
def segment_softmax(data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False) -> Tensor:
    """Softmax of data [n, ...] over the rows of each segment, the attention of a graph: same shape. See segment_sum."""
def segment_sum(data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False) -> Tensor:
    """Sums of the rows of data [n, ...] that share an id: [num_segments, ...], where row s sums the data[i]
    with segment_ids[i] == s, in their order: the same bits for any number of threads. num_segments
    defaults to the largest id + 1. Ids may come in any order; sorted=True says that they ascend, which
    saves grouping them. An empty segment is 0. IndexError names an id that is out of range."""
def select(input: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
    """One index of one dimension; a view."""
def select_scatter(input: Tensor, src: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
    """A copy with src in place of one index of a dimension."""
def selu(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def selu_(input: Tensor) -> Tensor: ...
def set_autocast_cache_enabled(enabled: builtins.bool) -> None:
    """Whether conversions of parameters are kept until the outermost region ends."""
def set_autocast_dtype(device_type: str, dtype: _dtype) -> None:
    """Sets the dtype that products take under autocast: float16 or bfloat16."""
def set_autocast_enabled(device_type: str, enabled: builtins.bool) -> None:
    """Switches autocast for a device type on this thread. weft.autocast does it for a region."""
def set_cache_limit(bytes: builtins.int) -> None:
    """Bytes of CPU memory kept for reuse. Default: an eighth of the machine's, at most 1 GiB."""
def set_cpu_isa(name: str) -> None:
    """Chooses the CPU kernels; WEFT_CPU_ISA does so from the start."""
def set_default_dtype(d: _dtype) -> None: ...
def set_num_threads(threads: builtins.int) -> None:
    """Sets the number of threads that operations use. Results do not depend on it."""
def set_rng_state(new_state: Tensor) -> None:
    """Sets the default generator's state."""
def sgn(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sgn_(input: Tensor) -> Tensor: ...
def sigmoid(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sigmoid_(input: Tensor) -> Tensor: ...
def sign(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sign_(input: Tensor) -> Tensor: ...
def signbit(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def silu(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def silu_(input: Tensor) -> Tensor: ...
def sin(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sin_(input: Tensor) -> Tensor: ...
def sinh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sinh_(input: Tensor) -> Tensor: ...
def slice_scatter(input: Tensor, src: Tensor, dim: builtins.int = 0, start: builtins.int | None = None, end: builtins.int | None = None, step: builtins.int = 1) -> Tensor:
    """A copy with src in place of a slice."""
def smooth_l1_loss(input: Tensor, target: Tensor, size_average: builtins.bool | None = None, reduce: builtins.bool | None = None, reduction: str = 'mean', beta: builtins.float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta and |d| - beta / 2 elsewhere, d = input - target."""
@overload
def softmax(input: Tensor, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`: same shape, each slice sums to 1. `dtype` converts the input first.
    IndexError if there is no such dim; NotImplementedError for integers."""
@overload
def softmax(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def softplus(input: Tensor, beta: builtins.float = 1.0, threshold: builtins.float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds the threshold."""
def softshrink(input: Tensor, lambd: builtins.float = 0.5) -> Tensor:
    """x moved towards 0 by lambd; 0 within [-lambd, lambd]."""
@overload
def sort(input: Tensor, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any:
    """(values, indices) in order along dim. Always stable; NaN counts as greatest."""
@overload
def sort(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def split(tensor: Tensor, split_size_or_sections: Any, dim: builtins.int = 0) -> tuple:
    """Pieces of split_size (the last may be smaller), or of the sizes given; views."""
def split_with_sizes(input: Tensor, split_sizes: Sequence[builtins.int], dim: builtins.int = 0) -> tuple:
    """Pieces of these sizes; views."""
def sqrt(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sqrt_(input: Tensor) -> Tensor: ...
def square(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def square_(input: Tensor) -> Tensor: ...
def squeeze(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
    """Drops dimensions of size 1 (all, or those given)."""
def stack(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors of one shape along a new dimension."""
@overload
def std(input: Tensor, unbiased: builtins.bool) -> Tensor:
    """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""
@overload
def std(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> Tensor:
    """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""
@overload
def std(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def std_mean(input: Tensor, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
    """(std(x, …), mean(x, …))"""
@overload
def std_mean(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> tuple[Tensor, Tensor]:
    """(std(x, …), mean(x, …))"""
@overload
def std_mean(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def sub(input: Operand, other: Operand, *, alpha: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input plus (minus) alpha * other."""
def subtract(input: Operand, other: Operand, *, alpha: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input plus (minus) alpha * other."""
@overload
def sum(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None) -> Tensor:
    """Sum over `dim` (an axis, several, or None for all). Integers and bool add up in int64; `dtype` converts first."""
@overload
def sum(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def swapaxes(input: Tensor, axis0: builtins.int, axis1: builtins.int) -> Tensor:
    """Alias of transpose."""
def swapdims(input: Tensor, axis0: builtins.int, axis1: builtins.int) -> Tensor:
    """Alias of transpose."""
def t(input: Tensor) -> Tensor:
    """Transpose of a matrix; a view."""
def take(input: Tensor, index: Tensor) -> Tensor:
    """Elements of the flattened input; the result has the index's shape."""
def take_along_dim(input: Tensor, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
    """gather() with broadcasting; of the flattened input without dim."""
def tan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def tan_(input: Tensor) -> Tensor: ...
def tanh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def tanh_(input: Tensor) -> Tensor: ...
def tensor(data: Any, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor from numbers, nested sequences or an array; always a copy. Python floats become float32."""
def tensor_split(input: Tensor, indices_or_sections: Any, dim: builtins.int = 0) -> tuple:
    """Pieces of sizes that differ by one at most, or cut before each of the indices; views."""
def threshold(input: Tensor, threshold: builtins.float, value: builtins.float, inplace: builtins.bool = False) -> Tensor:
    """x where it exceeds the threshold, else value."""
def threshold_(input: Tensor, threshold: builtins.float, value: builtins.float) -> Tensor: ...
def to_dlpack(tensor: Tensor) -> Any:
    """A DLPack capsule of the form before versions. Newer libraries call __dlpack__ themselves."""
@overload
def topk(input: Tensor, k: builtins.int, dim: builtins.int = -1, largest: builtins.bool = True, sorted: builtins.bool = True) -> Any:
    """(values, indices) of the k largest or smallest along dim, in order; of equal ones the first."""
@overload
def topk(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def transpose(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    """Swaps two dimensions; a view."""
def tril(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """The lower triangle of matrices, up to a diagonal (0: the main one); the rest is 0."""
def triu(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """The upper triangle of matrices, from a diagonal (0: the main one); the rest is 0."""
def true_divide(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """True division; rounded towards zero ('trunc') or down ('floor') on demand."""
def trunc(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def trunc_(input: Tensor) -> Tensor: ...
def unbind(input: Tensor, dim: builtins.int = 0) -> tuple:
    """All indices of one dimension, as a tuple of views."""
def unflatten(input: Tensor, dim: builtins.int, sizes: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Splits one dimension into several."""
def unsafe_chunk(input: Tensor, chunks: builtins.int, dim: builtins.int = 0) -> tuple:
    """At most `chunks` pieces of equal size but the last; views."""
def unsafe_split(tensor: Tensor, split_size: Any, dim: builtins.int = 0) -> tuple:
    """Pieces of split_size (the last may be smaller), or of the sizes given; views."""
def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[builtins.int], dim: builtins.int = 0) -> tuple:
    """Pieces of these sizes; views."""
def unsqueeze(input: Tensor, dim: builtins.int) -> Tensor:
    """A new dimension of size 1."""
@overload
def var(input: Tensor, unbiased: builtins.bool) -> Tensor:
    """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""
@overload
def var(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> Tensor:
    """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""
@overload
def var(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
@overload
def var_mean(input: Tensor, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
    """(var(x, …), mean(x, …))"""
@overload
def var_mean(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, unbiased: builtins.bool | None = None, keepdim: builtins.bool = False, *, correction: builtins.float | None = None) -> tuple[Tensor, Tensor]:
    """(var(x, …), mean(x, …))"""
@overload
def var_mean(*args: Any, **kwargs: Any) -> Any:
    """The same with NumPy's names axis and keepdims, and into `out`."""
def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joins along rows; 1-D tensors become rows."""
@overload
def where(condition: Tensor, input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor:
    """input where the condition holds, else other; all three broadcast."""
@overload
def where(condition: Tensor) -> tuple:
    """The indices of what is not zero, a tensor for each dimension."""
def xlogy(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def zeros(*args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor; sizes as ints or as one sequence. dtype float32 unless given."""
def zeros_like(input: Tensor, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False) -> Tensor:
    """A new tensor with the shape, dtype and device of another, unless given."""

default_generator: Generator
bfloat16: dtype
bool: dtype
double: dtype
float: dtype
float16: dtype
float32: dtype
float64: dtype
half: dtype
int: dtype
int16: dtype
int32: dtype
int64: dtype
int8: dtype
long: dtype
short: dtype
uint8: dtype
def __getattr__(name: str) -> Any: ...  # the parts that begin with _
