"""Steps recorded as a list of kernel launches and replayed without Python in between."""

from weft import _core
from weft._core import Tensor


class Plan:
    """A function of tensors that was run once under recording; calling it replays the kernel launches.

    The memory of the step is laid out at recording and used again by each replay, so calls from several threads take
    turns. Outputs are new tensors. Weights may change in place between calls; Python numbers are what they were.
    """

    def __init__(self, function, inputs):
        self._function = function  # keeps the weights alive
        self._single = True

        def step(*args):
            result = function(*args)
            self._single = isinstance(result, Tensor)
            return [result] if self._single else list(result)

        self._plan = _core.Plan(step, list(inputs))

    def __call__(self, *inputs):
        """Replays. ValueError if shape, dtype or device of an input differs from the recording."""
        outputs = self._plan.replay(list(inputs))
        return outputs[0] if self._single else tuple(outputs)

    def __len__(self):
        return len(self._plan)

    @property
    def nbytes(self):
        """Bytes of all memory that the plan keeps, weights included."""
        return self._plan.nbytes

    def describe(self):
        """The launches in order, and the memory, as text."""
        return self._plan.describe()


def record(function, *inputs):
    """Runs `function(*inputs)` once, off the tape, and returns the Plan that repeats it.

    Args:
        function: takes tensors and returns a tensor or a sequence of them, for example a module in eval mode.
        inputs: tensors whose shapes, dtypes and devices the plan is for.

    Raises:
        RuntimeError: the function reads a value on the host (`item()`, `numpy()`) or draws random numbers.
    """
    return Plan(function, inputs)
