import numpy as np
import pytest

import weft
from oracle import torch

FLOATS = ["float16", "bfloat16", "float32", "float64"]
INTEGERS = ["uint8", "int8", "int16", "int32", "int64"]
needs_torch = pytest.mark.skipif(torch is None, reason="needs PyTorch")


@needs_torch
def test_limits():
    for name in FLOATS:
        ours, theirs = weft.finfo(getattr(weft, name)), torch.finfo(getattr(torch, name))
        for field in ("bits", "eps", "max", "min", "tiny", "smallest_normal", "resolution", "dtype"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
    for name in INTEGERS:
        ours, theirs = weft.iinfo(getattr(weft, name)), torch.iinfo(getattr(torch, name))
        for field in ("bits", "max", "min", "dtype"):
            assert getattr(ours, field) == getattr(theirs, field), (name, field)
    assert weft.finfo().bits == 32
    for wrong in (lambda: weft.finfo(weft.int8), lambda: weft.iinfo(weft.bool), lambda: weft.iinfo(weft.float32)):
        with pytest.raises(TypeError):
            wrong()


@needs_torch
def test_promotion():
    names = [*FLOATS, *INTEGERS, "bool"]
    for a in names:
        for b in names:
            x, y = getattr(weft, a), getattr(weft, b)
            t, u = getattr(torch, a), getattr(torch, b)
            assert weft.can_cast(x, y) == torch.can_cast(t, u), (a, b)
            assert weft.promote_types(x, y).name == str(torch.promote_types(t, u))[6:]
            for shape in ((), (2,)):
                ours = weft.result_type(weft.zeros(3, dtype=x), weft.zeros(*shape, dtype=y))
                assert ours.name == str(torch.result_type(torch.zeros(3, dtype=t), torch.zeros(shape, dtype=u)))[6:]
        for number in (True, 1, 1.0):
            ours = weft.result_type(weft.zeros(3, dtype=getattr(weft, a)), number)
            assert ours.name == str(torch.result_type(torch.zeros(3, dtype=getattr(torch, a)), number))[6:]


def test_questions():
    x = weft.zeros(2, 3)
    assert x.is_signed() and not weft.is_signed(weft.zeros(2, dtype=weft.uint8)) and not x.is_complex()
    assert x.get_device() == -1 and weft.get_device(x) == -1
    assert x.is_same_size(weft.ones(2, 3)) and not weft.is_same_size(x, x.t())
    assert not weft.float32.is_complex and weft.int8.is_signed


def test_inference_mode():
    assert not weft.is_inference_mode_enabled()
    with weft.inference_mode():
        assert weft.is_inference_mode_enabled() and not weft.is_grad_enabled()
        with weft.inference_mode(False):
            assert not weft.is_inference_mode_enabled() and weft.is_grad_enabled()
        assert weft.is_inference_mode_enabled()
    assert not weft.is_inference_mode_enabled() and weft.is_grad_enabled()

    @weft.inference_mode()
    def inside():
        return weft.is_inference_mode_enabled()

    @weft.inference_mode
    def also_inside():
        return weft.is_inference_mode_enabled()

    assert inside() and also_inside()


def test_tensors_from_what_there_is():
    a = np.arange(3.0)
    x = weft.asarray(a)
    a[0] = 7
    assert x[0] == 7 and x.dtype == weft.float64
    assert weft.asarray(a, copy=True).data_ptr() != x.data_ptr()
    assert weft.asarray(x) is x and weft.asarray([1, 2], dtype=weft.float32).dtype == weft.float32
    with pytest.raises(ValueError, match="cannot share"):
        weft.asarray(a, dtype=weft.float32, copy=False)
    assert weft.asarray([1.0], requires_grad=True).requires_grad
    y = weft.zeros(2, dtype=weft.int16).new_tensor([1.5, 2.5])
    assert y.dtype == weft.int16 and y.tolist() == [1, 2]
    assert weft.zeros(1).new_full((2,), 3).tolist() == [3, 3]
    assert weft.empty_strided((2, 3), (1, 2)).stride() == (1, 2)
    assert weft.scalar_tensor(2).dtype == weft.float32
