"""Operations on tensors without state: those of the core under PyTorch's names, and short compositions of them."""

from weft._core import (
    adaptive_avg_pool1d,
    adaptive_avg_pool2d,
    adaptive_avg_pool3d,
    adaptive_max_pool1d,
    adaptive_max_pool2d,
    adaptive_max_pool3d,
    avg_pool1d,
    avg_pool2d,
    avg_pool3d,
    batch_norm,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    celu,
    celu_,
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cross_entropy,
    dropout,
    elu,
    elu_,
    gelu,
    grid_sample,
    group_norm,
    hardshrink,
    hardtanh,
    hardtanh_,
    huber_loss,
    kl_div,
    l1_loss,
    layer_norm,
    leaky_relu,
    leaky_relu_,
    linear,
    logsigmoid,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    mse_loss,
    nll_loss,
    one_hot,
    pdist,
    prelu,
    relu_,
    rms_norm,
    scaled_dot_product_attention,
    selu_,
    sigmoid,
    smooth_l1_loss,
    softplus,
    softshrink,
    tanh,
    threshold,
    threshold_,
)
from weft.nn.functional.activation import (
    glu,
    hardsigmoid,
    hardswish,
    log_softmax,
    mish,
    relu,
    relu6,
    selu,
    silu,
    softmax,
    softmin,
    softsign,
    tanhshrink,
)
from weft.nn.functional.attention import (
    multi_head_attention_forward,
)
from weft.nn.functional.columns import (
    fold,
    unfold,
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
    linear_cross_entropy,
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
from weft.nn.functional.norm import (
    instance_norm,
    local_response_norm,
)
from weft.nn.functional.padding import (
    pad,
)
from weft.nn.functional.pooling import (
    adaptive_max_pool1d_with_indices,
    adaptive_max_pool2d_with_indices,
    adaptive_max_pool3d_with_indices,
    fractional_max_pool2d,
    fractional_max_pool2d_with_indices,
    fractional_max_pool3d,
    fractional_max_pool3d_with_indices,
    lp_pool1d,
    lp_pool2d,
    lp_pool3d,
    max_pool1d_with_indices,
    max_pool2d_with_indices,
    max_pool3d_with_indices,
    max_unpool1d,
    max_unpool2d,
    max_unpool3d,
)
from weft.nn.functional.random import (
    alpha_dropout,
    dropout1d,
    dropout2d,
    dropout3d,
    feature_alpha_dropout,
    gumbel_softmax,
)
from weft.nn.functional.tables import (
    embedding,
    embedding_bag,
)
from weft.nn.functional.vision import (
    affine_grid,
    channel_shuffle,
    pixel_shuffle,
    pixel_unshuffle,
)
from weft.operations.activation import rrelu, rrelu_
from weft.operations.distance import (
    bilinear,
    cosine_similarity,
    normalize,
    pairwise_distance,
)
