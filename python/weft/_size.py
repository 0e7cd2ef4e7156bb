"""The type of `tensor.shape`."""

from math import prod


class Size(tuple):
    """Sizes of a tensor: a tuple that knows its product and prints like PyTorch's."""

    __slots__ = ()

    def numel(self):
        """Number of elements of a tensor of this shape."""
        return prod(self)

    def __add__(self, other):
        return Size(tuple.__add__(self, tuple(other)))

    def __getitem__(self, key):
        item = tuple.__getitem__(self, key)
        return Size(item) if isinstance(key, slice) else item

    def __repr__(self):
        return f"weft.Size([{', '.join(map(str, self))}])"

    __str__ = __repr__
