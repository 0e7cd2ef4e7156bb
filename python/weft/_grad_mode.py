"""Switches for the tape, each a context manager and a decorator. They act on the current thread."""

from functools import wraps
from threading import local

from weft import _core


class _GradMode:
    mode = True

    def __init__(self):
        self._before = []

    def __enter__(self):
        self._before.append(_core.is_grad_enabled())
        _core._set_grad_enabled(self.mode)

    def __exit__(self, *exception):
        _core._set_grad_enabled(self._before.pop())

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
        self = super().__new__(cls)
        if function is None:
            return self
        self.__init__()
        return self(function)

    def __init__(self, function=None):
        super().__init__()


class enable_grad(no_grad):
    """Recording is on inside, also within no_grad."""

    mode = True


class inference_mode(no_grad):
    """As no_grad; a promise that nothing made inside meets the tape later. inference_mode(False) takes it back."""

    _state = local()

    def __new__(cls, mode=True):
        return super().__new__(cls, mode if callable(mode) else None)

    def __init__(self, mode=True):
        super().__init__()
        self.mode = not mode

    def __enter__(self):
        super().__enter__()
        self._before_inference = getattr(self._state, "on", False)
        self._state.on = not self.mode

    def __exit__(self, *exception):
        self._state.on = self._before_inference
        super().__exit__(*exception)


def is_inference_mode_enabled():
    """Whether inference_mode is on in this thread."""
    return getattr(inference_mode._state, "on", False)


class set_grad_enabled(_GradMode):
    """Switches recording on or off at once; as a context manager, also back again."""

    def __init__(self, mode):
        super().__init__()
        self.mode = bool(mode)
        self._at_creation = _core.is_grad_enabled()
        _core._set_grad_enabled(self.mode)

    def __enter__(self):
        self._before.append(self._at_creation)
        _core._set_grad_enabled(self.mode)

    def __call__(self, function):
        _core._set_grad_enabled(self._at_creation)
        mode = self.mode

        @wraps(function)
        def switched(*args, **kwargs):
            with set_grad_enabled(mode):
                return function(*args, **kwargs)

        return switched
