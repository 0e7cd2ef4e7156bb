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

class Plan:
    """A recorded step. Made by weft.plan.record."""

    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
    def describe(self) -> str:
        """The launches and the memory, as text."""
    @property
    def nbytes(self) -> builtins.int: ...
    def replay(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Copies the inputs in, replays, returns the outputs as a list."""

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
    def is_floating_point(self) -> builtins.bool: ...
    @property
    def itemsize(self) -> builtins.int: ...
    @property
    def name(self) -> str: ...

class sort_result:
    """sort_result(values, indices)"""

    def indices(*args: Any, **kwargs: Any) -> Any: ...
    def values(*args: Any, **kwargs: Any) -> Any: ...

class topk_result:
    """topk_result(values, indices)"""

    def indices(*args: Any, **kwargs: Any) -> Any: ...
    def values(*args: Any, **kwargs: Any) -> Any: ...

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
    def __deepcopy__(self, memo: Any, /) -> Tensor: ...
    def __eq__(self, other: Any, /) -> Tensor: ...  # type: ignore[override]
    def __float__(self) -> builtins.float: ...
    def __floordiv__(self, other: Operand, /) -> Tensor: ...
    def __ge__(self, other: Operand, /) -> Tensor: ...
    def __getitem__(self, index: Any, /) -> Tensor: ...
    def __gt__(self, other: Operand, /) -> Tensor: ...
    def __hash__(self) -> builtins.int: ...
    def __iadd__(self, other: Operand, /) -> Tensor: ...
    def __imul__(self, other: Operand, /) -> Tensor: ...
    def __index__(self) -> builtins.int: ...
    def __int__(self) -> builtins.int: ...
    def __invert__(self) -> Tensor: ...
    def __isub__(self, other: Operand, /) -> Tensor: ...
    def __iter__(self) -> Iterator[Tensor]: ...
    def __itruediv__(self, other: Operand, /) -> Tensor: ...
    def __le__(self, other: Operand, /) -> Tensor: ...
    def __len__(self) -> builtins.int: ...
    def __lt__(self, other: Operand, /) -> Tensor: ...
    def __matmul__(self, other: Operand, /) -> Tensor: ...
    def __mod__(self, other: Operand, /) -> Tensor: ...
    def __mul__(self, other: Operand, /) -> Tensor: ...
    def __ne__(self, other: Any, /) -> Tensor: ...  # type: ignore[override]
    def __neg__(self) -> Tensor: ...
    def __or__(self, other: Operand, /) -> Tensor: ...
    def __pow__(self, other: Operand, /) -> Tensor: ...
    def __radd__(self, other: Operand, /) -> Tensor: ...
    def __rand__(self, other: Operand, /) -> Tensor: ...
    def __rfloordiv__(self, other: Operand, /) -> Tensor: ...
    def __rmatmul__(self, other: Operand, /) -> Tensor: ...
    def __rmod__(self, other: Operand, /) -> Tensor: ...
    def __rmul__(self, other: Operand, /) -> Tensor: ...
    def __ror__(self, other: Operand, /) -> Tensor: ...
    def __rpow__(self, other: Operand, /) -> Tensor: ...
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
    def acos(self) -> Tensor: ...
    def acos_(self) -> Tensor: ...
    def add(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def add_(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def addcdiv(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor:
        """input + value * tensor1 * tensor2 (addcdiv: / tensor2)."""
    def addcdiv_(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor: ...
    def addcmul(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor:
        """input + value * tensor1 * tensor2 (addcdiv: / tensor2)."""
    def addcmul_(self, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor: ...
    def addmm(self, mat1: Tensor, mat2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0) -> Tensor:
        """beta * input + alpha * mat1 @ mat2 for matrices; `input` broadcasts to [m, n]. beta = 0 ignores it."""
    def all(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether all elements over `dim` are nonzero."""
    def allclose(
        self,
        other: Tensor,
        rtol: builtins.float = 1e-05,
        atol: builtins.float = 1e-08,
        equal_nan: builtins.bool = False,
    ) -> builtins.bool:
        """True if isclose() holds everywhere."""
    def amax(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Largest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""
    def amin(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Smallest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""
    def any(self, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Whether any element over `dim` is nonzero."""
    def argmax(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the largest element along `dim` (or in the flattened tensor), the first of equals."""
    def argmin(self, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
        """Position of the smallest element along `dim` (or in the flattened tensor), the first of equals."""
    def argsort(
        self, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True
    ) -> Tensor:
        """Where the elements in order are, along dim. Always stable."""
    def asin(self) -> Tensor: ...
    def asin_(self) -> Tensor: ...
    def atan(self) -> Tensor: ...
    def atan2(self, other: Operand) -> Tensor: ...
    def atan2_(self, other: Operand) -> Tensor: ...
    def atan_(self) -> Tensor: ...
    def backward(
        self: Any,
        gradient: Any | None = None,
        retain_graph: builtins.bool | None = None,
        create_graph: builtins.bool = False,
        inputs: Any | None = None,
    ) -> None:
        """Accumulates d(self)/d(leaf) into the .grad of every leaf that self was computed from. `gradient` weights self's elements and may be left out for one element. RuntimeError on a graph that was already used."""
    def baddbmm(
        self, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0
    ) -> Tensor:
        """beta * input + alpha * batch1 @ batch2 for batches of matrices; `input` broadcasts to [b, m, n]."""
    def bernoulli(self, *, generator: Generator | None = None) -> Tensor:
        """1 with the probability that the element states, else 0."""
    def bernoulli_(self, p: builtins.float = 0.5, *, generator: Generator | None = None) -> Tensor:
        """Fills with 1 (probability p) and 0."""
    def bfloat16(self) -> Tensor: ...
    def bitwise_and(self, other: Operand) -> Tensor: ...
    def bitwise_and_(self, other: Operand) -> Tensor: ...
    def bitwise_not(self) -> Tensor: ...
    def bitwise_not_(self) -> Tensor: ...
    def bitwise_or(self, other: Operand) -> Tensor: ...
    def bitwise_or_(self, other: Operand) -> Tensor: ...
    def bitwise_xor(self, other: Operand) -> Tensor: ...
    def bitwise_xor_(self, other: Operand) -> Tensor: ...
    def bmm(self, mat2: Tensor) -> Tensor:
        """[b, m, k] times [b, k, n]: [b, m, n]. No broadcasting. See matmul."""
    def bool(self) -> Tensor: ...
    def broadcast_to(self, shape: Sequence[builtins.int] | builtins.int) -> Tensor: ...
    def byte(self) -> Tensor: ...
    def ceil(self) -> Tensor: ...
    def ceil_(self) -> Tensor: ...
    def char(self) -> Tensor: ...
    def chunk(self, chunks: builtins.int, dim: builtins.int = 0) -> tuple:
        """At most `chunks` pieces of equal size but the last; views."""
    def clamp(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds."""
    def clamp_(self, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
    def clamp_max(self, max: Operand) -> Tensor: ...
    def clamp_max_(self, max: Operand) -> Tensor: ...
    def clamp_min(self, min: Operand) -> Tensor: ...
    def clamp_min_(self, min: Operand) -> Tensor: ...
    def clip(self, min: Operand | None = None, max: Operand | None = None) -> Tensor:
        """x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds."""
    def clip_(self, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
    def clone(self) -> Tensor:
        """A copy with memory of its own; the gradient passes through."""
    def contiguous(self) -> Tensor:
        """The tensor itself if its memory is in row-major order, else a copy that is."""
    def copy_(self, src: Tensor, non_blocking: builtins.bool = False) -> Tensor:
        """Copies src into this tensor: broadcast, converted, from any device. In place."""
    def cos(self) -> Tensor: ...
    def cos_(self) -> Tensor: ...
    def cosh(self) -> Tensor: ...
    def cosh_(self) -> Tensor: ...
    def count_nonzero(self, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
        """How many elements over `dim` are nonzero, as int64."""
    def cpu(self) -> Tensor: ...
    def cuda(self, device: builtins.int | None = None) -> Tensor: ...
    def cumsum(self, dim: builtins.int, *, dtype: _dtype | None = None) -> Tensor:
        """Running sums along dim. Integers give int64."""
    @property
    def data(self) -> Tensor: ...
    @data.setter
    def data(self, value: Any) -> None: ...
    def data_ptr(self) -> builtins.int:
        """Address of the first element."""
    def detach(self) -> Tensor:
        """The same memory, off the tape."""
    @property
    def device(self) -> _device: ...
    def dim(self) -> builtins.int:
        """Number of dimensions."""
    def div(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def div_(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def divide(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def dot(self, tensor: Tensor) -> Tensor:
        """Sum of the products of two vectors of one length: a tensor of no dimension."""
    def double(self) -> Tensor: ...
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
    def exp(self) -> Tensor: ...
    def exp2(self) -> Tensor: ...
    def exp2_(self) -> Tensor: ...
    def exp_(self) -> Tensor: ...
    def expand(self, *args: Any) -> Tensor:
        """Repeats dimensions of size 1 without copying; -1 keeps a size."""
    def expand_as(self, other: Tensor) -> Tensor: ...
    def expm1(self) -> Tensor: ...
    def expm1_(self) -> Tensor: ...
    def fill_(self, value: Operand) -> Tensor:
        """Sets every element to a number or to a 0-dimensional tensor. In place."""
    def fix(self) -> Tensor: ...
    def flatten(self, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
        """Merges dimensions start_dim..end_dim into one."""
    def float(self) -> Tensor: ...
    def floor(self) -> Tensor: ...
    def floor_(self) -> Tensor: ...
    def floor_divide(self, other: Operand) -> Tensor: ...
    def floor_divide_(self, other: Operand) -> Tensor: ...
    def fmod(self, other: Operand) -> Tensor: ...
    def fmod_(self, other: Operand) -> Tensor: ...
    def frac(self) -> Tensor:
        """x - trunc(x)"""
    def gather(self, dim: builtins.int, index: Tensor) -> Tensor:
        """Elements of the input by an index along dim; the index has as many dimensions and gives the shape."""
    def ge(self, other: Operand) -> Tensor: ...
    def ge_(self, other: Operand) -> Tensor: ...
    @property
    def grad(self) -> Tensor | None: ...
    @grad.setter
    def grad(self, value: Any) -> None: ...
    @property
    def grad_fn(self) -> Node | None: ...
    def greater(self, other: Operand) -> Tensor: ...
    def greater_equal(self, other: Operand) -> Tensor: ...
    def gt(self, other: Operand) -> Tensor: ...
    def gt_(self, other: Operand) -> Tensor: ...
    def half(self) -> Tensor: ...
    def hardsigmoid(self) -> Tensor: ...
    def hardsigmoid_(self) -> Tensor: ...
    def hardswish(self) -> Tensor: ...
    def hardswish_(self) -> Tensor: ...
    def index_add(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: builtins.float = 1.0) -> Tensor:
        """The input with alpha * source added to its slices index along dim, in order."""
    def index_add_(self, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: builtins.float = 1.0) -> Tensor:
        """The input with alpha * source added to its slices index along dim, in order."""
    def index_select(self, dim: builtins.int, index: Tensor) -> Tensor:
        """The slices along dim that an index names."""
    def int(self) -> Tensor: ...
    def is_contiguous(self) -> builtins.bool:
        """True if the elements lie in row-major order without gaps."""
    @property
    def is_cuda(self) -> builtins.bool: ...
    def is_floating_point(self) -> builtins.bool: ...
    def is_inference(self) -> builtins.bool:
        """True for a tensor made in inference mode."""
    @property
    def is_leaf(self) -> builtins.bool: ...
    def isclose(
        self,
        other: Tensor,
        rtol: builtins.float = 1e-05,
        atol: builtins.float = 1e-08,
        equal_nan: builtins.bool = False,
    ) -> Tensor:
        """Where |input - other| <= atol + rtol |other|."""
    def isfinite(self) -> Tensor: ...
    def isinf(self) -> Tensor: ...
    def isnan(self) -> Tensor: ...
    def item(self) -> Any:
        """The only element as a Python number. RuntimeError if there are more."""
    @property
    def itemsize(self) -> builtins.int: ...
    def le(self, other: Operand) -> Tensor: ...
    def le_(self, other: Operand) -> Tensor: ...
    def lerp(self, end: Tensor, weight: Operand) -> Tensor:
        """input + weight (end - input)."""
    def lerp_(self, end: Tensor, weight: Operand) -> Tensor: ...
    def less(self, other: Operand) -> Tensor: ...
    def less_equal(self, other: Operand) -> Tensor: ...
    def log(self) -> Tensor: ...
    def log10(self) -> Tensor: ...
    def log10_(self) -> Tensor: ...
    def log1p(self) -> Tensor: ...
    def log1p_(self) -> Tensor: ...
    def log2(self) -> Tensor: ...
    def log2_(self) -> Tensor: ...
    def log_(self) -> Tensor: ...
    def log_softmax(self, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
        """log(softmax(x, dim)), computed without leaving the logarithm. See softmax."""
    def logical_and(self, other: Operand) -> Tensor: ...
    def logical_and_(self, other: Operand) -> Tensor: ...
    def logical_not(self) -> Tensor: ...
    def logical_or(self, other: Operand) -> Tensor: ...
    def logical_or_(self, other: Operand) -> Tensor: ...
    def logical_xor(self, other: Operand) -> Tensor: ...
    def logical_xor_(self, other: Operand) -> Tensor: ...
    def logsigmoid(self) -> Tensor: ...
    def logsigmoid_(self) -> Tensor: ...
    def long(self) -> Tensor: ...
    def lt(self, other: Operand) -> Tensor: ...
    def lt_(self, other: Operand) -> Tensor: ...
    @property
    def mT(self) -> Tensor: ...
    def masked_fill(self, mask: Tensor, value: Operand) -> Tensor:
        """A copy with `value` where the mask holds."""
    def masked_fill_(self, mask: Tensor, value: Operand) -> Tensor: ...
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
    def max(self, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
        """Along `dim`: a named tuple (values, indices), the first position among equals."""
    @overload
    def max(self, other: Tensor) -> Tensor:
        """Of two tensors, element by element."""
    def maximum(self, other: Operand) -> Tensor: ...
    def maximum_(self, other: Operand) -> Tensor: ...
    def mean(
        self,
        dim: Sequence[builtins.int] | builtins.int | None = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _dtype | None = None,
    ) -> Tensor:
        """Mean over `dim` (an axis, several, or None for all). Floating dtypes only."""
    @overload
    def min(self) -> Tensor:
        """The extreme element, as a scalar."""
    @overload
    def min(self, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
        """Along `dim`: a named tuple (values, indices), the first position among equals."""
    @overload
    def min(self, other: Tensor) -> Tensor:
        """Of two tensors, element by element."""
    def minimum(self, other: Operand) -> Tensor: ...
    def minimum_(self, other: Operand) -> Tensor: ...
    def mish(self) -> Tensor: ...
    def mish_(self) -> Tensor: ...
    def mm(self, mat2: Tensor) -> Tensor:
        """[m, k] times [k, n]: [m, n]. No broadcasting. See matmul."""
    def movedim(
        self, source: Sequence[builtins.int] | builtins.int, destination: Sequence[builtins.int] | builtins.int
    ) -> Tensor:
        """Moves dimensions to new places; a view."""
    def mul(self, other: Operand) -> Tensor: ...
    def mul_(self, other: Operand) -> Tensor: ...
    def multinomial(
        self, num_samples: builtins.int, replacement: builtins.bool = False, *, generator: Generator | None = None
    ) -> Tensor:
        """Indices drawn with probabilities proportional to the weights, a vector or rows of them."""
    def multiply(self, other: Operand) -> Tensor: ...
    def mv(self, vec: Tensor) -> Tensor:
        """[m, k] times [k]: [m]. See matmul."""
    def narrow(self, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
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
    def nelement(self) -> builtins.int:
        """Number of elements."""
    def new_empty(self, *args: Any, dtype: _dtype | None = None, device: _device | None = None) -> Tensor: ...
    def new_ones(self, *args: Any, dtype: _dtype | None = None, device: _device | None = None) -> Tensor: ...
    def new_zeros(self, *args: Any, dtype: _dtype | None = None, device: _device | None = None) -> Tensor: ...
    def norm(
        self,
        p: Any = "fro",
        dim: Sequence[builtins.int] | builtins.int | None = None,
        keepdim: builtins.bool = False,
        dtype: _dtype | None = None,
    ) -> Tensor:
        """Vector norm of order p over `dim` (all by default): sum(|x|^p)^(1/p); 'fro' is 2, inf the largest, 0 counts."""
    def normal_(
        self, mean: builtins.float = 0.0, std: builtins.float = 1.0, *, generator: Generator | None = None
    ) -> Tensor:
        """Fills with normal numbers."""
    def not_equal(self, other: Operand) -> Tensor: ...
    def numel(self) -> builtins.int:
        """Number of elements."""
    def numpy(self, *, force: builtins.bool = False) -> Any:
        """A NumPy array over the same memory. TypeError for bfloat16 or a GPU tensor and RuntimeError for one that requires grad, unless force=True, which detaches and copies (bfloat16 as float32)."""
    def outer(self, vec2: Tensor) -> Tensor:
        """[m] and [n]: [m, n], each with each."""
    def permute(self, *args: Any) -> Tensor: ...
    def pow(self, other: Operand) -> Tensor: ...
    def pow_(self, other: Operand) -> Tensor: ...
    def prod(
        self, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None
    ) -> Tensor:
        """Product over one axis, or over all. Integers and bool multiply in int64."""
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
    @property
    def requires_grad(self) -> builtins.bool: ...
    @requires_grad.setter
    def requires_grad(self, value: Any) -> None: ...
    def requires_grad_(self: Any, requires_grad: builtins.bool = True) -> Any:
        """Sets requires_grad in place."""
    def reshape(self, *args: Any) -> Tensor: ...
    def reshape_as(self, other: Tensor) -> Tensor: ...
    def retain_grad(self) -> None:
        """Keeps .grad of a tensor that is not a leaf."""
    @property
    def retains_grad(self) -> builtins.bool: ...
    def round(self) -> Tensor: ...
    def round_(self) -> Tensor: ...
    def rsqrt(self) -> Tensor: ...
    def rsqrt_(self) -> Tensor: ...
    @overload
    def scatter(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """The input with elements, named by an index along dim, replaced by those of src or by one value."""
    @overload
    def scatter(self, dim: builtins.int, index: Tensor, value: builtins.float) -> Tensor: ...
    @overload
    def scatter_(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """The input with elements, named by an index along dim, replaced by those of src or by one value."""
    @overload
    def scatter_(self, dim: builtins.int, index: Tensor, value: builtins.float) -> Tensor: ...
    def scatter_add(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """The input with the elements of src added where an index along dim says, in order."""
    def scatter_add_(self, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
        """The input with the elements of src added where an index along dim says, in order."""
    def select(self, dim: builtins.int, index: builtins.int) -> Tensor:
        """One index of one dimension; a view."""
    def selu(self) -> Tensor: ...
    def selu_(self) -> Tensor: ...
    @property
    def shape(self) -> Size: ...
    def short(self) -> Tensor: ...
    def sigmoid(self) -> Tensor: ...
    def sigmoid_(self) -> Tensor: ...
    def sign(self) -> Tensor: ...
    def sign_(self) -> Tensor: ...
    def silu(self) -> Tensor: ...
    def silu_(self) -> Tensor: ...
    def sin(self) -> Tensor: ...
    def sin_(self) -> Tensor: ...
    def sinh(self) -> Tensor: ...
    def sinh_(self) -> Tensor: ...
    def size(self, dim: builtins.int | None = None) -> Any:
        """All sizes, or one."""
    def softmax(self, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
        """exp(x) / sum(exp(x)) along `dim`: same shape, each slice sums to 1. `dtype` converts the input first.
        IndexError if there is no such dim; NotImplementedError for integers."""
    def sort(self, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any:
        """(values, indices) in order along dim. Always stable; NaN counts as greatest."""
    def split(self, split_size: Any, dim: builtins.int = 0) -> tuple: ...
    def sqrt(self) -> Tensor: ...
    def sqrt_(self) -> Tensor: ...
    def square(self) -> Tensor: ...
    def square_(self) -> Tensor: ...
    def squeeze(self, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
        """Drops dimensions of size 1 (all, or those given)."""
    @overload
    def std(self, unbiased: builtins.bool) -> Tensor:
        """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""
    @overload
    def std(
        self,
        dim: Sequence[builtins.int] | builtins.int | None = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = None,
    ) -> Tensor:
        """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""
    @overload
    def std_mean(self, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
        """(std(x, …), mean(x, …))"""
    @overload
    def std_mean(
        self,
        dim: Sequence[builtins.int] | builtins.int | None = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(std(x, …), mean(x, …))"""
    def storage_offset(self) -> builtins.int:
        """First element's place in its buffer."""
    def stride(self, dim: builtins.int | None = None) -> Any:
        """Steps between neighbours, in elements."""
    def sub(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def sub_(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def subtract(self, other: Operand, *, alpha: builtins.float = 1.0) -> Tensor: ...
    def sum(
        self,
        dim: Sequence[builtins.int] | builtins.int | None = None,
        keepdim: builtins.bool = False,
        *,
        dtype: _dtype | None = None,
    ) -> Tensor:
        """Sum over `dim` (an axis, several, or None for all). Integers and bool add up in int64; `dtype` converts first."""
    def swapaxes(self, axis0: builtins.int, axis1: builtins.int) -> Tensor:
        """Alias of transpose."""
    def swapdims(self, axis0: builtins.int, axis1: builtins.int) -> Tensor:
        """Alias of transpose."""
    def t(self) -> Tensor:
        """Transpose of a matrix; a view."""
    def take_along_dim(self, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
        """gather() with broadcasting; of the flattened input without dim."""
    def tan(self) -> Tensor: ...
    def tan_(self) -> Tensor: ...
    def tanh(self) -> Tensor: ...
    def tanh_(self) -> Tensor: ...
    def to(
        self, *args: Any, device: _device | None = None, dtype: _dtype | None = None, copy: builtins.bool = False
    ) -> Tensor:
        """The tensor with another dtype and on another device: to(dtype), to(device), to(device, dtype), to(other). The tensor itself if nothing changes and copy is False."""
    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
    def topk(
        self, k: builtins.int, dim: builtins.int = -1, largest: builtins.bool = True, sorted: builtins.bool = True
    ) -> Any:
        """(values, indices) of the k largest or smallest along dim, in order; of equal ones the first."""
    def transpose(self, dim0: builtins.int, dim1: builtins.int) -> Tensor:
        """Swaps two dimensions; a view."""
    def tril(self, diagonal: builtins.int = 0) -> Tensor:
        """The lower triangle of matrices, up to a diagonal (0: the main one); the rest is 0."""
    def triu(self, diagonal: builtins.int = 0) -> Tensor:
        """The upper triangle of matrices, from a diagonal (0: the main one); the rest is 0."""
    def true_divide(self, other: Operand, *, rounding_mode: str | None = None) -> Tensor: ...
    def trunc(self) -> Tensor: ...
    def trunc_(self) -> Tensor: ...
    def type(
        self, *args: Any, device: _device | None = None, dtype: _dtype | None = None, copy: builtins.bool = False
    ) -> Tensor:
        """The tensor with another dtype."""
    def type_as(self, other: Tensor) -> Tensor:
        """The tensor with the dtype and on the device of another."""
    def unbind(self, dim: builtins.int = 0) -> tuple:
        """All indices of one dimension, as a tuple of views."""
    def unflatten(self, dim: builtins.int, sizes: Sequence[builtins.int] | builtins.int) -> Tensor:
        """Splits one dimension into several."""
    def uniform_(self, *args: Any, **kwargs: Any) -> Tensor:
        """Fills with uniform numbers in [from, to)."""
    def unsqueeze(self, dim: builtins.int) -> Tensor:
        """A new dimension of size 1."""
    @overload
    def var(self, unbiased: builtins.bool) -> Tensor:
        """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""
    @overload
    def var(
        self,
        dim: Sequence[builtins.int] | builtins.int | None = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = None,
    ) -> Tensor:
        """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""
    @overload
    def var_mean(self, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
        """(var(x, …), mean(x, …))"""
    @overload
    def var_mean(
        self,
        dim: Sequence[builtins.int] | builtins.int | None = None,
        unbiased: builtins.bool | None = None,
        keepdim: builtins.bool = False,
        *,
        correction: builtins.float | None = None,
    ) -> tuple[Tensor, Tensor]:
        """(var(x, …), mean(x, …))"""
    @overload
    def view(self, dtype: _dtype) -> Tensor:
        """The same bytes read as another dtype of the same size; off the tape."""
    @overload
    def view(self, *args: Any) -> Tensor:
        """As reshape, but never copies: RuntimeError where no view can do it."""
    def view_as(self, other: Tensor) -> Tensor: ...
    def where(self, condition: Tensor, other: Operand) -> Tensor: ...
    def zero_(self) -> Tensor:
        """Sets every element to zero. In place."""

def abs(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def abs_(input: Tensor) -> Tensor: ...
def absolute(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def acos(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def acos_(input: Tensor) -> Tensor: ...
def adam_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    max_exp_avg_sqs: Sequence[Tensor],
    steps: Sequence[Tensor],
    lr: Any,
    beta1: builtins.float = 0.9,
    beta2: builtins.float = 0.999,
    eps: builtins.float = 1e-08,
    weight_decay: builtins.float = 0.0,
    amsgrad: builtins.bool = False,
    maximize: builtins.bool = False,
    grad_scale: Any | None = None,
) -> None:
    """One step of Adam over lists of tensors of equal shapes, in place; steps (float32, one element each) are counted up here. max_exp_avg_sqs is empty unless amsgrad. Kingma and Ba 2015; Loshchilov and Hutter 2019."""

def adamw_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    exp_avgs: Sequence[Tensor],
    exp_avg_sqs: Sequence[Tensor],
    max_exp_avg_sqs: Sequence[Tensor],
    steps: Sequence[Tensor],
    lr: Any,
    beta1: builtins.float = 0.9,
    beta2: builtins.float = 0.999,
    eps: builtins.float = 1e-08,
    weight_decay: builtins.float = 0.01,
    amsgrad: builtins.bool = False,
    maximize: builtins.bool = False,
    grad_scale: Any | None = None,
) -> None:
    """One step of Adam over lists of tensors of equal shapes, in place; steps (float32, one element each) are counted up here. max_exp_avg_sqs is empty unless amsgrad. Kingma and Ba 2015; Loshchilov and Hutter 2019."""

def adaptive_avg_pool1d(input: Tensor, output_size: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Mean over output_size windows of [N, C, L] or [C, L]; see adaptive_avg_pool2d."""

def adaptive_avg_pool2d(input: Tensor, output_size: Any) -> Tensor:
    """Mean over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to ceil((i+1) H / out).
    None in output_size keeps that axis."""

def adaptive_max_pool1d(
    input: Tensor, output_size: Sequence[builtins.int] | builtins.int, return_indices: builtins.bool = False
) -> Any:
    """Maximum over output_size windows of [N, C, L] or [C, L]; see adaptive_max_pool2d."""

def adaptive_max_pool2d(input: Tensor, output_size: Any, return_indices: builtins.bool = False) -> Any:
    """Maximum over output_size windows that cover [.., H, W]: window i spans floor(i H / out) to ceil((i+1) H / out).
    None in output_size keeps that axis."""

def add(input: Operand, other: Operand, *, alpha: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input plus (minus) alpha * other."""

def addcdiv(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor:
    """input + value * tensor1 * tensor2 (addcdiv: / tensor2)."""

def addcmul(input: Tensor, tensor1: Tensor, tensor2: Tensor, *, value: builtins.float = 1.0) -> Tensor:
    """input + value * tensor1 * tensor2 (addcdiv: / tensor2)."""

def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0
) -> Tensor:
    """beta * input + alpha * mat1 @ mat2 for matrices; `input` broadcasts to [m, n]. beta = 0 ignores it."""

def all(
    input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False
) -> Tensor:
    """Whether all elements over `dim` are nonzero."""

def allclose(
    input: Tensor,
    other: Tensor,
    rtol: builtins.float = 1e-05,
    atol: builtins.float = 1e-08,
    equal_nan: builtins.bool = False,
) -> builtins.bool:
    """True if isclose() holds everywhere."""

def amax(
    input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False
) -> Tensor:
    """Largest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""

def amin(
    input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False
) -> Tensor:
    """Smallest elements over `dim`; the gradient is shared evenly among equals. IndexError if there are none."""

def any(
    input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None, keepdim: builtins.bool = False
) -> Tensor:
    """Whether any element over `dim` is nonzero."""

def arange(
    start: Any,
    end: Any | None = None,
    step: Any = 1,
    *,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Values from start (0) up to, not including, end. int64 if all arguments are ints, else float32."""

def argmax(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Position of the largest element along `dim` (or in the flattened tensor), the first of equals."""

def argmin(input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False) -> Tensor:
    """Position of the smallest element along `dim` (or in the flattened tensor), the first of equals."""

def argsort(
    input: Tensor, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True
) -> Tensor:
    """Where the elements in order are, along dim. Always stable."""

def as_tensor(data: Any, dtype: _dtype | None = None, device: _device | None = None) -> Tensor:
    """As tensor(), but shares memory with a NumPy array or tensor where nothing has to change."""

def asin(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def asin_(input: Tensor) -> Tensor: ...
def atan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def atan2(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def atan_(input: Tensor) -> Tensor: ...
def avg_pool1d(
    input: Tensor,
    kernel_size: Sequence[builtins.int] | builtins.int,
    stride: Sequence[builtins.int] | builtins.int | None = None,
    padding: Sequence[builtins.int] | builtins.int = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
) -> Tensor:
    """Mean over windows of [N, C, L] or [C, L]; see avg_pool2d."""

def avg_pool2d(
    input: Tensor,
    kernel_size: Sequence[builtins.int] | builtins.int,
    stride: Sequence[builtins.int] | builtins.int | None = None,
    padding: Sequence[builtins.int] | builtins.int = 0,
    ceil_mode: builtins.bool = False,
    count_include_pad: builtins.bool = True,
    divisor_override: builtins.int | None = None,
) -> Tensor:
    """Mean over windows of [N, C, H, W] or [C, H, W]. The divisor is the window's size with the zero padding, or
    without it (count_include_pad=False), or divisor_override."""

def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: builtins.float = 1.0, alpha: builtins.float = 1.0
) -> Tensor:
    """beta * input + alpha * batch1 @ batch2 for batches of matrices; `input` broadcasts to [b, m, n]."""

def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: builtins.bool = False,
    momentum: builtins.float = 0.1,
    eps: builtins.float = 1e-05,
) -> Tensor:
    """Shifts and scales each channel of [N, C, ...] to mean 0 and variance 1, then y * weight + bias. When training, by
    the statistics of the batch, which also move running_mean and running_var (unbiased variance) in place by
    `momentum`; else by the running statistics. ValueError for a single value per channel in training.
    Ioffe, Szegedy, Batch Normalization, 2015."""

def bernoulli(input: Tensor, *, generator: Generator | None = None) -> Tensor:
    """1 with the probability that the element states, else 0."""

def binary_cross_entropy(
    input: Tensor, target: Tensor, weight: Tensor | None = None, *, reduction: str = "mean"
) -> Tensor:
    """-(target log(input) + (1 - target) log(1 - input)); the logarithms stop at -100. RuntimeError for an input
    outside [0, 1]."""

def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """binary_cross_entropy(sigmoid(input), target) computed without overflow; pos_weight multiplies the positive part."""

def bitwise_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_not(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_not_(input: Tensor) -> Tensor: ...
def bitwise_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bitwise_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """[b, m, k] times [b, k, n]: [b, m, n]. No broadcasting. See matmul."""

def broadcast_to(input: Tensor, shape: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Expands to a shape; a view."""

def cat(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted."""

def ceil(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def ceil_(input: Tensor) -> Tensor: ...
def chunk(input: Tensor, chunks: builtins.int, dim: builtins.int = 0) -> tuple:
    """At most `chunks` pieces of equal size but the last; views."""

def clamp(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds."""

def clamp_(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
def clamp_max(input: Tensor, max: Operand) -> Tensor: ...
def clamp_max_(input: Tensor, max: Operand) -> Tensor: ...
def clamp_min(input: Tensor, min: Operand) -> Tensor: ...
def clamp_min_(input: Tensor, min: Operand) -> Tensor: ...
def clip(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor:
    """x kept within [min, max], numbers or tensors; NaN stays NaN. The gradient passes at the bounds."""

def clip_(input: Tensor, min: Operand | None = None, max: Operand | None = None) -> Tensor: ...
def clone(input: Tensor) -> Tensor:
    """A copy with memory of its own; the gradient passes through."""

def concat(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted."""

def concatenate(tensors: Sequence[Tensor], dim: builtins.int = 0) -> Tensor:
    """Joins tensors along an existing dimension. Sizes of the others must match; dtypes are promoted."""

def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[builtins.int] | builtins.int = 1,
    padding: str | Sequence[builtins.int] | builtins.int = 0,
    dilation: Sequence[builtins.int] | builtins.int = 1,
    groups: builtins.int = 1,
) -> Tensor:
    """Cross-correlation of [N, C, L] or [C, L] with weight [out, C / groups, k], plus bias [out]; see conv2d."""

def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[builtins.int] | builtins.int = 1,
    padding: str | Sequence[builtins.int] | builtins.int = 0,
    dilation: Sequence[builtins.int] | builtins.int = 1,
    groups: builtins.int = 1,
) -> Tensor:
    """Cross-correlation of [N, C, H, W] or [C, H, W] with weight [out, C / groups, kh, kw], plus bias [out].
    padding: a number, a pair, 'valid' or 'same' (stride 1). RuntimeError when the channels do not match or the
    kernel is larger than the padded input."""

def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[builtins.int] | builtins.int = 1,
    padding: Sequence[builtins.int] | builtins.int = 0,
    output_padding: Sequence[builtins.int] | builtins.int = 0,
    groups: builtins.int = 1,
    dilation: Sequence[builtins.int] | builtins.int = 1,
) -> Tensor:
    """The transpose of conv1d: [N, C, L] or [C, L] with weight [C, out / groups, k]; see conv_transpose2d."""

def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Sequence[builtins.int] | builtins.int = 1,
    padding: Sequence[builtins.int] | builtins.int = 0,
    output_padding: Sequence[builtins.int] | builtins.int = 0,
    groups: builtins.int = 1,
    dilation: Sequence[builtins.int] | builtins.int = 1,
) -> Tensor:
    """The transpose of conv2d (its gradient with respect to the input) as an operation: [N, C, H, W] or [C, H, W] with
    weight [C, out / groups, kh, kw], plus bias [out]. An output size is
    (H - 1) * stride - 2 * padding + dilation * (kh - 1) + output_padding + 1."""

def cos(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def cos_(input: Tensor) -> Tensor: ...
def cosh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def cosh_(input: Tensor) -> Tensor: ...
def count_nonzero(input: Tensor, dim: Sequence[builtins.int] | builtins.int | None = None) -> Tensor:
    """How many elements over `dim` are nonzero, as int64."""

def cpu_isa() -> str:
    """The instruction set of the CPU kernels in use."""

def cpu_isas() -> list[str]:
    """The instruction sets that this build has and this processor runs, best first."""

def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: builtins.int = -100,
    reduction: str = "mean",
    label_smoothing: builtins.float = 0.0,
) -> Tensor:
    """Cross-entropy between logits [C], [N, C] or [N, C, ...] and class labels (the same shape without C) or class
    probabilities (the same shape). The mean is weighted by `weight` [C] of the labels; targets equal to ignore_index
    do not count, and if none counts the mean is 0. IndexError for other labels outside [0, C)."""

def csr_matmul(
    crow_indices: Tensor,
    col_indices: Tensor,
    values: Tensor,
    dense: Tensor,
    *,
    transposed: tuple[Tensor, Tensor, Tensor] | None = None,
) -> Tensor:
    """A sparse matrix in CSR form times dense [columns, n] (or [columns]): [rows, n]. Row r has values[k] in column
    col_indices[k] for k from crow_indices[r] to crow_indices[r + 1]. Gradients reach values and dense. That of
    dense needs the transpose, which is built in backward unless csr_transpose(...) is given as `transposed`:
    build it once for a graph that is used many times."""

def csr_transpose(
    crow_indices: Tensor, col_indices: Tensor, num_columns: builtins.int
) -> tuple[Tensor, Tensor, Tensor]:
    """The transpose of a CSR structure: (crow_indices, col_indices, order), where values[order] are its values."""

def cumsum(input: Tensor, dim: builtins.int, *, dtype: _dtype | None = None) -> Tensor:
    """Running sums along dim. Integers give int64."""

def detach(input: Tensor) -> Tensor:
    """The same memory, off the tape."""

def div(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """True division; rounded towards zero ('trunc') or down ('floor') on demand."""

def divide(input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """True division; rounded towards zero ('trunc') or down ('floor') on demand."""

def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Sum of the products of two vectors of one length: a tensor of no dimension."""

def dropout(
    input: Tensor, p: builtins.float = 0.5, training: builtins.bool = True, inplace: builtins.bool = False
) -> Tensor:
    """Zeroes each element with probability p and multiplies the others by 1 / (1 - p); the input itself unless training. Srivastava et al. 2014."""

def elu(input: Tensor, alpha: builtins.float = 1.0, inplace: builtins.bool = False) -> Tensor:
    """x, or alpha (e^x - 1) below zero. https://arxiv.org/abs/1511.07289"""

def elu_(input: Tensor, alpha: builtins.float = 1.0) -> Tensor: ...
def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: builtins.int | None = None,
    max_norm: Any | None = None,
    norm_type: builtins.float = 2.0,
    scale_grad_by_freq: builtins.bool = False,
    sparse: builtins.bool = False,
) -> Tensor:
    """Rows of weight [rows, cols] by id: input [...] of integers gives [..., cols]. IndexError names an id that is out of range. The row padding_idx gets no gradient."""

def empty(
    *args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
    """A new tensor; sizes as ints or as one sequence. dtype float32 unless given."""

def empty_cache() -> None:
    """Gives cached CPU memory back to the system."""

def empty_like(
    input: Tensor, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
    """A new tensor with the shape, dtype and device of another, unless given."""

def eq(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def equal(input: Tensor, other: Tensor) -> builtins.bool:
    """True if both have one shape and equal elements."""

def erf(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def erf_(input: Tensor) -> Tensor: ...
def exp(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def exp2(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def exp2_(input: Tensor) -> Tensor: ...
def exp_(input: Tensor) -> Tensor: ...
def expm1(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def expm1_(input: Tensor) -> Tensor: ...
def eye(
    n: builtins.int,
    m: builtins.int | None = None,
    *,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Ones on the diagonal of an n x m matrix."""

def fix(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def flatten(input: Tensor, start_dim: builtins.int = 0, end_dim: builtins.int = -1) -> Tensor:
    """Merges dimensions start_dim..end_dim into one."""

def floor(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def floor_(input: Tensor) -> Tensor: ...
def floor_divide(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def fmod(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def frac(input: Tensor) -> Tensor:
    """x - trunc(x)"""

def from_numpy(ndarray: Any) -> Tensor:
    """A tensor over the array's own memory (a copy if its strides are negative or its bytes swapped)."""

def full(
    size: Sequence[builtins.int] | builtins.int,
    fill_value: Any,
    *,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """A tensor filled with one value."""

def full_like(
    input: Tensor, fill_value: Any, *, dtype: _dtype | None = None, device: _device | None = None
) -> Tensor: ...
def gather(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor:
    """Elements of the input by an index along dim; the index has as many dimensions and gives the shape."""

def ge(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """x P(X <= x) for a standard normal X; 'tanh' approximates it. https://arxiv.org/abs/1606.08415"""

def get_default_dtype() -> _dtype: ...
def get_num_threads() -> builtins.int:
    """The same as num_threads()."""

def get_rng_state() -> Tensor:
    """The default generator's state."""

def grad_norm(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all the tensors together, summed in float64: a float32 tensor of no dimensions."""

def greater(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def greater_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def gt(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def hardsigmoid(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def hardsigmoid_(input: Tensor) -> Tensor: ...
def hardswish(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def hardswish_(input: Tensor) -> Tensor: ...
def hardtanh(
    input: Tensor, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0, inplace: builtins.bool = False
) -> Tensor:
    """x kept within [min_val, max_val]; no gradient at the bounds and beyond."""

def hardtanh_(input: Tensor, min_val: builtins.float = -1.0, max_val: builtins.float = 1.0) -> Tensor: ...
def hstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joins along columns (along the only dimension of 1-D tensors)."""

def huber_loss(
    input: Tensor, target: Tensor, reduction: str = "mean", delta: builtins.float = 1.0, weight: Tensor | None = None
) -> Tensor:
    """d^2 / 2 where |d| <= delta and delta (|d| - delta / 2) elsewhere, d = input - target."""

def index_add(
    input: Tensor, dim: builtins.int, index: Tensor, source: Tensor, *, alpha: builtins.float = 1.0
) -> Tensor:
    """The input with alpha * source added to its slices index along dim, in order."""

def index_select(input: Tensor, dim: builtins.int, index: Tensor) -> Tensor:
    """The slices along dim that an index names."""

def initial_seed() -> builtins.int:
    """The default generator's seed."""

def is_floating_point(input: Tensor) -> builtins.bool: ...
def is_grad_enabled() -> builtins.bool:
    """Whether operations of this thread are recorded."""

def is_inference(input: Tensor) -> builtins.bool:
    """True for a tensor made in inference mode."""

def is_inference_mode_enabled() -> builtins.bool:
    """Whether this thread is in inference_mode()."""

def is_tensor(obj: Any) -> builtins.bool: ...
def isclose(
    input: Tensor,
    other: Tensor,
    rtol: builtins.float = 1e-05,
    atol: builtins.float = 1e-08,
    equal_nan: builtins.bool = False,
) -> Tensor:
    """Where |input - other| <= atol + rtol |other|."""

def isfinite(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def isinf(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def isnan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def kl_div(input: Tensor, target: Tensor, *, reduction: str = "mean", log_target: builtins.bool = False) -> Tensor:
    """target (log(target) - input), input being log-probabilities; 'batchmean' is the divergence per item."""

def l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """|input - target|, reduced by 'mean', 'sum' or 'none'; shapes broadcast."""

def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[builtins.int] | builtins.int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: builtins.float = 1e-05,
) -> Tensor:
    """Shifts and scales the last dimensions (normalized_shape) to mean 0 and variance 1, then y * weight + bias.
    weight and bias have normalized_shape. RuntimeError where shapes do not fit.
    Ba, Kiros, Hinton, Layer Normalization, 2016."""

def le(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def leaky_relu(input: Tensor, negative_slope: builtins.float = 0.01, inplace: builtins.bool = False) -> Tensor:
    """x, or negative_slope x below zero."""

def leaky_relu_(input: Tensor, negative_slope: builtins.float = 0.01) -> Tensor: ...
def lerp(input: Tensor, end: Tensor, weight: Operand) -> Tensor:
    """input + weight (end - input)."""

def less(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def less_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias: [..., in], [out, in] and [out] give [..., out]. RuntimeError where they do not fit."""

def linear_act(input: Tensor, weight: Tensor, bias: Tensor | None, act: str) -> Tensor:
    """act(linear(input, weight, bias)) in one pass: 'none', 'relu', 'gelu', 'gelu_tanh' or 'silu'."""

def linear_scan(
    a: Tensor, b: Tensor, dim: builtins.int, initial: Tensor | None = None, reverse: builtins.bool = False
) -> Tensor:
    """h[t] = a[t] * h[t - 1] + b[t] along dim, for all t, where h[-1] is `initial` (the shape without dim) or 0:
    the recurrence of state-space models and of exponential averages. a and b broadcast. reverse runs from the end.
    The same bits for any number of threads; differentiable any number of times."""

def linspace(
    start: builtins.float,
    end: builtins.float,
    steps: builtins.int,
    *,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """`steps` values from start to end, both included."""

def log(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log10(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log10_(input: Tensor) -> Tensor: ...
def log1p(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log1p_(input: Tensor) -> Tensor: ...
def log2(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def log2_(input: Tensor) -> Tensor: ...
def log_(input: Tensor) -> Tensor: ...
def log_softmax(input: Tensor, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
    """log(softmax(x, dim)), computed without leaving the logarithm. See softmax."""

def logical_and(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logical_not(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def logical_or(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logical_xor(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def logsigmoid(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def logsigmoid_(input: Tensor) -> Tensor: ...
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
def max(input: Tensor, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
    """Along `dim`: a named tuple (values, indices), the first position among equals."""

@overload
def max(input: Tensor, other: Tensor) -> Tensor:
    """Of two tensors, element by element."""

def max_pool1d(
    input: Tensor,
    kernel_size: Sequence[builtins.int] | builtins.int,
    stride: Sequence[builtins.int] | builtins.int | None = None,
    padding: Sequence[builtins.int] | builtins.int = 0,
    dilation: Sequence[builtins.int] | builtins.int = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any:
    """Maximum over windows of [N, C, L] or [C, L]; see max_pool2d."""

def max_pool2d(
    input: Tensor,
    kernel_size: Sequence[builtins.int] | builtins.int,
    stride: Sequence[builtins.int] | builtins.int | None = None,
    padding: Sequence[builtins.int] | builtins.int = 0,
    dilation: Sequence[builtins.int] | builtins.int = 1,
    ceil_mode: builtins.bool = False,
    return_indices: builtins.bool = False,
) -> Any:
    """Maximum over windows of [N, C, H, W] or [C, H, W]. `stride` defaults to kernel_size; padding counts as -inf.
    With return_indices also the positions in the H x W plane, as int64. RuntimeError when the window does not fit."""

def maximum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def mean(
    input: Tensor,
    dim: Sequence[builtins.int] | builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _dtype | None = None,
) -> Tensor:
    """Mean over `dim` (an axis, several, or None for all). Floating dtypes only."""

def memory_stats() -> dict:
    """CPU memory: bytes in use, their peak, bytes cached for reuse; allocations so far, and how many came from the cache."""

@overload
def min(input: Tensor) -> Tensor:
    """The extreme element, as a scalar."""

@overload
def min(input: Tensor, dim: builtins.int, keepdim: builtins.bool = False) -> Any:
    """Along `dim`: a named tuple (values, indices), the first position among equals."""

@overload
def min(input: Tensor, other: Tensor) -> Tensor:
    """Of two tensors, element by element."""

def minimum(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def mish(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def mish_(input: Tensor) -> Tensor: ...
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """[m, k] times [k, n]: [m, n]. No broadcasting. See matmul."""

def movedim(
    input: Tensor, source: Sequence[builtins.int] | builtins.int, destination: Sequence[builtins.int] | builtins.int
) -> Tensor:
    """Moves dimensions to new places; a view."""

def mse_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", weight: Tensor | None = None) -> Tensor:
    """(input - target)^2, reduced by 'mean', 'sum' or 'none'; shapes broadcast."""

def mul(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def multinomial(
    input: Tensor, num_samples: builtins.int, replacement: builtins.bool = False, *, generator: Generator | None = None
) -> Tensor:
    """Indices drawn with probabilities proportional to the weights, a vector or rows of them."""

def multiply(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """[m, k] times [k]: [m]. See matmul."""

def narrow(input: Tensor, dim: builtins.int, start: builtins.int, length: builtins.int) -> Tensor:
    """A stretch of one dimension; a view."""

def ne(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def neg(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def neg_(input: Tensor) -> Tensor: ...
def negative(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    *,
    ignore_index: builtins.int = -100,
    reduction: str = "mean",
) -> Tensor:
    """Negative log-likelihood of class labels under log-probabilities [C], [N, C] or [N, C, ...]. See cross_entropy."""

def norm(
    input: Tensor,
    p: Any = "fro",
    dim: Sequence[builtins.int] | builtins.int | None = None,
    keepdim: builtins.bool = False,
    dtype: _dtype | None = None,
) -> Tensor:
    """Vector norm of order p over `dim` (all by default): sum(|x|^p)^(1/p); 'fro' is 2, inf the largest, 0 counts."""

def normal(
    mean: builtins.float,
    std: builtins.float,
    size: Sequence[builtins.int] | builtins.int,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
) -> Tensor:
    """Normal numbers of this mean and deviation."""

def not_equal(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def num_threads() -> builtins.int:
    """Threads that operations use: WEFT_NUM_THREADS, else affinity and CPU quota."""

def numel(input: Tensor) -> builtins.int:
    """Number of elements."""

def one_hot(tensor: Tensor, num_classes: builtins.int = -1) -> Tensor:
    """1 at the class number, else 0, along a new last dimension; num_classes: default one more than the largest."""

def ones(
    *args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
    """A new tensor; sizes as ints or as one sequence. dtype float32 unless given."""

def ones_like(
    input: Tensor, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
    """A new tensor with the shape, dtype and device of another, unless given."""

def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """[m] and [n]: [m, n], each with each."""

def permute(input: Tensor, dims: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Reorders the dimensions; a view."""

def pow(input: Operand, other: Operand, *, out: Tensor | None = None) -> Tensor: ...
def prod(
    input: Tensor, dim: builtins.int | None = None, keepdim: builtins.bool = False, *, dtype: _dtype | None = None
) -> Tensor:
    """Product over one axis, or over all. Integers and bool multiply in int64."""

def promote_types(type1: _dtype, type2: _dtype) -> _dtype:
    """The dtype that holds both."""

def rand(
    *args: Any,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1); sizes as ints or as one sequence."""

def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Uniform numbers in [0, 1); sizes as ints or as one sequence."""

@overload
def randint(
    high: builtins.int,
    size: Sequence[builtins.int] | builtins.int,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
) -> Tensor: ...
@overload
def randint(
    low: builtins.int,
    high: builtins.int,
    size: Sequence[builtins.int] | builtins.int,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
) -> Tensor:
    """Integers from low (0) up to, not including, high; int64 unless another dtype is given."""

def randn(
    *args: Any,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1; sizes as ints or as one sequence."""

def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: _dtype | None = None,
    device: _device | None = None,
    requires_grad: builtins.bool = False,
) -> Tensor:
    """Normal numbers of mean 0 and variance 1; sizes as ints or as one sequence."""

def randperm(
    n: builtins.int, *, generator: Generator | None = None, dtype: _dtype | None = None, device: _device | None = None
) -> Tensor:
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

def round(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def round_(input: Tensor) -> Tensor: ...
def rsqrt(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def rsqrt_(input: Tensor) -> Tensor: ...
def scale_(tensors: Sequence[Tensor], scale: Any) -> None:
    """Multiplies each tensor by a number, or by a float32 tensor of one element."""

def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: builtins.float = 0.0,
    is_causal: builtins.bool = False,
    scale: builtins.float | None = None,
    enable_gqa: builtins.bool = False,
) -> Tensor:
    """softmax(scale * query key^T + attn_mask) value for query [..., L, E], key [..., S, E], value [..., S, Ev], by
    blocks: the L x S scores are never stored. attn_mask broadcasts to [..., L, S]; bool means True attends, floats
    are added. scale defaults to 1 / sqrt(E). dropout_p always applies. enable_gqa: the heads (dimension -3) of query
    are a multiple of those of key and value. A query that may attend to nothing gives zeros and zero gradients.
    Dao 2023, https://arxiv.org/abs/2307.08691."""

@overload
def scatter(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
    """The input with elements, named by an index along dim, replaced by those of src or by one value."""

@overload
def scatter(input: Tensor, dim: builtins.int, index: Tensor, value: builtins.float) -> Tensor: ...
def scatter_add(input: Tensor, dim: builtins.int, index: Tensor, src: Tensor) -> Tensor:
    """The input with the elements of src added where an index along dim says, in order."""

def seed() -> builtins.int:
    """Seeds the default generator from the system's entropy and returns the seed."""

def segment_max(
    data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False
) -> Tensor:
    """The largest of each segment, -inf (or the lowest integer) for an empty one. The gradient is shared by
    equal elements. See segment_sum."""

def segment_mean(
    data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False
) -> Tensor:
    """The mean of each segment, 0 for an empty one. See segment_sum."""

def segment_min(
    data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False
) -> Tensor:
    """The smallest of each segment, inf (or the highest integer) for an empty one. See segment_max."""

def segment_softmax(
    data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False
) -> Tensor:
    """Softmax of data [n, ...] over the rows of each segment, the attention of a graph: same shape. See segment_sum."""

def segment_sum(
    data: Tensor, segment_ids: Tensor, num_segments: builtins.int | None = None, sorted: builtins.bool = False
) -> Tensor:
    """Sums of the rows of data [n, ...] that share an id: [num_segments, ...], where row s sums the data[i]
    with segment_ids[i] == s, in their order: the same bits for any number of threads. num_segments
    defaults to the largest id + 1. Ids may come in any order; sorted=True says that they ascend, which
    saves grouping them. An empty segment is 0. IndexError names an id that is out of range."""

def select(input: Tensor, dim: builtins.int, index: builtins.int) -> Tensor:
    """One index of one dimension; a view."""

def selu(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def selu_(input: Tensor) -> Tensor: ...
def set_cache_limit(bytes: builtins.int) -> None:
    """Bytes of CPU memory kept for reuse. Default: an eighth of the machine's, at most 1 GiB."""

def set_cpu_isa(name: str) -> None:
    """Chooses the CPU kernels; WEFT_CPU_ISA does so from the start."""

def set_default_dtype(d: _dtype) -> None: ...
def set_num_threads(threads: builtins.int) -> None:
    """Sets the number of threads that operations use. Results do not depend on it."""

def set_rng_state(new_state: Tensor) -> None:
    """Sets the default generator's state."""

def sgd_step(
    params: Sequence[Tensor],
    grads: Sequence[Tensor],
    momentum_buffers: Sequence[Tensor],
    lr: Any,
    momentum: builtins.float = 0.0,
    dampening: builtins.float = 0.0,
    weight_decay: builtins.float = 0.0,
    nesterov: builtins.bool = False,
    maximize: builtins.bool = False,
    first: builtins.bool = False,
    grad_scale: Any | None = None,
) -> None:
    """One step of SGD over lists of tensors of equal shapes, in place. momentum_buffers is empty if momentum == 0; first: the buffers hold nothing yet (with dampening == 0, zeros do as well)."""

def sigmoid(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sigmoid_(input: Tensor) -> Tensor: ...
def sign(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sign_(input: Tensor) -> Tensor: ...
def silu(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def silu_(input: Tensor) -> Tensor: ...
def sin(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sin_(input: Tensor) -> Tensor: ...
def sinh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def sinh_(input: Tensor) -> Tensor: ...
def smooth_l1_loss(input: Tensor, target: Tensor, *, reduction: str = "mean", beta: builtins.float = 1.0) -> Tensor:
    """d^2 / (2 beta) where |d| < beta and |d| - beta / 2 elsewhere, d = input - target."""

def softmax(input: Tensor, dim: builtins.int, dtype: _dtype | None = None) -> Tensor:
    """exp(x) / sum(exp(x)) along `dim`: same shape, each slice sums to 1. `dtype` converts the input first.
    IndexError if there is no such dim; NotImplementedError for integers."""

def softplus(input: Tensor, beta: builtins.float = 1.0, threshold: builtins.float = 20.0) -> Tensor:
    """log(1 + exp(beta x)) / beta; x itself where beta x exceeds the threshold."""

def sort(input: Tensor, dim: builtins.int = -1, descending: builtins.bool = False, stable: builtins.bool = True) -> Any:
    """(values, indices) in order along dim. Always stable; NaN counts as greatest."""

def split(tensor: Tensor, split_size_or_sections: Any, dim: builtins.int = 0) -> tuple:
    """Pieces of split_size (the last may be smaller), or of the sizes given; views."""

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
def std(
    input: Tensor,
    dim: Sequence[builtins.int] | builtins.int | None = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = None,
) -> Tensor:
    """Standard deviation over `dim`; see var. Its gradient is 0 where it is 0."""

@overload
def std_mean(input: Tensor, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
    """(std(x, …), mean(x, …))"""

@overload
def std_mean(
    input: Tensor,
    dim: Sequence[builtins.int] | builtins.int | None = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = None,
) -> tuple[Tensor, Tensor]:
    """(std(x, …), mean(x, …))"""

def sub(input: Operand, other: Operand, *, alpha: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input plus (minus) alpha * other."""

def subtract(input: Operand, other: Operand, *, alpha: builtins.float = 1.0, out: Tensor | None = None) -> Tensor:
    """input plus (minus) alpha * other."""

def sum(
    input: Tensor,
    dim: Sequence[builtins.int] | builtins.int | None = None,
    keepdim: builtins.bool = False,
    *,
    dtype: _dtype | None = None,
) -> Tensor:
    """Sum over `dim` (an axis, several, or None for all). Integers and bool add up in int64; `dtype` converts first."""

def swapaxes(input: Tensor, axis0: builtins.int, axis1: builtins.int) -> Tensor:
    """Alias of transpose."""

def swapdims(input: Tensor, axis0: builtins.int, axis1: builtins.int) -> Tensor:
    """Alias of transpose."""

def t(input: Tensor) -> Tensor:
    """Transpose of a matrix; a view."""

def take_along_dim(input: Tensor, indices: Tensor, dim: builtins.int | None = None) -> Tensor:
    """gather() with broadcasting; of the flattened input without dim."""

def tan(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def tan_(input: Tensor) -> Tensor: ...
def tanh(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def tanh_(input: Tensor) -> Tensor: ...
def tensor(
    data: Any, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
    """A new tensor from numbers, nested sequences or an array; always a copy. Python floats become float32."""

def topk(
    input: Tensor, k: builtins.int, dim: builtins.int = -1, largest: builtins.bool = True, sorted: builtins.bool = True
) -> Any:
    """(values, indices) of the k largest or smallest along dim, in order; of equal ones the first."""

def transpose(input: Tensor, dim0: builtins.int, dim1: builtins.int) -> Tensor:
    """Swaps two dimensions; a view."""

def tril(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """The lower triangle of matrices, up to a diagonal (0: the main one); the rest is 0."""

def triu(input: Tensor, diagonal: builtins.int = 0) -> Tensor:
    """The upper triangle of matrices, from a diagonal (0: the main one); the rest is 0."""

def true_divide(
    input: Operand, other: Operand, *, rounding_mode: str | None = None, out: Tensor | None = None
) -> Tensor:
    """True division; rounded towards zero ('trunc') or down ('floor') on demand."""

def trunc(input: Tensor, inplace: builtins.bool = False, *, out: Tensor | None = None) -> Tensor: ...
def trunc_(input: Tensor) -> Tensor: ...
def unbind(input: Tensor, dim: builtins.int = 0) -> tuple:
    """All indices of one dimension, as a tuple of views."""

def unflatten(input: Tensor, dim: builtins.int, sizes: Sequence[builtins.int] | builtins.int) -> Tensor:
    """Splits one dimension into several."""

def unsqueeze(input: Tensor, dim: builtins.int) -> Tensor:
    """A new dimension of size 1."""

@overload
def var(input: Tensor, unbiased: builtins.bool) -> Tensor:
    """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""

@overload
def var(
    input: Tensor,
    dim: Sequence[builtins.int] | builtins.int | None = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = None,
) -> Tensor:
    """Variance over `dim`: squares divided by n - correction (1 unless given, 0 if not unbiased)."""

@overload
def var_mean(input: Tensor, unbiased: builtins.bool) -> tuple[Tensor, Tensor]:
    """(var(x, …), mean(x, …))"""

@overload
def var_mean(
    input: Tensor,
    dim: Sequence[builtins.int] | builtins.int | None = None,
    unbiased: builtins.bool | None = None,
    keepdim: builtins.bool = False,
    *,
    correction: builtins.float | None = None,
) -> tuple[Tensor, Tensor]:
    """(var(x, …), mean(x, …))"""

def vstack(tensors: Sequence[Tensor]) -> Tensor:
    """Joins along rows; 1-D tensors become rows."""

def where(condition: Tensor, input: Operand, other: Operand) -> Tensor:
    """input where the condition holds, else other; all three broadcast."""

def zeros(
    *args: Any, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
    """A new tensor; sizes as ints or as one sequence. dtype float32 unless given."""

def zeros_like(
    input: Tensor, *, dtype: _dtype | None = None, device: _device | None = None, requires_grad: builtins.bool = False
) -> Tensor:
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
