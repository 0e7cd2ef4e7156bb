"""Multi-head attention."""

from __future__ import annotations

from weft import _core
from weft._core import Tensor


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """softmax(q k^T / sqrt(d)) v in `num_heads` heads between linear maps: (output, weights or None).

    query: (L, N, E) or (L, E); key and value likewise with S in place of L. Masks: True means "not allowed", floating
    values are added to the scores. static_k, static_v: (N * heads, S, d) in place of the projected key and value.
    """
    if is_causal and attn_mask is None:
        raise ValueError("[multi_head_attention_forward] expected attn_mask with is_causal, which is a hint about it")
    _check(query, key, value, embed_dim_to_check, num_heads)
    batched = query.dim() == 3
    plain = bias_k is None and static_k is None and static_v is None and not (add_zero_attn or need_weights)
    if plain and batched and query is key and key is value and not use_separate_proj_weight:
        dropout = dropout_p if training else 0.0
        # Rows are taken in the order in which they lie.
        batch_first = not query.is_contiguous() and query.transpose(0, 1).is_contiguous()
        x = query.transpose(0, 1) if batch_first else query
        packed = _core.linear(x, in_proj_weight, in_proj_bias)
        causal = is_causal and key_padding_mask is None
        mask = None if causal else _allowed(packed, num_heads, attn_mask, key_padding_mask, batch_first)
        out = _core._self_attention(packed, num_heads, mask, dropout, causal, batch_first)
        out = _core.linear(out, out_proj_weight, out_proj_bias)
        return (out.transpose(0, 1) if batch_first else out), None
    if not batched:
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    query, key, value = _batch_first(query, key, value, batched)
    n, length, e = query.shape
    head_dim = e // num_heads

    if use_separate_proj_weight:
        weights = (q_proj_weight, k_proj_weight, v_proj_weight)
        q, k, v = _project(query, key, value, weights, in_proj_bias)
    else:
        q, k, v = _project_together(query, key, value, in_proj_weight, in_proj_bias)
    if bias_k is not None and bias_v is not None:
        k = _core.cat([k, bias_k.reshape(1, 1, e).expand(n, 1, e)], 1)
        v = _core.cat([v, bias_v.reshape(1, 1, e).expand(n, 1, e)], 1)
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)
    q, k, v = (x.reshape(n, x.shape[1], num_heads, head_dim).transpose(1, 2) for x in (q, k, v))
    k = k if static_k is None else static_k.reshape(n, num_heads, -1, head_dim)
    v = v if static_v is None else static_v.reshape(n, num_heads, -1, head_dim)
    if add_zero_attn:
        zeros = _core.zeros(n, num_heads, 1, head_dim, dtype=k.dtype, device=k.device)
        k, v = _core.cat([k, zeros], 2), _core.cat([v, zeros], 2)
        attn_mask, key_padding_mask = _one_more(attn_mask), _one_more(key_padding_mask)

    # A causal mask need not be read, unless another one is added to it.
    causal = is_causal and not need_weights and key_padding_mask is None and k.shape[2] == key.shape[1]
    mask = None if causal else _mask(q, k, attn_mask, key_padding_mask)
    dropout = dropout_p if training else 0.0
    if need_weights:
        scores = (q * head_dim**-0.5) @ k.transpose(-2, -1)
        weights = _core.softmax(scores if mask is None else scores + mask, -1)
        weights = _core.dropout(weights, dropout, training)
        out = weights @ v
        weights = weights.mean(1) if average_attn_weights else weights
    else:
        out, weights = _core.scaled_dot_product_attention(q, k, v, mask, dropout, causal), None
    out = _core.linear(out.transpose(1, 2).reshape(n, length, e), out_proj_weight, out_proj_bias).transpose(0, 1)
    if batched:
        return out, weights
    return out.squeeze(1), None if weights is None else weights.squeeze(0)


def _check(query, key, value, embed_dim, heads):
    name = "[multi_head_attention_forward]"
    if query.dim() not in (2, 3) or key.dim() != query.dim() or value.dim() != query.dim():
        raise ValueError(
            f"{name} expected query, key and value of 2 or 3 dimensions alike, got {query.dim()}, {key.dim()} and "
            f"{value.dim()}"
        )
    if query.shape[-1] != embed_dim or embed_dim % heads:
        raise ValueError(
            f"{name} expected an embedding of size {embed_dim}, divisible by {heads} heads, got {query.shape[-1]}"
        )
    if key.shape[:-1] != value.shape[:-1]:
        raise ValueError(f"{name} expected key and value alike, got {tuple(key.shape)} and {tuple(value.shape)}")


def _batch_first(query, key, value, batched):
    """(N, L, E), where tensors that are one stay one."""
    arrange = (lambda x: x.transpose(0, 1)) if batched else (lambda x: x.unsqueeze(0))
    q = arrange(query)
    k = q if key is query else arrange(key)
    v = k if value is key else arrange(value)
    return q, k, v


def _project_together(query, key, value, weight, bias):
    e = query.shape[-1]
    if query is key and key is value:
        return _core.linear(query, weight, bias).split(e, -1)
    if key is value:
        weights = weight.split([e, 2 * e])
        biases = (None, None) if bias is None else bias.split([e, 2 * e])
        q, kv = (_core.linear(x, w, b) for x, w, b in zip((query, key), weights, biases, strict=True))
        return (q, *kv.split(e, -1))
    return _project(query, key, value, weight.split(e, 0), bias)


def _project(query, key, value, weights, bias):
    biases = (None, None, None) if bias is None else bias.split(query.shape[-1], 0)
    return tuple(_core.linear(x, w, b) for x, w, b in zip((query, key, value), weights, biases, strict=True))


def _one_more(mask: Tensor | None) -> Tensor | None:
    """A mask for one more key, which is allowed."""
    if mask is None:
        return None
    column = _core.zeros(*mask.shape[:-1], 1, dtype=mask.dtype, device=mask.device)
    return _core.cat([mask, column], -1)


def _shaped(n, heads, length, s, attn_mask, padding):
    """Both masks with the four dimensions of the scores (N, heads, L, S)."""
    if attn_mask is not None:
        shape = tuple(attn_mask.shape)
        if shape not in ((length, s), (n * heads, length, s)):
            raise ValueError(
                f"[multi_head_attention_forward] expected attn_mask of shape {(length, s)} or "
                f"{(n * heads, length, s)}, got {shape}"
            )
        attn_mask = attn_mask.reshape((1, 1, length, s) if len(shape) == 2 else (n, heads, length, s))
    if padding is not None:
        if tuple(padding.shape) != (n, s):
            raise ValueError(
                f"[multi_head_attention_forward] expected key_padding_mask of shape {(n, s)}, got "
                f"{tuple(padding.shape)}"
            )
        padding = padding.reshape(n, 1, 1, s)
    return attn_mask, padding


def _mask(q: Tensor, k: Tensor, attn_mask: Tensor | None, padding: Tensor | None) -> Tensor | None:
    """Both masks as one that is added to the scores (N, heads, L, S)."""
    masks = _shaped(*q.shape[:3], k.shape[2], attn_mask, padding)
    first, second = (None if mask is None else _additive(mask, q) for mask in masks)
    return second if first is None else first if second is None else first + second


def _allowed(packed, heads, attn_mask, padding, batch_first) -> Tensor | None:
    """Both masks as one for scaled_dot_product_attention, where True is allowed."""
    n, length = packed.shape[:2] if batch_first else packed.shape[1::-1]
    attn_mask, padding = _shaped(n, heads, length, length, attn_mask, padding)
    masks = [mask for mask in (attn_mask, padding) if mask is not None]
    if all(mask.dtype == _core.bool for mask in masks):
        return None if not masks else ~(masks[0] if len(masks) == 1 else masks[0] | masks[1])
    masks = [_additive(mask, packed) for mask in masks]
    return masks[0] if len(masks) == 1 else masks[0] + masks[1]


def _additive(mask: Tensor, like: Tensor) -> Tensor:
    """Boolean masks (True: hidden) become 0 and -inf."""
    if mask.dtype != _core.bool:
        return mask.to(like.dtype)
    return _core.zeros(mask.shape, dtype=like.dtype, device=like.device).masked_fill(mask, float("-inf"))
