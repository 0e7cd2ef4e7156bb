"""How tensors print: as in PyTorch, by NumPy's formatting."""

import numpy as np

from weft import _core

_DEFAULTS = (_core.float32, _core.int64, _core.bool)


def tensor_repr(t):
    """`tensor([1., 2.], requires_grad=True)`; long tensors are summarised."""
    name = "Parameter containing:\ntensor" if type(t).__name__ == "Parameter" else "tensor"
    prefix = "tensor("
    body = np.array2string(
        t.numpy(force=True),
        separator=", ",
        prefix=prefix,
        precision=4,
        threshold=1000,
        edgeitems=3,
        max_line_width=100,
    )
    suffix = []
    if t.numel() == 0 and t.ndim != 1:
        suffix.append(f"size={tuple(t.shape)}")
    if t.dtype not in _DEFAULTS:
        suffix.append(f"dtype={t.dtype}")
    if t.is_cuda:
        suffix.append(f"device='{t.device}'")
    if t.grad_fn is not None:
        suffix.append(f"grad_fn=<{t.grad_fn.name()}>")
    elif t.requires_grad:
        suffix.append("requires_grad=True")
    return ", ".join([f"{name}({body}", *suffix]) + ")"
