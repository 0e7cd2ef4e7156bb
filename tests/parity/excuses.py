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

# Variants: (name, which) -> reason; which is a dtype, "inplace", "method", "gradient" or "errors".
VARIANTS: dict[tuple[str, str], str] = {
    ("addbmm", "bfloat16"): "PyTorch rounds the sum after every product of the batch, Weft once",
    ("addbmm", "float16"): "PyTorch rounds the sum after every product of the batch, Weft once",
    ("addbmm", "inplace"): "PyTorch's changes the shape of an input that broadcasts, Weft refuses it",
    ("nn.functional.grid_sample", "bfloat16"): "PyTorch computes positions in bfloat16, Weft in float32",
    ("nn.functional.grid_sample", "float16"): "PyTorch computes positions in float16, Weft in float32",
    ("nn.functional.hinge_embedding_loss", "bfloat16"): "PyTorch rounds the margin to bfloat16 first",
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


def _sparse_gradient(args, kwargs):
    return kwargs.get("sparse", False)


# Single samples: name -> (a function of the sample that is true for those to leave out, reason).
SAMPLES: dict[str, tuple] = {
    "div": (
        lambda args, kwargs: kwargs.get("rounding_mode") == "trunc" and "float16" in str(args[0].dtype),
        "PyTorch rounds the quotient to half precision before it cuts the fraction off",
    ),
    "as_strided": (
        lambda args, kwargs: args[0].untyped_storage().nbytes() != args[0].numel() * args[0].element_size(),
        "it reads beyond the tensor's own elements, and the comparison gives the tensors memory of their own",
    ),
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
    "nn.functional.normalize": (
        lambda args, kwargs: kwargs.get("p") == 0.5 and args[0].shape[kwargs["dim"]] == 1,
        "the gradient of x / |x| is 0, of which PyTorch's rounding leaves 2e-7",
    ),
    "nn.functional.embedding": (_sparse_gradient, "its gradient is sparse: tests/optim/test_sparse_gradients.py"),
    "nn.functional.embedding_bag": (_sparse_gradient, "its gradient is sparse: tests/optim/test_sparse_gradients.py"),
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
    return None
