// In-place changes of views. A change of a view is a change of the tensor it looks into, so that one's history is
// rewritten, and views made before it find their way back through the base.
#pragma once

#include "tensor/autograd.h"

namespace weft {

// A node that reads `view` out of `base` by its place in memory.
Ref<Node> strided_view_node(const Tensor& base, const Tensor& view);

// A node for `base` after `change` (a node whose first input and only output is `view`) was applied to a part of it.
// Its inputs are base and the inputs of `change` but the first.
Ref<Node> copy_slices_node(const Tensor& base, const Tensor& view, Ref<Node> change);

}  // namespace weft
