// Places in sorted sequences.
#include "kernels/search.h"

#include "ops/copy.h"
#include "ops/reduce.h"
#include "tensor/launch.h"
#include "tensor/python.h"

namespace weft {
namespace {

// `shared`: one sequence for all values; else one for each row of them.
Tensor search(const char* op, const Tensor& sequence, const Tensor& values, const Tensor& sorter, bool shared,
              bool right, bool out_int32) {
  WEFT_CHECK(sequence.dtype() == values.dtype(), Runtime, "[", op, "] expected values of the sequence's dtype ",
             name_of(sequence.dtype()), ", got ", name_of(values.dtype()));
  WEFT_CHECK(sequence.device() == values.device(), Runtime, "[", op, "] expected values on ",
             to_string(sequence.device()), ", got ", to_string(values.device()));
  GradMode off(false);
  Tensor s = contiguous(sequence), x = contiguous(values), order = sorter.defined() ? contiguous(sorter) : sorter;
  Tensor y = Tensor::empty(x.shape(), DType::Int64, x.device());
  int64_t cols = s.shape().back(), count = shared ? x.numel() : x.shape().back();
  if (y.numel() > 0)
    launch(op, x.device(), kernels<SearchKernels>(x.device()).search,
           Search{y.ptr<int64_t>(), s.data(), order.defined() ? order.ptr<int64_t>() : nullptr, x.data(),
                  y.numel() / count, cols, count, x.dtype(), shared, right},
           (double)y.numel() * 32);
  return out_int32 ? to(y, DType::Int32) : y;
}

void check_sorter(const Tensor& sequence, const Tensor& sorter) {
  WEFT_CHECK(sorter.dtype() == DType::Int64, Runtime, "[searchsorted] expected a sorter of int64, got ",
             name_of(sorter.dtype()));
  WEFT_CHECK(sorter.shape() == sequence.shape(), Runtime, "[searchsorted] expected a sorter of the sequence's shape ",
             to_string(sequence.shape()), ", got ", to_string(sorter.shape()));
  WEFT_CHECK(sorter.device() == sequence.device(), Runtime, "[searchsorted] expected the sorter on ",
             to_string(sequence.device()), ", got ", to_string(sorter.device()));
  if (sorter.numel() == 0) return;
  at_each_run({sorter}, [n = sequence.shape().back()](const TensorList& t) {
    int64_t low = amin(t[0]).item_int(), high = amax(t[0]).item_int();
    WEFT_CHECK(low >= 0 && high < n, Runtime, "[searchsorted] expected a sorter of indices between 0 and ", n - 1,
               ", got ", low < 0 ? low : high);
  });
}

Tensor values_of(const Operand& x, const Tensor& sequence) {
  return x.is_number() ? Tensor::full({}, x.number, sequence.dtype(), sequence.device()) : x.tensor;
}

Tensor searchsorted(const Tensor& sequence, const Operand& input, bool out_int32, bool right,
                    const std::optional<std::string>& side, const std::optional<Tensor>& sorter) {
  WEFT_CHECK(!side || *side == "left" || *side == "right", Value,
             "[searchsorted] expected side 'left' or 'right', got '", *side, "'");
  WEFT_CHECK(!side || !right || *side == "right", Value, "[searchsorted] right=True contradicts side='left'");
  WEFT_CHECK(sequence.dim() > 0, Runtime, "[searchsorted] expected a sequence of at least one dimension");
  Tensor x = values_of(input, sequence);
  bool shared = sequence.dim() == 1;
  Dims rows = sequence.shape(), of_values = x.shape();
  if (!shared) {
    WEFT_CHECK(rows.n == of_values.n, Runtime, "[searchsorted] expected values of ", rows.n,
               " dimensions, as the sequence, got ", to_string(of_values));
    rows[rows.n - 1] = of_values[rows.n - 1];
    WEFT_CHECK(rows == of_values, Runtime, "[searchsorted] expected values whose dimensions but the last are those of ",
               to_string(sequence.shape()), ", got ", to_string(of_values));
  }
  if (sorter) check_sorter(sequence, *sorter);
  return search("searchsorted", sequence, x, sorter.value_or(Tensor()), shared, right || (side && *side == "right"),
                out_int32);
}

Tensor bucketize(const Operand& input, const Tensor& boundaries, bool out_int32, bool right) {
  WEFT_CHECK(boundaries.dim() == 1, Runtime, "[bucketize] expected boundaries of one dimension, got ",
             to_string(boundaries.shape()));
  return search("bucketize", boundaries, values_of(input, boundaries), {}, true, right, out_int32);
}

}  // namespace

void bind_search(py::module_& m) {
  py::arg_v out_int32("out_int32", false), right("right", false);
  m.def("searchsorted", searchsorted, py::arg("sorted_sequence"), py::arg("input"), py::kw_only(), out_int32, right,
        py::arg("side") = py::none(), py::arg("sorter") = py::none(),
        "Where values belong in the sorted last dimension: before equal elements, or after them with right=True.");
  m.def(
      "bucketize", bucketize, py::arg("input"), py::arg("boundaries"), py::kw_only(), out_int32, right,
      "The bucket of each value between sorted boundaries [n]: 0 to n. A boundary belongs to the bucket below it, or\n"
      "with right=True above it.");
  def_out_and_axis(m, {"searchsorted", "bucketize"});
}

}  // namespace weft
