"""`weft.nn` under the name that PyTorch's layers are defined in."""

from weft.nn import *  # noqa: F403
from weft.nn import __all__
