"""`weft.data` under PyTorch's name."""

from weft.data import *  # noqa: F403
from weft.data import __all__  # noqa: F401
