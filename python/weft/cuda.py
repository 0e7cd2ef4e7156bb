"""NVIDIA GPUs. Importing this module touches no driver; `is_available()` and `why_not()` ask.

The module that holds the CUDA kernels, `weft._cuda`, is loaded on the first use of a CUDA tensor. Work runs on the
calling thread's current stream, which is the default stream until `stream()` sets another: CuPy's and PyTorch's is the
same one.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import threading

from weft import _core
from weft._core import device as _device

_lock = threading.Lock()
_installed = False


@functools.cache
def _module():
    """weft._cuda, or None where this build has none."""
    try:
        return importlib.import_module("weft._cuda")
    except ModuleNotFoundError:
        return None


def why_not() -> str:
    """Why no GPU can be used, in a sentence; empty if one can."""
    module = _module()
    if module is None:
        return "this build of weft has no CUDA part: nvcc was not found when it was compiled"
    return module.why_not()


def is_available() -> bool:
    """Whether CUDA tensors can be made here."""
    return not why_not()


def is_built() -> bool:
    """Whether this build has CUDA kernels."""
    return _module() is not None


def _load():
    """Gives the core the CUDA kernels. Called by the core on the first use of a CUDA device."""
    global _installed
    reason = why_not()
    if reason:
        raise RuntimeError(f"[cuda] no GPU can be used: {reason}")
    with _lock:
        if not _installed:
            _module().install(_core._cuda_kernels(), _core._cuda_runtime())
            _installed = True
    return _module()


def device_count() -> int:
    """The number of GPUs; 0 where none can be used."""
    return _module().device_count() if is_available() else 0


_current = threading.local()


def current_device() -> int:
    """The index of the device that 'cuda' means for streams and figures: 0 until `device()` sets another."""
    return getattr(_current, "index", 0)


def _index(where) -> int:
    if where is None:
        return current_device()
    if isinstance(where, int):
        index = where
    else:
        d = _device(where) if isinstance(where, str) else where
        if d.type != "cuda":
            raise ValueError(f"[cuda] expected a CUDA device, got {where!r}")
        index = d.index or 0
    _load()
    if not 0 <= index < device_count():
        raise ValueError(f"[cuda] expected a device index below {device_count()}, got {index}")
    return index


@contextlib.contextmanager
def device(where):
    """Within the block, functions of this module that are given no device mean this one."""
    before, _current.index = current_device(), _index(where)
    try:
        yield
    finally:
        _current.index = before


def get_device_properties(device=None) -> dict:
    """name, capability, total_memory (bytes) and multiprocessors of a GPU."""
    return _load().properties(_index(device))


def get_device_name(device=None) -> str:
    """The GPU's name, for example 'NVIDIA H100 80GB HBM3'."""
    return get_device_properties(device)["name"]


def get_device_capability(device=None) -> tuple[int, int]:
    """The GPU's compute capability, for example (9, 0)."""
    return get_device_properties(device)["capability"]


def synchronize(device=None) -> None:
    """Waits for all work on a GPU. RuntimeError if any of it failed."""
    _load().synchronize(_index(device))


class Stream:
    """A queue of work on a GPU. `Stream()` makes one; `Stream(pointer=…)` adopts a foreign cudaStream_t, whose owner it
    keeps alive."""

    def __init__(self, device=None, pointer: int | None = None, owner=None):
        self.device = _index(device)
        self._owner, self._mine = owner, pointer is None
        self.ptr = _load().create_stream(self.device) if pointer is None else pointer

    def __del__(self):
        if getattr(self, "_mine", False) and _module() is not None:
            _module().destroy_stream(self.device, self.ptr)

    def __cuda_stream__(self):
        return (0, self.ptr)

    def __eq__(self, other):
        return isinstance(other, Stream) and (self.device, self.ptr) == (other.device, other.ptr)

    def __hash__(self):
        return hash((self.device, self.ptr))

    def __repr__(self):
        return f"weft.cuda.Stream(device={self.device}, ptr={self.ptr:#x})"

    def synchronize(self) -> None:
        """Waits for the work that was put on this stream."""
        _load().synchronize_stream(self.device, self.ptr)

    def wait_stream(self, other) -> None:
        """Work put on this stream from now on waits for what is on `other` now; the host does not wait."""
        _load().order(self.device, _pointer(other), self.ptr)


def _pointer(stream) -> int:
    """The cudaStream_t of a stream of ours, of CuPy, of PyTorch, of anything with __cuda_stream__, or an int."""
    if hasattr(stream, "__cuda_stream__"):
        protocol = stream.__cuda_stream__
        return int((protocol() if callable(protocol) else protocol)[1])
    for name in ("ptr", "cuda_stream"):
        if hasattr(stream, name):
            return int(getattr(stream, name))
    if isinstance(stream, int):
        return stream
    raise TypeError(
        f"[cuda.stream] expected a stream of weft, CuPy or PyTorch, or a pointer, got {type(stream).__name__}"
    )


def current_stream(device=None) -> Stream:
    """The stream on which this thread's work on a GPU runs."""
    index = _index(device)
    return Stream(index, _load().stream(index))


def set_stream(stream, device=None) -> None:
    """Makes `stream` (weft's, CuPy's, PyTorch's) this thread's current stream. What follows on it waits for what was
    put on the previous one, so that no result depends on the switch."""
    index = stream.device if isinstance(stream, Stream) else _index(device)
    module, pointer = _load(), _pointer(stream)
    module.order(index, module.stream(index), pointer)
    module.set_stream(index, pointer)


@contextlib.contextmanager
def stream(stream, device=None):
    """Within the block, work runs on `stream`. Its beginning and end are ordered with the stream outside."""
    index = stream.device if isinstance(stream, Stream) else _index(device)
    before = current_stream(index)
    set_stream(stream, index)
    try:
        yield
    finally:
        set_stream(before, index)


def memory_allocated(device=None) -> int:
    """Bytes of GPU memory that tensors hold now."""
    return _load().memory_use(_index(device))[0]


def max_memory_allocated(device=None) -> int:
    """The most bytes that tensors have held since the start or `reset_peak_memory_stats()`."""
    return _load().memory_use(_index(device))[1]


def memory_reserved(device=None) -> int:
    """Bytes that the device's memory pool holds, free ones and those of other libraries included."""
    return _load().memory_use(_index(device))[2]


def reset_peak_memory_stats(device=None) -> None:
    """Sets the peak of `max_memory_allocated()` to what is held now."""
    _load().reset_peak_memory(_index(device))


def empty_cache(device=None) -> None:
    """Gives free memory of the pool back to the driver. Waits for the device."""
    _load().empty_cache(_index(device))


def from_cupy(array):
    """A tensor over the memory of a CuPy array, or of any object with `__cuda_array_interface__`; nothing is copied.

    Weft's current stream waits, on the GPU, for the array's. TypeError for dtypes that weft lacks, ValueError for
    negative strides."""
    try:
        interface = array.__cuda_array_interface__
    except AttributeError:
        raise TypeError(f"[from_cupy] expected an array on a GPU, got {type(array).__name__}") from None
    index = getattr(getattr(array, "device", None), "id", None)
    where = _device(f"cuda:{current_device() if index is None else index}")
    module, theirs = _load(), interface.get("stream")
    if theirs is not None:
        legacy = 1  # the protocol's name for the default stream, whose pointer is null
        module.order(where.index, 0 if theirs == legacy else theirs, module.stream(where.index))
    return _core._from_cuda_array(interface, where, array)


def to_cupy(tensor):
    """A CuPy array over the memory of a CUDA tensor; nothing is copied. CuPy's current stream waits, on the GPU, for
    weft's. The tensor must not require a gradient; bfloat16 has no counterpart."""
    import cupy

    interface = tensor.__cuda_array_interface__
    index, (pointer, _) = tensor.device.index or 0, interface["data"]
    module = _load()
    with cupy.cuda.Device(index):
        module.order(index, module.stream(index), cupy.cuda.get_current_stream().ptr)
        item = int(interface["typestr"][2:])
        strides = interface["strides"]
        extent = item + sum((n - 1) * s for n, s in zip(interface["shape"], strides or (), strict=False) if n)
        memory = cupy.cuda.UnownedMemory(pointer, extent if strides else item * tensor.numel(), tensor, index)
        return cupy.ndarray(
            interface["shape"], cupy.dtype(interface["typestr"]), cupy.cuda.MemoryPointer(memory, 0), strides=strides
        )
