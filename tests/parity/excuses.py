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
    "reduction": """
        amax amin aminmax argsort bincount bucketize corrcoef cov cummax cummin cumprod cumsum
        cumulative_trapezoid diff dist histc isin kthvalue linalg.matrix_norm linalg.norm linalg.vector_norm
        logcumsumexp logsumexp max median min mode msort nanmean nanmedian nanquantile nansum norm quantile
        searchsorted sort topk trace trapezoid trapz unique unique_consecutive
    """,
    "product": """
        addbmm addmm addmv addr baddbmm block_diag cartesian_prod cdist combinations cross einsum inner kron
        linalg.cross nn.functional.bilinear nn.functional.cosine_similarity nn.functional.normalize
        nn.functional.pairwise_distance nn.functional.pdist renorm tensordot vdot
    """,
    "neural": """
        nn.functional.alpha_dropout nn.functional.channel_shuffle nn.functional.cosine_embedding_loss
        nn.functional.ctc_loss nn.functional.dropout nn.functional.dropout2d nn.functional.dropout3d
        nn.functional.feature_alpha_dropout nn.functional.gaussian_nll_loss nn.functional.grid_sample
        nn.functional.hinge_embedding_loss nn.functional.interpolate nn.functional.margin_ranking_loss
        nn.functional.multi_margin_loss nn.functional.multilabel_margin_loss
        nn.functional.multilabel_soft_margin_loss nn.functional.pad nn.functional.pixel_shuffle
        nn.functional.pixel_unshuffle nn.functional.poisson_nll_loss nn.functional.soft_margin_loss
        nn.functional.triplet_margin_loss nn.functional.triplet_margin_with_distance_loss
        nn.functional.upsample_bilinear nn.functional.upsample_nearest
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
VARIANTS: dict[tuple[str, str], str] = {
    **{
        (f"nn.functional.conv{kind}{n}d", "int64"): "no network convolves integers"
        for kind in ("", "_transpose")
        for n in (1, 2, 3)
    },
    **{
        (f"nn.functional.conv_transpose{n}d", half): "PyTorch adds up in half precision, Weft in float32"
        for n in (2, 3)
        for half in ("float16", "bfloat16")
    },
    **{
        ("nn.functional.multi_head_attention_forward", half): "scores of hundreds, whose rounding softmax magnifies"
        for half in ("float16", "bfloat16")
    },
}


def sparse_gradient(args, kwargs):
    return kwargs.get("sparse", False)


# Single samples: name -> (a function of the sample that is true for those to leave out, reason).
SAMPLES: dict[str, tuple] = {
    "nn.functional.scaled_dot_product_attention": (
        lambda args, kwargs: kwargs.get("dropout_p", 0) > 0,
        "the random numbers are another generator's",
    ),
    "nn.functional.embedding": (sparse_gradient, "no sparse layouts"),
    "nn.functional.embedding_bag": (sparse_gradient, "no sparse layouts"),
    "nn.functional.layer_norm": (
        lambda args, kwargs: args[1] == (1,) and str(args[0].dtype) == "torch.float32",
        "x minus the mean of x alone is 0; PyTorch's gradient of the weight is a rounding error times 1 / sqrt(eps)",
    ),
    "nn.functional.multi_head_attention_forward": (
        lambda args, kwargs: args[10] > 0 and kwargs.get("training", True),
        "the random numbers of its dropout are another generator's",
    ),
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
