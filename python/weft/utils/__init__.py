"""Names under which PyTorch code looks for the data tools: `weft.utils.data`."""
