"""Copying and pickling of tensors (for `copy`, multiprocessing and the like; files are weft.io's business)."""

import copy

from weft import _core
from weft._core import Tensor


def _like(self, t, requires_grad):
    """t as a tensor of self's class."""
    if type(self) is Tensor:
        return t.requires_grad_(requires_grad)
    return _core._make_subclass(type(self), t, requires_grad)


def _copy(self):
    """A leaf over the same memory."""
    made = _like(self, self.detach(), self.requires_grad)
    _set_attributes(made, getattr(self, "__dict__", None))
    return made


def _deepcopy(self, memo):
    if not self.is_leaf:
        raise RuntimeError(
            "[deepcopy] only tensors made by the user can be copied deeply, not results of recorded operations; "
            "use detach().clone()"
        )
    made = _like(self, _elements(self, memo), self.requires_grad)
    memo[id(self)] = made
    if self.grad is not None:
        made.grad = _elements(self.grad, memo)
    _set_attributes(made, copy.deepcopy(getattr(self, "__dict__", None), memo))
    return made


def _elements(t, memo):
    """t's elements in memory that all copies of tensors over t's memory share."""
    key = "weft storage", _core._storage_id(t)
    if key not in memo:
        storage = _core._storage(t)
        memo[key] = storage.clone(), storage  # the original too: its address must stay taken
    return _core._over_storage(memo[key][0], t.dtype, t.shape, t.stride(), t.storage_offset())


def _set_attributes(t, attributes):
    if attributes:
        t.__dict__.update(attributes)


def _rebuild(cls, array, dtype, device, requires_grad):
    t = _core.as_tensor(array)
    t = (t if t.dtype == dtype else t.view(dtype)).to(device)
    return _core._make_subclass(cls, t, requires_grad) if cls is not Tensor else t.requires_grad_(requires_grad)


def _reduce(self, protocol):
    t = self.detach().cpu().contiguous()
    array = (t.view(_core.int16) if t.dtype == _core.bfloat16 else t).numpy()
    made_by = _rebuild, (type(self), array, self.dtype, str(self.device), self.requires_grad)
    attributes = getattr(self, "__dict__", None)
    return (*made_by, attributes) if attributes else made_by


def register():
    Tensor.__copy__ = _copy
    Tensor.__deepcopy__ = _deepcopy
    Tensor.__reduce_ex__ = _reduce
