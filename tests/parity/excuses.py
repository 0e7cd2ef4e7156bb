"""What the comparison with PyTorch leaves out, each with its reason."""

# Whole operations, by prefix or name.
OUT_OF_SCOPE = {
    "complex numbers": """angle cdouble cfloat chalf complex conj conj_physical H mH imag polar real view_as_complex
        view_as_real resolve_conj resolve_neg""",
    "Fourier transforms": "fft. stft istft",
    "matrix decompositions": """cholesky cholesky_inverse cholesky_solve geqrf linalg.cholesky linalg.cholesky_ex
        linalg.cond
        linalg.det linalg.eig linalg.eigh linalg.eigvals linalg.eigvalsh linalg.householder_product
        linalg.inv linalg.inv_ex linalg.ldl_factor linalg.ldl_factor_ex linalg.ldl_solve
        linalg.lstsq linalg.lu linalg.lu_factor linalg.lu_factor_ex linalg.lu_solve
        linalg.matrix_power linalg.matrix_rank linalg.pinv linalg.qr linalg.slogdet linalg.solve
        linalg.solve_ex linalg.solve_triangular linalg.svd linalg.svdvals linalg.tensorinv
        linalg.tensorsolve linalg.multi_dot linalg.vander linalg.vecdot linalg.diagonal logdet lu
        lu_solve lu_unpack matrix_exp ormqr pca_lowrank pinverse qr svd svd_lowrank triangular_solve""",
    "sparse layouts": "to_sparse sparse. hash_tensor",
    "special functions that no network uses": """special. digamma i0 igamma igammac lgamma mvlgamma polygamma nextafter
        frexp""",
    "window functions": "signal.",
    "masked reductions, a prototype of PyTorch": "masked.",
    "PyTorch's internals, reached in Weft through public functions": """_ alias_copy as_strided_copy as_strided_scatter
        diagonal_copy expand_copy narrow_copy permute_copy split_with_sizes_copy squeeze_copy t_copy transpose_copy
        unbind_copy unfold_copy unsqueeze_copy view_copy unsafe_chunk unsafe_split jiterator_ native_
        max_pool2d_with_indices_backward torch._scaled_mm torch._scaled_mm_v2 torch.ops. empty_permuted grid_sampler_2d
        grid_sampler_3d nonzero_static resize_as_ resize_ nn.functional.linear_cross_entropy""",
    "statistics outside networks": "histogram histogramdd index_reduce gradient unravel_index",
}

# In scope and not written, or not right, yet. One entry a family.
NOT_YET = {
    "pointwise": """
        __rdiv__ acosh asinh atan2 atanh bitwise_left_shift bitwise_right_shift clamp_max clamp_min copysign
        deg2rad div eq erfc erfinv float_power fmax fmin fmod frac gcd ge gt heaviside hypot isclose isneginf
        isposinf isreal lcm ldexp le logaddexp logaddexp2 logical_and logical_not logical_or logical_xor logit
        lt masked_fill maximum minimum nan_to_num ne nn.functional.celu nn.functional.elu
        nn.functional.hardshrink nn.functional.hardsigmoid nn.functional.leaky_relu nn.functional.mish
        nn.functional.prelu nn.functional.rrelu nn.functional.selu nn.functional.silu nn.functional.softshrink
        nn.functional.threshold positive rad2deg round rsub sgn signbit sinc square true_divide where xlogy
    """,
    "reduction": "",
    "product": """
        addbmm addmm addmv addr baddbmm block_diag cartesian_prod cdist combinations cross einsum inner kron
        linalg.cross nn.functional.bilinear nn.functional.cosine_similarity nn.functional.normalize
        nn.functional.pairwise_distance nn.functional.pdist renorm tensordot vdot
    """,
    "neural": """
        nn.functional.adaptive_avg_pool3d nn.functional.adaptive_max_pool3d nn.functional.alpha_dropout
        nn.functional.avg_pool1d nn.functional.avg_pool2d nn.functional.avg_pool3d nn.functional.batch_norm
        nn.functional.channel_shuffle nn.functional.conv1d nn.functional.conv2d nn.functional.conv3d
        nn.functional.conv_transpose1d nn.functional.conv_transpose2d nn.functional.conv_transpose3d
        nn.functional.cosine_embedding_loss nn.functional.ctc_loss nn.functional.dropout nn.functional.dropout2d
        nn.functional.dropout3d nn.functional.embedding nn.functional.embedding_bag
        nn.functional.feature_alpha_dropout nn.functional.fractional_max_pool2d
        nn.functional.fractional_max_pool3d nn.functional.gaussian_nll_loss nn.functional.grid_sample
        nn.functional.group_norm nn.functional.hinge_embedding_loss nn.functional.instance_norm
        nn.functional.interpolate nn.functional.layer_norm nn.functional.local_response_norm
        nn.functional.margin_ranking_loss nn.functional.max_pool3d nn.functional.max_unpool1d
        nn.functional.max_unpool2d nn.functional.max_unpool3d nn.functional.multi_head_attention_forward
        nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
        nn.functional.multilabel_soft_margin_loss nn.functional.pad nn.functional.pixel_shuffle
        nn.functional.pixel_unshuffle nn.functional.poisson_nll_loss nn.functional.rms_norm
        nn.functional.soft_margin_loss nn.functional.triplet_margin_loss
        nn.functional.triplet_margin_with_distance_loss nn.functional.unfold nn.functional.upsample_bilinear
        nn.functional.upsample_nearest
    """,
    "shape": """
        argwhere as_strided atleast_1d atleast_2d atleast_3d broadcast_shapes broadcast_tensors column_stack
        diag diag_embed diagflat diagonal diagonal_scatter dsplit dstack flip fliplr flipud gather hsplit
        index_add index_copy index_fill index_put masked_scatter meshgrid narrow nonzero put repeat
        repeat_interleave roll rot90 scatter scatter_reduce select_scatter slice slice_scatter split_with_sizes
        squeeze sum_to_size t take take_along_dim tensor_split tile transpose tril tril_indices triu
        triu_indices unbind unfold unsqueeze vsplit
    """,
    "creation": """
        arange bernoulli cauchy constant_pad_nd empty_strided exponential fill geometric linspace log_normal
        logspace multinomial new_empty_strided new_full normal randint_like scalar_tensor uniform zero_
    """,
}

# Variants: (name, which) -> reason; which is a dtype, "inplace", "method", "gradient" or "errors".
VARIANTS: dict[tuple[str, str], str] = {}


def _ties(least=1):
    """Samples of at least so many elements of which some are equal."""

    def has_ties(args, kwargs):
        x = args[0]
        return hasattr(x, "numel") and least <= x.numel() != x.unique().numel()

    return has_ties


def _needs_singular_values(args, kwargs):
    order = args[1] if len(args) > 1 else kwargs.get("ord", kwargs.get("p"))
    if order == "nuc":
        return True
    dim = args[2] if len(args) > 2 else kwargs.get("dim", (-2, -1) if args[0].dim() == 2 else 0)
    return order in (2, -2) and isinstance(dim, tuple) and len(dim) == 2


# Single samples: name -> (a function of the sample that is true for those to leave out, reason).
SAMPLES: dict[str, tuple] = {
    "nn.functional.scaled_dot_product_attention": (
        lambda args, kwargs: kwargs.get("dropout_p", 0) > 0,
        "the random numbers are another generator's",
    ),
    "kthvalue": (_ties(), "of equal elements PyTorch gives any one's index, Weft the k-th in order"),
    "topk": (_ties(), "of equal elements PyTorch gives any one's index, Weft the first"),
    "sort": (_ties(1000), "PyTorch's order of equal elements is not defined"),
    "argsort": (_ties(1000), "PyTorch's order of equal elements is not defined"),
    "mode": (_ties(1000), "PyTorch's order of equal elements is not defined"),
    "logcumsumexp": (
        lambda args, kwargs: str(args[0].dtype)[6:] == "float32" and args[0].numel() > 0 and args[0].max() > 1000,
        "PyTorch's float32 gradient beside large numbers is right to three places; the same in float64 is compared",
    ),
    "cov": (
        lambda args, kwargs: (
            kwargs.get("aweights") is not None and (args[0].shape[-1:] == (2,) or kwargs.get("correction") == 2)
        ),
        "two observations, or a divisor that is the difference of nearly equal float32 numbers: rounding alone",
    ),
    "norm": (_needs_singular_values, "matrix decompositions"),
    "linalg.norm": (_needs_singular_values, "matrix decompositions"),
    "linalg.matrix_norm": (_needs_singular_values, "matrix decompositions"),
}


def excuse(name):
    """The reason why an operation is left out; None if it is not."""
    for reason, names in OUT_OF_SCOPE.items():
        for entry in names.split():
            if name == entry or (
                entry[-1] in "._" and entry != name and name.startswith(entry) and not name.startswith("__")
            ):
                return reason
    return "not written yet" if any(name in names.split() for names in NOT_YET.values()) else None
