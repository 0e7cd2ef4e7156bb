"""Memory, devices, errors and arrays of other libraries."""

import gc

import numpy as np
import pytest

import weft
from weft import _core
from weft.testing import assert_close


def test_memory_comes_back(device, request):
    if weft.cuda.is_available():
        held = weft.cuda.memory_allocated
    else:
        held = request.getfixturevalue("library").lib.weft_emulation_bytes_in_use
    gc.collect()
    before = held()
    x = weft.ones(1000, device=device)
    assert held() - before == 4000
    del x
    gc.collect()
    assert held() == before


def test_mixed_devices_are_refused(device):
    with pytest.raises(RuntimeError, match="cuda:0"):
        weft.ones(3, device=device) + weft.ones(3)
    with pytest.raises(RuntimeError):
        weft.ones(3, 3, device=device) @ weft.ones(3, 3)


def test_numpy_needs_the_cpu(device):
    x = weft.ones(3, device=device)
    with pytest.raises(TypeError, match="cpu"):
        x.numpy()
    np.testing.assert_array_equal(x.numpy(force=True), np.ones(3, np.float32))


def test_an_operation_without_a_kernel_says_so(device):
    with pytest.raises(NotImplementedError, match=r"\[\w+\] has no kernel for cuda:0: move the inputs to the CPU"):
        _core._probe_read(weft.ones(64, device=device))  # there to measure processors' memory


def test_array_interface(device):
    x = weft.tensor(np.arange(12, dtype=np.float32).reshape(3, 4)).to(device)
    a = x.__cuda_array_interface__
    assert a["shape"] == (3, 4) and a["typestr"] == "<f4" and a["version"] == 3 and a["strides"] is None
    assert a["data"][1] is False and a["stream"] == 1
    assert x.t().__cuda_array_interface__["strides"] == (4, 16)
    with pytest.raises(TypeError, match="bfloat16"):
        x.to(weft.bfloat16).__cuda_array_interface__  # noqa: B018
    with pytest.raises(RuntimeError, match="detach"):
        x.clone().requires_grad_().__cuda_array_interface__  # noqa: B018


class Foreign:
    def __init__(self, tensor, **changes):
        self.keep = tensor
        self.interface = tensor.__cuda_array_interface__ | changes


def adopt(array, device):
    return _core._from_cuda_array(array.interface, weft.device(device), array)


def test_foreign_arrays_share_memory(device):
    x = weft.tensor(np.arange(12, dtype=np.float32).reshape(3, 4)).to(device)
    y = adopt(Foreign(x), device)
    y += 1
    assert_close(x, np.arange(1, 13, dtype=np.float32).reshape(3, 4))
    z = adopt(Foreign(x[:, 1:3]), device)
    del x, y
    gc.collect()
    assert_close(z, np.array([[2, 3], [6, 7], [10, 11]], np.float32))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"typestr": "<u4"}, TypeError),
        ({"typestr": "<c8"}, TypeError),
        ({"strides": (-16, 4)}, ValueError),
        ({"strides": (18, 4)}, ValueError),
        ({"strides": (16,)}, ValueError),
        ({"data": (0, False)}, ValueError),
        ({"data": (4098, False)}, ValueError),
        ({"shape": (-1, 4)}, (ValueError, OverflowError)),
        ({"mask": object()}, TypeError),
    ],
)
def test_foreign_arrays_are_checked(device, changes, error):
    with pytest.raises(error):
        adopt(Foreign(weft.ones(3, 4, device=device), **changes), device)


def test_read_only_arrays_stay_so(device):
    x = weft.ones(3, device=device)
    y = adopt(Foreign(x, data=(x.__cuda_array_interface__["data"][0], True)), device)
    with pytest.raises(RuntimeError):
        y += 1


@pytest.mark.gpu
@pytest.mark.skipif(not weft.cuda.is_available(), reason=weft.cuda.why_not())
class TestGpu:
    def test_cupy_and_back(self):
        cupy = pytest.importorskip("cupy")
        a = cupy.arange(12, dtype=cupy.float32).reshape(3, 4)
        x = weft.from_cupy(a)
        x += 1
        assert float(a[0, 0]) == 1
        b = weft.cuda.to_cupy(x[:, ::2])
        b *= 2
        assert_close(x[:, 0], np.array([2, 10, 18], np.float32))
        with cupy.cuda.Stream(non_blocking=True) as s, weft.cuda.stream(s):
            y = weft.from_cupy(cupy.ones(1 << 20)) * 2
            assert float(weft.cuda.to_cupy(y).sum()) == 2 << 20

    def test_streams(self):
        s = weft.cuda.Stream()
        x = weft.ones(1 << 20, device="cuda")
        with weft.cuda.stream(s):
            assert weft.cuda.current_stream() == s
            y = x * 2
        assert y.sum().item() == 2 << 20

    def test_out_of_memory(self):
        with pytest.raises(MemoryError, match=r"cudaMallocAsync failed.*free"):
            weft.empty(1 << 45, device="cuda")

    def test_figures(self):
        assert weft.cuda.device_count() >= 1 and weft.cuda.get_device_name()
        assert weft.cuda.get_device_capability() >= (8, 0)
        before = weft.cuda.memory_allocated()
        x = weft.empty(1 << 20, device="cuda")
        assert weft.cuda.memory_allocated() == before + (4 << 20) <= weft.cuda.max_memory_allocated()
        del x
        weft.cuda.synchronize()
