"""What the tape keeps for backward, and how to keep it elsewhere."""

from collections.abc import Callable
from typing import Any

from weft import _core
from weft._core import Node, Tensor

__all__ = ["Node", "save_on_cpu", "saved_tensors_hooks"]


class saved_tensors_hooks:
    """Inside, `pack_hook(tensor)` replaces what an operation keeps for backward by anything at all, and
    `unpack_hook(that)` gives the tensor back when backward wants it, with the same shape, dtype and device.

        with weft.autograd.graph.saved_tensors_hooks(lambda t: t.half(), lambda t: t.float()):
            loss = net(x)
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        _core._push_saved_tensors_hooks(self.pack_hook, self.unpack_hook)

    def __exit__(self, *exception: object) -> None:
        _core._pop_saved_tensors_hooks()


class save_on_cpu(saved_tensors_hooks):
    """Inside, what backward needs waits in the host's memory; pin_memory is accepted and changes nothing."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda t: (t.device, t.cpu()), lambda kept: kept[1].to(kept[0]))
