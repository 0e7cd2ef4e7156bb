"""Arguments for the operations that PyTorch's catalogue does not have: name -> a function of the dtype."""

import weft

# Public functions and methods that are no operations on tensors.
NOT_OPERATIONS = set(
    [
        "manual_seed",
        "seed",
        "initial_seed",
        "get_rng_state",
        "set_rng_state",
        "num_threads",
        "get_num_threads",
        "set_num_threads",
        "memory_stats",
        "empty_cache",
        "reset_peak",
        "set_cache_limit",
        "save",
        "load",
        "from_cupy",
        "no_grad",
        "enable_grad",
        "inference_mode",
        "set_grad_enabled",
        "is_grad_enabled",
        "is_inference_mode_enabled",
        "set_default_dtype",
        "get_default_dtype",
        "finfo",
        "iinfo",
        "can_cast",
        "promote_types",
        "result_type",
        "is_tensor",
        "is_floating_point",
        "is_complex",
        "backward",
        "register_hook",
        "requires_grad",
        "retain_grad",
        "detach",
        "data_ptr",
        "dim",
        "ndimension",
        "numel",
        "nelement",
        "size",
        "stride",
        "storage_offset",
        "element_size",
        "is_contiguous",
        "get_device",
        "is_same_size",
        "is_signed",
        "is_inference",
        "tolist",
        "numpy",
        "apply",
        "map",
    ]
)


def _like(*shape, dtype):
    x = weft.arange(1, 1 + weft.Size(shape).numel()).reshape(*shape).to(dtype)
    return x.requires_grad_() if dtype.is_floating_point else x


EXAMPLES = {}
