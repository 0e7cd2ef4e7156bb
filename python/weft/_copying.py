"""Copying and pickling of tensors (for `copy`, multiprocessing and the like; files are weft.io's business)."""

from weft import _core
from weft._core import Tensor


def _deepcopy(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "[deepcopy] only tensors made by the user can be copied deeply, not results of recorded operations; "
            "use detach().clone()"
        )
    copy = self.detach().clone().requires_grad_(self.requires_grad)
    if type(self) is not Tensor:
        copy = _core._make_subclass(type(self), copy, self.requires_grad)
    memo[id(self)] = copy
    if self.grad is not None:
        copy.grad = self.grad.detach().clone()
    return copy


def _rebuild(cls, array, dtype, device, requires_grad):
    t = _core.as_tensor(array)
    t = (t if t.dtype == dtype else t.view(dtype)).to(device)
    return _core._make_subclass(cls, t, requires_grad) if cls is not Tensor else t.requires_grad_(requires_grad)


def _reduce(self, protocol):
    if not self.is_leaf:
        raise RuntimeError("[pickle] only tensors made by the user can be pickled; use detach()")
    t = self.detach().cpu().contiguous()
    array = (t.view(_core.int16) if t.dtype == _core.bfloat16 else t).numpy()
    return _rebuild, (type(self), array, self.dtype, str(self.device), self.requires_grad)


def register():
    Tensor.__deepcopy__ = _deepcopy
    Tensor.__reduce_ex__ = _reduce
