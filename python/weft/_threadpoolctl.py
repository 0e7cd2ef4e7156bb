"""Makes threadpoolctl (where it is installed) see and limit Weft's threads like those of a BLAS."""


def register():
    # Importing it takes a few milliseconds. It has no entry points, so registering at import is the only way that
    # works whichever of the two is imported first.
    try:
        import threadpoolctl
    except ImportError:
        return
    if not hasattr(threadpoolctl, "register"):  # before 3.2
        return

    class WeftController(threadpoolctl.LibController):
        user_api = "weft"
        internal_api = "weft"
        filename_prefixes = ("_core",)
        check_symbols = ("weft_get_num_threads", "weft_set_num_threads")

        def get_num_threads(self):
            return self.dynlib.weft_get_num_threads()

        def set_num_threads(self, num_threads):
            self.dynlib.weft_set_num_threads(num_threads)

        def get_version(self):
            from weft import _core

            return _core.__version__

    threadpoolctl.register(WeftController)
