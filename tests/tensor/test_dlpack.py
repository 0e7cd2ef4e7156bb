"""DLPack, both ways, with NumPy and PyTorch as neighbours."""

import gc
import weakref

import numpy as np
import pytest

import weft

try:
    import torch
except ImportError:
    torch = None

needs_torch = pytest.mark.skipif(torch is None, reason="needs PyTorch")
DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
CPU = (1, 0)


def some(dtype="float32"):
    return weft.arange(6).reshape(2, 3).to(getattr(weft, dtype))


class Source:
    """An array of NumPy's with a __dlpack__ that the test chooses."""

    def __init__(self, array, make):
        self.array, self.make = array, make

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **wishes):
        return self.make(self.array, wishes)


@pytest.mark.parametrize("dtype", DTYPES)
def test_numpy_sees_the_same_memory(dtype):
    x = some(dtype)
    a = np.from_dlpack(x)
    assert a.dtype == dtype and a.tolist() == x.tolist() and a.ctypes.data == x.data_ptr()
    x[0, 1] = 0
    assert a[0, 1] == 0 and a.flags.writeable


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_memory_of_numpy(dtype):
    a = np.arange(6).reshape(2, 3).astype(dtype)
    x = weft.from_dlpack(a)
    assert str(x.dtype) == f"weft.{dtype}" and x.tolist() == a.tolist() and x.data_ptr() == a.ctypes.data
    x[1, 2] = 0
    assert a[1, 2] == 0


@needs_torch
@pytest.mark.parametrize("dtype", [*DTYPES, "bfloat16"])
def test_pytorch_both_ways(dtype):
    x = some(dtype)
    t = torch.from_dlpack(x)
    assert str(t.dtype) == f"torch.{dtype}" and t.tolist() == x.tolist() and t.data_ptr() == x.data_ptr()
    t[0, 0] = 1
    assert x[0, 0].item() == 1
    y = weft.from_dlpack(t)
    assert y.dtype == x.dtype and y.data_ptr() == x.data_ptr() and y.tolist() == x.tolist()
    y[1, 1] = 0
    assert t[1, 1] == 0 and x[1, 1].item() == 0


@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[1:, ::2],
        lambda x: x.T,
        lambda x: x[0, 0],
        lambda x: x[:, 1:2],
        lambda x: x[:0],
        lambda x: x[:, None, :],
    ],
    ids=["steps", "transposed", "number", "column", "empty", "new axis"],
)
def test_views(view):
    x = view(weft.arange(12.0).reshape(3, 4))
    a = np.from_dlpack(x)
    assert a.shape == tuple(x.shape) and a.tolist() == x.tolist()
    b = view(np.arange(12.0).reshape(3, 4))
    y = weft.from_dlpack(np.asarray(b))
    assert tuple(y.shape) == b.shape and y.tolist() == b.tolist()
    if torch is not None:
        assert torch.from_dlpack(x).tolist() == x.tolist()


def test_a_repeated_row_keeps_its_stride_of_zero():
    y = weft.from_dlpack(np.broadcast_to(np.arange(3.0), (2, 3)))
    assert y.stride() == (0, 1) and y.tolist() == [[0, 1, 2]] * 2


def test_the_memory_outlives_its_first_owner():
    x = some()
    a = np.from_dlpack(x)
    del x
    gc.collect()
    weft.zeros(2, 3).add_(7)  # would take the memory were it free
    assert a.tolist() == [[0, 1, 2], [3, 4, 5]]

    array = np.arange(4.0)
    gone = weakref.ref(array)
    y = weft.from_dlpack(array)
    view = y[1:]
    del array, y
    gc.collect()
    assert gone() is not None and view.tolist() == [1, 2, 3]
    del view
    gc.collect()
    assert gone() is None


def test_a_capsule_that_nobody_takes_gives_the_memory_back():
    array = np.arange(4.0)
    gone = weakref.ref(array)
    x = weft.from_dlpack(array)
    capsules = [x.__dlpack__(), x.__dlpack__(max_version=(1, 0))]
    del array, x
    gc.collect()
    assert gone() is not None
    del capsules
    gc.collect()
    assert gone() is None


def test_a_capsule_is_used_once():
    for versions in (None, (1, 0)):
        capsule = some().__dlpack__(max_version=versions)
        assert weft.from_dlpack(capsule).tolist() == [[0, 1, 2], [3, 4, 5]]
        with pytest.raises(ValueError, match="used_dltensor"):
            weft.from_dlpack(capsule)


def test_versions():
    x = some()
    for wish, versioned in ((None, False), ((0, 8), False), ((1, 0), True), ((1, 3), True), ((2, 0), True)):
        assert ('"dltensor_versioned"' in repr(x.__dlpack__(max_version=wish))) == versioned
    assert '"dltensor"' in repr(weft.to_dlpack(x))

    def old(array, wishes):
        if "max_version" in wishes or "copy" in wishes:
            raise TypeError("no such argument")
        return array.__dlpack__()

    array = np.arange(3.0)
    y = weft.from_dlpack(Source(array, old))
    assert y.data_ptr() == array.ctypes.data
    y = weft.from_dlpack(Source(array, old), copy=True)
    assert y.data_ptr() != array.ctypes.data and y.tolist() == [0, 1, 2]


def test_an_error_of_the_source_is_not_taken_for_an_old_protocol():
    def broken(array, wishes):
        raise BufferError("not today")

    with pytest.raises(BufferError, match="not today"):
        weft.from_dlpack(Source(np.arange(3.0), broken))


def test_copies():
    x = some()
    assert np.from_dlpack(x, copy=True).ctypes.data != x.data_ptr()
    assert np.from_dlpack(x, copy=False).ctypes.data == x.data_ptr()
    assert weft.from_dlpack(x).data_ptr() == x.data_ptr()
    assert weft.from_dlpack(x, copy=False).data_ptr() == x.data_ptr()
    y = weft.from_dlpack(x, copy=True)
    assert y.data_ptr() != x.data_ptr() and y.tolist() == x.tolist()
    assert weft.from_dlpack(x, device="cpu").data_ptr() == x.data_ptr()
    capsule = x.__dlpack__(max_version=(1, 0), copy=True, dl_device=CPU)
    assert weft.from_dlpack(capsule).data_ptr() != x.data_ptr()


def test_read_only_memory_stays_read_only():
    array = np.arange(3.0)
    array.flags.writeable = False
    x = weft.from_dlpack(array)
    assert x.tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="read-only"):
        x.add_(1)
    assert not np.from_dlpack(x).flags.writeable
    with pytest.raises(BufferError, match="read-only"):
        x.__dlpack__()


def test_device():
    assert some().__dlpack_device__() == CPU
    assert some().__dlpack__(stream=-1) is not None
    with pytest.raises(ValueError, match="stream"):
        some().__dlpack__(stream=1)
    with pytest.raises(BufferError, match="copy"):
        some().__dlpack__(dl_device=(2, 0), copy=False)
    with pytest.raises(ValueError, match="device type 4"):
        some().__dlpack__(dl_device=(4, 0))


def test_refused():
    x = weft.ones(2, requires_grad=True)
    for y in (x, x * 2):
        with pytest.raises(BufferError, match="detach"):
            np.from_dlpack(y)
    assert np.from_dlpack(x.detach()).tolist() == [1, 1]
    for array in (np.zeros(2, np.complex64), np.zeros(2, np.uint16), np.zeros(2, np.uint64)):
        with pytest.raises(TypeError, match="no counterpart"):
            weft.from_dlpack(array)
    with pytest.raises(ValueError, match="strides"):
        weft.from_dlpack(np.arange(3.0)[::-1])
    with pytest.raises(ValueError, match="dimensions"):
        weft.from_dlpack(np.zeros([1] * 9))
    for other in (3, [1.0], "x"):
        with pytest.raises(TypeError, match="__dlpack__"):
            weft.from_dlpack(other)


@pytest.mark.parametrize("make", [lambda: np.zeros(2, np.uint16), lambda: np.zeros([1] * 9)], ids=["dtype", "dims"])
def test_what_is_refused_is_given_back(make):
    array = make()
    gone = weakref.ref(array)
    with pytest.raises((TypeError, ValueError)):
        weft.from_dlpack(array)
    del array
    gc.collect()
    assert gone() is None


@needs_torch
def test_the_older_functions_of_pytorch():
    x = some()
    t = torch.utils.dlpack.from_dlpack(weft.utils.dlpack.to_dlpack(x))
    assert t.data_ptr() == x.data_ptr()
    y = weft.utils.dlpack.from_dlpack(torch.utils.dlpack.to_dlpack(t))
    assert y.data_ptr() == x.data_ptr()


@needs_torch
def test_gradients_on_shared_memory():
    t = torch.arange(3.0)
    x = weft.from_dlpack(t).requires_grad_()
    (x * x).sum().backward()
    assert x.grad.tolist() == [0, 2, 4]
    t.mul_(2)
    assert x.tolist() == [0, 2, 4]
