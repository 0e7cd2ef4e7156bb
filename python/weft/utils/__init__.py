"""Names under which PyTorch code looks for tools: `weft.utils.checkpoint`, `weft.utils.data`, `weft.utils.dlpack`."""

from weft.utils import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
