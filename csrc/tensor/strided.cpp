#include "tensor/strided.h"

#include "ops/copy.h"

namespace weft {

namespace {

// A place in the memory of a base tensor, whatever buffer that is.
struct Place {
  Dims base_shape, base_strides, shape, strides;
  int64_t offset;  // from the first element of the base

  Place(const Tensor& base, const Tensor& view)
      : base_shape(base.shape()),
        base_strides(base.strides()),
        shape(view.shape()),
        strides(view.strides()),
        offset(view.get()->offset - base.get()->offset) {}

  // A tensor of the base's shape and strides in memory of its own (so that `in` finds the same places), zeroed.
  Tensor blank(DType dtype, Device device) const {
    int64_t span = numel_of(base_shape) == 0 ? 0 : 1;
    for (int i = 0; i < base_shape.n && span; ++i) span += (base_shape[i] - 1) * base_strides[i];
    return Tensor::zeros({span}, dtype, device).as_view(base_shape, base_strides, 0);
  }
  Tensor in(const Tensor& base) const { return base.as_view(shape, strides, base.get()->offset + offset); }
};

Tensor read(const Tensor& base, const Place& place);

// The gradient of `read`: zeros but for the place.
Tensor scatter(const Tensor& dy, const Place& place) {
  Tensor dx = place.blank(dy.dtype(), dy.device());
  copy_into(place.in(dx), dy);
  dx = dx.detach();
  if (needs_grad(dy))
    record("as_strided_backward", {dy}, {dx}, [place](Backward& b) { return b.grads(read(b.dy(), place)); });
  return dx;
}

// A tensor with the base's own strides, because `place` counts in them.
Tensor like_base(const Tensor& t, const Place& place) {
  if (t.strides() == place.base_strides) return t;
  Tensor c = place.blank(t.dtype(), t.device());
  copy_into(c, t);
  return c.detach();
}

Tensor read(const Tensor& base, const Place& place) {
  Tensor y = place.in(like_base(base, place)).detach();
  if (needs_grad(base))
    record("as_strided", {base}, {y}, [place](Backward& b) { return b.grads(scatter(b.dy(), place)); });
  return y;
}

struct StridedView final : Node {
  Place place;
  StridedView(const Tensor& base, const Tensor& view) : Node("as_strided"), place(base, view) {}
  TensorList apply(Backward& b) override { return b.grads(scatter(b.dy(), place)); }
  void release() override {}
};

struct CopySlices final : Node {
  Place place;
  Ref<Node> change;
  CopySlices(const Tensor& base, const Tensor& view, Ref<Node> change)
      : Node(change->name), place(base, view), change(std::move(change)) {}
  ~CopySlices() override { dispose(std::move(change)); }
  void release() override {
    change->release();
    change->released = true;
  }

  TensorList apply(Backward& b) override {
    WEFT_CHECK(
        !grad_enabled(), Runtime, "[", name,
        "] no second derivative through an in-place change of a view; use an operation that returns a new tensor");
    Tensor dbase = place.blank(b.dy().dtype(), b.dy().device());
    copy_into(dbase, b.dy());
    Tensor part = place.in(dbase);
    Backward inner(*change, {clone(part)});
    TensorList inner_grads = change->apply(inner);
    if (inner_grads[0].defined())
      copy_into(part, inner_grads[0]);
    else
      fill_raw(part, 0);
    TensorList out{dbase.detach()};
    for (size_t i = 1; i < inner_grads.size(); ++i) out.push_back(std::move(inner_grads[i]));
    return out;
  }
};

}  // namespace

Ref<Node> strided_view_node(const Tensor& base, const Tensor& view) {
  Ref<Node> node(new StridedView(base, view));
  node->next.push_back(edge_of(base));
  return node;
}

Ref<Node> copy_slices_node(const Tensor& base, const Tensor& view, Ref<Node> change) {
  Ref<Node> node(new CopySlices(base, view, change));
  node->next.push_back(edge_of(base));
  for (size_t i = 1; i < change->next.size(); ++i) node->next.push_back(change->next[i]);
  // The change itself no longer leads anywhere; its first input counts as wanted, so that the part is cleared right.
  change->next[0].node.reset();
  change->next[0].leaf = view.detach().ref();
  return node;
}

}  // namespace weft
