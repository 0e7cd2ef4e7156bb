#include "plan/closing.h"

namespace weft {

namespace {

constexpr int64_t kLongest = 64 * 1024;  // elements of a piece: more would not stay in cache

bool adds(ReduceOp op) { return op == ReduceOp::Sum || op == ReduceOp::AbsSum || op == ReduceOp::SquareSum; }

template <class T>
void add_up(std::vector<double>& partials, const Reduce& a) {  // in the order of the kernel
  const auto n = (int64_t)partials.size();
  for (int64_t step = 1; step < n; step *= 2)
    for (int64_t c = 0; c + step < n; c += 2 * step)
      partials[(size_t)c] = (T)((T)partials[(size_t)c] + (T)partials[(size_t)(c + step)]);
  *static_cast<T*>(a.y) = (T)(partials[0] * a.scale);
}

}  // namespace

std::vector<int64_t> ClosingReduction::cuts(const Reduce& a) {
  const int64_t leaves = (a.reduced_numel + kReduceLeaf - 1) / kReduceLeaf;
  std::vector<int64_t> all;
  for (int64_t c = 0; c < a.chunks; ++c) all.push_back(leaves * c / a.chunks * kReduceLeaf);
  all.push_back(a.reduced_numel);
  return all;
}

bool ClosingReduction::can_close(const Reduce& a) {
  if (a.center || a.reduced != 1 || a.x_stride[a.kept] != 1) return false;
  if (a.kept == 1) return a.chunks <= 1 && a.x_stride[0] == a.size[1];
  const bool floats = (a.dtype == DType::Float32 || a.dtype == DType::Float64) && a.y_dtype == a.dtype;
  return a.kept == 0 && a.chunks > 1 && floats && adds(a.op) && a.reduced_numel <= kLongest * a.chunks;
}

void ClosingReduction::run_piece(int64_t piece, int64_t begin, int64_t rows, const void* x) {
  Reduce a = args;
  a.x = x;
  a.size[0] = rows;
  if (!to_one()) {
    a.kept_numel = rows;
    a.y = static_cast<char*>(a.y) + begin * a.y_stride[0] * size_of(a.y_dtype);
    return kernel(a);
  }
  a.reduced_numel = rows;
  a.chunks = 1;
  a.scale = 1;
  float single = 0;
  double& sum = partials[(size_t)piece];
  a.y = a.dtype == DType::Float64 ? static_cast<void*>(&sum) : &single;
  kernel(a);
  if (a.dtype != DType::Float64) sum = single;
}

void ClosingReduction::finish() {
  if (!to_one()) return;
  if (args.dtype == DType::Float64)
    add_up<double>(partials, args);
  else
    add_up<float>(partials, args);
}

}  // namespace weft
