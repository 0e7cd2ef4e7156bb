"""Operations on tensors without state: those of the core under PyTorch's names, and short compositions of them."""

from weft._core import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    avg_pool1d,
    avg_pool2d,
    batch_norm,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    conv1d,
    conv2d,
    conv_transpose1d,
    conv_transpose2d,
    cross_entropy,
    dropout,
    embedding,
    gelu,
    grid_sample,
    huber_loss,
    kl_div,
    l1_loss,
    layer_norm,
    linear,
    logsigmoid,
    max_pool1d,
    max_pool2d,
    mse_loss,
    nll_loss,
    one_hot,
    scaled_dot_product_attention,
    sigmoid,
    smooth_l1_loss,
    softplus,
    tanh,
)
from weft.nn.functional.activation import (
    celu,
    elu,
    glu,
    hardsigmoid,
    hardswish,
    hardtanh,
    leaky_relu,
    log_softmax,
    mish,
    prelu,
    relu,
    relu6,
    selu,
    silu,
    softmax,
    softmin,
    softsign,
    tanhshrink,
)
from weft.nn.functional.distance import (
    cosine_similarity,
    normalize,
)
from weft.nn.functional.interpolate import (
    interpolate,
    upsample,
    upsample_bilinear,
    upsample_nearest,
)
from weft.nn.functional.loss import (
    ctc_loss,
    gaussian_nll_loss,
    multilabel_soft_margin_loss,
    poisson_nll_loss,
    soft_margin_loss,
)
from weft.nn.functional.margin_loss import (
    cosine_embedding_loss,
    hinge_embedding_loss,
    margin_ranking_loss,
    multi_margin_loss,
    multilabel_margin_loss,
    triplet_margin_loss,
    triplet_margin_with_distance_loss,
)
from weft.nn.functional.padding import (
    pad,
)
from weft.nn.functional.random import (
    alpha_dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gumbel_softmax,
)
from weft.nn.functional.vision import (
    affine_grid,
    channel_shuffle,
    pixel_shuffle,
    pixel_unshuffle,
)
