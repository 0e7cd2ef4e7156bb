"""Switches of the ways in which operations are computed.

`weft.backends.conv.winograd` (default True): whether convolutions in float32 on the CPU, 3x3 of stride 1 and 4x4 of
stride 2, may use Winograd's algorithm. It is up to three times as fast; its relative error is some 1e-6, not 2e-7.
"""

from weft import _core


class _Conv:
    """Switches of convolutions."""

    @property
    def winograd(self) -> bool:
        """Whether Winograd's algorithm may be used on the CPU in float32: 3x3 of stride 1, 4x4 of stride 2."""
        return _core._conv_winograd()

    @winograd.setter
    def winograd(self, on: bool):
        _core._set_conv_winograd(on)


conv = _Conv()
