"""Names under which PyTorch code looks for tools: `weft.utils.data`, `weft.utils.checkpoint`."""

from weft.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
