"""Names under which PyTorch code looks for tools: `weft.utils.data`, `weft.utils.dlpack`."""

from weft.utils import dlpack

__all__ = ["dlpack"]
