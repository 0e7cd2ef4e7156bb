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
    conv1d,
    conv2d,
    conv3d,
    conv_transpose1d,
    conv_transpose2d,
    conv_transpose3d,
    cross_entropy,
    dropout,
    gelu,
    huber_loss,
    kl_div,
    l1_loss,
    layer_norm,
    linear,
    logsigmoid,
    max_pool1d,
    max_pool2d,
    max_pool3d,
    mse_loss,
    nll_loss,
    one_hot,
    rms_norm,
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
from weft.nn.functional.attention import (
    multi_head_attention_forward,
)
from weft.nn.functional.columns import (
    fold,
    unfold,
)
from weft.nn.functional.distance import (
    cosine_similarity,
    normalize,
)
from weft.nn.functional.norm import (
    group_norm,
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
from weft.nn.functional.tables import (
    embedding,
    embedding_bag,
)
