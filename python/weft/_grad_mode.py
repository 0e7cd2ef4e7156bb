"""Switches for the tape, each a context manager and a decorator. They act on the current thread."""

from functools import wraps

from weft import _core
from weft._core import _set_grad_enabled


class _GradMode:
    mode = True
    _before = None  # what was there, and then the same of the entry before this one: a switch may be entered again

    def __enter__(self):
        self._before = (_set_grad_enabled(self.mode), self._before)

    def __exit__(self, *exception):
        before, self._before = self._before
        _set_grad_enabled(before)

    def __call__(self, function):
        @wraps(function)
        def switched(*args, **kwargs):
            with type(self)():
                return function(*args, **kwargs)

        return switched


class no_grad(_GradMode):
    """Nothing inside is recorded: results do not require gradients."""

    mode = False

    def __new__(cls, function=None):
        self = object.__new__(cls)
        return self if function is None else self(function)


class enable_grad(no_grad):
    """Recording is on inside, also within no_grad."""

    mode = True


class inference_mode(_GradMode):
    """As no_grad, and nothing made inside may be saved for a backward pass later: inference_mode(False) switches it off
    again within."""

    def __new__(cls, mode=True):
        self = super().__new__(cls)
        if not callable(mode):
            return self
        self.__init__()
        return self(mode)

    def __init__(self, mode=True):
        self.inference = bool(mode)
        self.mode = not self.inference

    def __enter__(self):
        super().__enter__()
        self._before = (_core.is_inference_mode_enabled(), self._before)
        _core._set_inference_mode(self.inference)

    def __exit__(self, *exception):
        before, self._before = self._before
        _core._set_inference_mode(before)
        super().__exit__(*exception)

    def __call__(self, function):
        mode = self.inference

        @wraps(function)
        def switched(*args, **kwargs):
            with inference_mode(mode):
                return function(*args, **kwargs)

        return switched


class set_grad_enabled(_GradMode):
    """Switches recording on or off at once; as a context manager, also back again."""

    def __init__(self, mode):
        self.mode = bool(mode)
        self._at_creation = _set_grad_enabled(self.mode)

    def __enter__(self):
        self._before = (self._at_creation, self._before)
        _set_grad_enabled(self.mode)

    def __call__(self, function):
        _set_grad_enabled(self._at_creation)
        mode = self.mode

        @wraps(function)
        def switched(*args, **kwargs):
            with set_grad_enabled(mode):
                return function(*args, **kwargs)

        return switched
