"""Arguments for the operations that PyTorch's catalogue does not have: name -> a function of the dtype that returns the
positional arguments, or None where the dtype is not for it.
"""

import weft

# Public functions and methods that are no operations on tensors, or make a tensor of something else.
NOT_OPERATIONS = set(
    """manual_seed seed initial_seed get_rng_state set_rng_state num_threads get_num_threads set_num_threads
    memory_stats empty_cache reset_peak set_cache_limit save load from_cupy no_grad enable_grad inference_mode
    set_grad_enabled is_grad_enabled is_inference_mode_enabled set_default_dtype get_default_dtype finfo iinfo can_cast
    promote_types result_type is_tensor is_floating_point is_complex backward register_hook requires_grad retain_grad
    detach data_ptr dim ndimension numel nelement size stride storage_offset element_size is_contiguous get_device
    is_same_size is_signed is_inference is_nonzero tolist numpy apply map register_post_accumulate_grad_hook
    is_autocast_enabled set_autocast_enabled get_autocast_dtype set_autocast_dtype is_autocast_cache_enabled
    set_autocast_cache_enabled clear_autocast_cache autocast_increment_nesting autocast_decrement_nesting autocast
    set_printoptions cpu_isa cpu_isas set_cpu_isa linear_act rnn_layer im2col col2im
    coalesce is_coalesced indices values sparse_dim dense_dim to_dense
    to type type_as cpu cuda tensor as_tensor asarray from_numpy new_tensor from_dlpack to_dlpack checked""".split()  # noqa: SIM905
)


def values(*shape):
    def of(dtype):
        count = 1
        for n in shape:
            count *= n
        x = (weft.arange(1, 1 + count) % 7).reshape(*shape).to(dtype)
        return x.requires_grad_() if dtype.is_floating_point else x

    return of


def of_values(*shapes, then=(), floating=True):
    """Tensors of these shapes, then the other arguments."""

    def call(dtype):
        if floating and not dtype.is_floating_point:
            return None
        return [*(values(*shape)(dtype) for shape in shapes), *then]

    return call


IDS = weft.tensor([0, 2, 0, 1])
CROW, COL = weft.tensor([0, 1, 3]), weft.tensor([1, 0, 2])

EXAMPLES = {
    "associative_scan": lambda dtype: [lambda a, b: a + b, values(5, 2)(dtype), 0],
    "chain_matmul": of_values((2, 3), (3, 4), (4, 2)),
    "csr_matmul": lambda dtype: (
        [CROW, COL, values(3)(dtype), values(3, 2)(dtype)] if dtype in (weft.float32, weft.float64) else None
    ),
    "csr_transpose": lambda dtype: [CROW, COL, 3] if dtype == weft.int64 else None,
    "linear_scan": of_values((3, 4), (3, 4), then=(1,)),
    "poisson": of_values((3,)),
    "rand": lambda dtype: [2, 3] if dtype == weft.float32 else None,
    "randperm": lambda dtype: [5] if dtype == weft.int64 else None,
    "segment_sum": of_values((4, 2), then=(IDS, 3), floating=False),
    "segment_mean": of_values((4, 2), then=(IDS, 3)),
    "segment_max": of_values((4, 2), then=(IDS, 3), floating=False),
    "segment_min": of_values((4, 2), then=(IDS, 3), floating=False),
    "segment_softmax": of_values((4, 2), then=(IDS, 3)),
    "nn.functional.affine_grid": of_values((1, 2, 3), then=([1, 1, 3, 3],)),
    "nn.functional.dropout1d": of_values((2, 3, 4)),
    "nn.functional.fold": of_values((1, 8, 4), then=((3, 3), (2, 2))),
    "nn.functional.gumbel_softmax": of_values((2, 3)),
    "nn.functional.lp_pool1d": of_values((1, 2, 6), then=(2.0, 2)),
    "nn.functional.lp_pool2d": of_values((1, 2, 6, 6), then=(2.0, 2)),
    "nn.functional.lp_pool3d": of_values((1, 2, 4, 4, 4), then=(2.0, 2)),
    "nn.functional.triplet_margin_with_distance_loss": of_values((2, 3), (2, 3), (2, 3)),
    "nn.functional.upsample": of_values((1, 2, 3, 3), then=(5,)),
}
