"""Switches of the ways in which operations are computed.

`weft.backends.conv.winograd` (default True): whether 3x3 convolutions of stride 1 in float32 on the CPU may use
Winograd's algorithm. It is up to three times as fast; its relative error is some 1e-6 instead of 2e-7.
"""

from weft import _core


class _Conv:
    """Switches of convolutions."""

    @property
    def winograd(self) -> bool:
        """Whether Winograd's algorithm may be used for float32 3x3 convolutions of stride 1 on the CPU."""
        return _core._conv_winograd()

    @winograd.setter
    def winograd(self, on: bool):
        _core._set_conv_winograd(on)


conv = _Conv()
