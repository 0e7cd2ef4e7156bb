// Classification losses.
#pragma once

#include <optional>
#include <string>

#include "kernels/cross_entropy.h"
#include "tensor/tensor.h"

namespace weft {

struct CrossEntropyOptions {
  Tensor weight = {};  // [C]
  int64_t ignore_index = -100;
  LossReduction reduction = LossReduction::Mean;
  double label_smoothing = 0;
};

// x [C], [N, C] or [N, C, ...] of logits; target: class labels of x's shape without C, or probabilities of x's shape.
// A mean over nothing (all targets ignored) is 0.
Tensor cross_entropy(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options = {});

// x as above but log-probabilities, target class labels.
Tensor nll_loss(const Tensor& x, const Tensor& target, const CrossEntropyOptions& options = {});

// Labels as contiguous int64; whether they are in [0, classes) or ignore_index, the kernel sees on its way: what it
// left in `totals` is checked afterwards. On a GPU this waits for it.
Tensor class_labels(const char* op, const Dims& shape, Device device, const Tensor& target);
void check_labels(const char* op, const Tensor& totals, const Tensor& labels, int64_t classes, int64_t ignore_index);
void check_class_weight(const char* op, int64_t classes, Device device, const Tensor& weight);

LossReduction parse_reduction(const char* op, const std::string& name);  // "none", "mean", "sum"; ValueError

void warn(const std::string& message);  // Python's UserWarning; it may have been made an exception

// PyTorch's older way to say it, which wins over `reduction` and warns: size_average and reduce, True where not given.
std::string named_reduction(const std::string& reduction, std::optional<bool> size_average, std::optional<bool> reduce);

}  // namespace weft
