// New tensors, and tensors from and to NumPy.
#include <pybind11/numpy.h>

#include <cmath>

#include "ops/copy.h"
#include "ops/pointwise_launch.h"
#include "tensor/numpy.h"
#include "tensor/python.h"

namespace weft {

namespace {

DType dtype_or(const std::optional<DType>& dtype, DType otherwise) { return dtype ? *dtype : otherwise; }

DType category_of(py::handle value) {
  if (PyBool_Check(value.ptr())) return DType::Bool;
  if (PyLong_Check(value.ptr())) return DType::Int64;
  return default_dtype;
}

void fill_with(const Tensor& t, py::handle value) {
  if (PyLong_Check(value.ptr()) && !is_floating(t.dtype()))
    fill_raw_int(t, value.cast<int64_t>());
  else
    fill_raw(t, value.cast<double>());
}

// A table of the host's as somebody's own tensor.
Tensor given_out(const Tensor& table, DType dtype, Device device) {
  Tensor t = to(to(table, device), dtype);
  return t.get()->storage->table ? clone(t) : t;
}

Tensor finish(Tensor t, bool requires_grad) {
  if (requires_grad) t.set_requires_grad(true);
  return t;
}

// A number, or a tensor of one element, as a Python number.
py::object number_of(const py::object& o) { return is_tensor(o.ptr()) ? o.attr("item")() : o; }

// The number of elements of a range; `step` leads from a towards b.
template <class T>
void check_range(T a, T b, T step) {
  WEFT_CHECK(step != 0, Runtime, "[arange] step must not be zero");
  WEFT_CHECK(step > 0 ? b >= a : b <= a, Runtime, "[arange] the sign of step ", step, " does not lead from ", a, " to ",
             b);
}

Tensor integer_range(int64_t first, int64_t end, int64_t by) {
  check_range(first, end, by);
  uint64_t span = by > 0 ? (uint64_t)end - (uint64_t)first : (uint64_t)first - (uint64_t)end;
  uint64_t step = by > 0 ? (uint64_t)by : 0 - (uint64_t)by, count = span / step + (span % step != 0);
  WEFT_CHECK(count < (uint64_t)1 << 62, Value, "[arange] ", count, " elements are too many");
  Tensor t = Tensor::table({(int64_t)count}, DType::Int64);
  for (int64_t i = 0; i < t.numel(); ++i) t.ptr<int64_t>()[i] = first + i * by;
  return t;
}

// `whole`: for an integer dtype, which counts in whole steps.
Tensor floating_range(double first, double end, double by, bool whole) {
  WEFT_CHECK(std::isfinite(first) && std::isfinite(end) && std::isfinite(by), Runtime,
             "[arange] bounds must be finite, got ", first, " to ", end, " by ", by);
  check_range(first, end, by);
  double count = std::ceil((end - first) / by);
  WEFT_CHECK(count < 4e18, Value, "[arange] ", count, " elements are too many");
  Tensor t = Tensor::table({(int64_t)count}, DType::Float64);
  if (whole) first = std::trunc(first), by = std::trunc(by);
  for (int64_t i = 0; i < t.numel(); ++i) t.ptr<double>()[i] = first + (double)i * by;
  return t;
}

Tensor arange(py::object start, py::object end, py::object step, std::optional<DType> dtype, Device device,
              bool requires_grad) {
  if (end.is_none()) {
    end = start;
    start = py::int_(0);
  }
  start = number_of(start), end = number_of(end), step = number_of(step);
  bool integers = PyLong_Check(start.ptr()) && PyLong_Check(end.ptr()) && PyLong_Check(step.ptr());
  DType d = dtype_or(dtype, integers ? DType::Int64 : default_dtype);
  auto whole = [](const py::object& o) {
    WEFT_CHECK(!PyFloat_Check(o.ptr()) || std::isfinite(o.cast<double>()), Value,
               "[arange] bounds must be finite, got ", o.cast<double>());
    return py::int_(o).cast<int64_t>();
  };
  Tensor t = integers || d == DType::Int64
                 ? integer_range(whole(start), whole(end), whole(step))
                 : floating_range(start.cast<double>(), end.cast<double>(), step.cast<double>(), !is_floating(d));
  return finish(given_out(t, d, device), requires_grad);
}

Tensor linspace(double a, double b, int64_t steps, std::optional<DType> dtype, Device device, bool requires_grad) {
  WEFT_CHECK(steps >= 0, Runtime, "[linspace] steps must not be negative, got ", steps);
  DType d = dtype_or(dtype, default_dtype);
  if (!is_floating(d)) a = std::trunc(a), b = std::trunc(b);
  Tensor t = Tensor::table({steps}, DType::Float64);
  double by = steps > 1 ? (b - a) / (double)(steps - 1) : 0;
  for (int64_t i = 0; i < steps; ++i)  // from both ends, so that the last is exactly b
    t.ptr<double>()[i] = i < steps / 2 ? a + by * (double)i : b - by * (double)(steps - 1 - i);
  if (steps == 1) t.ptr<double>()[0] = a;
  return finish(given_out(t, d, device), requires_grad);
}

Tensor eye(int64_t n, std::optional<int64_t> m, std::optional<DType> dtype, Device device, bool requires_grad) {
  int64_t cols = m.value_or(n);
  WEFT_CHECK(n >= 0 && cols >= 0, Runtime, "[eye] sizes must not be negative, got ", n, " and ", cols);
  Tensor t = Tensor::zeros({n, cols}, dtype_or(dtype, default_dtype), device);
  int64_t k = std::min(n, cols);
  if (k > 0) fill_raw(t.as_view({k}, {cols + 1}, 0), 1);
  return finish(t, requires_grad);
}

Tensor tensor_from(py::object data, std::optional<DType> dtype, std::optional<Device> device, bool requires_grad,
                   bool copy) {
  if (is_tensor(data.ptr())) {
    Tensor t = tensor_of(data.ptr());
    Tensor y = dtype ? to(t, *dtype) : t;
    y = device ? to(y, *device) : y;
    if (!copy) return y;
    y = clone(y.detach());
    return finish(y, requires_grad);
  }
  Tensor t = tensor_from_python(data, dtype, default_dtype, copy);
  if (device) t = to(t, *device);
  return finish(t, requires_grad);
}

void def_filled(py::module_& m, const char* name, std::optional<double> value) {
  auto make = [value](const Dims& shape, DType dtype, Device device, bool requires_grad) {
    for (int64_t s : shape) WEFT_CHECK(s >= 0, Runtime, "a size must not be negative, got ", to_string(shape));
    return finish(value ? Tensor::full(shape, *value, dtype, device) : Tensor::empty(shape, dtype, device),
                  requires_grad);
  };
  m.def(
      name,
      [make](py::args shape, std::optional<DType> dtype, std::optional<Device> device, bool requires_grad) {
        return make(sizes_from(shape), dtype_or(dtype, default_dtype), device.value_or(Device{}), requires_grad);
      },
      py::kw_only(), py::arg("dtype") = py::none(), py::arg("device") = py::none(), py::arg("requires_grad") = false,
      "A new tensor; sizes as ints or as one sequence. dtype float32 unless given.");
  m.def((std::string(name) + "_like").c_str(),
        [make](const Tensor& like, std::optional<DType> dtype, std::optional<Device> device, bool requires_grad) {
          return make(like.shape(), dtype_or(dtype, like.dtype()), device.value_or(like.device()), requires_grad);
        },
        py::arg("input"), py::kw_only(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
        py::arg("requires_grad") = false, "A new tensor with the shape, dtype and device of another, unless given.");
  def_method(
      (std::string("new_") + name).c_str(),
      [make](const Tensor& self, py::args shape, std::optional<DType> dtype, std::optional<Device> device,
             bool requires_grad) {
        return make(sizes_from(shape), dtype_or(dtype, self.dtype()), device.value_or(self.device()), requires_grad);
      },
      py::kw_only(), py::arg("dtype") = py::none(), py::arg("device") = py::none(), py::arg("requires_grad") = false);
}

}  // namespace

void bind_creation(py::module_& m) {
  def_filled(m, "zeros", 0.0);
  def_filled(m, "ones", 1.0);
  def_filled(m, "empty", std::nullopt);

  m.def(
      "full",
      [](const Dims& shape, py::object value, std::optional<DType> dtype, std::optional<Device> device,
         bool requires_grad) {
        value = number_of(value);
        Tensor t = Tensor::empty(shape, dtype_or(dtype, category_of(value)), device.value_or(Device{}));
        fill_with(t, value);
        return finish(t, requires_grad);
      },
      py::arg("size"), py::arg("fill_value"), py::kw_only(), py::arg("dtype") = py::none(),
      py::arg("device") = py::none(), py::arg("requires_grad") = false, "A tensor filled with one value.");
  m.def(
      "full_like",
      [](const Tensor& like, py::object value, std::optional<DType> dtype, std::optional<Device> device,
         bool requires_grad) {
        Tensor t = Tensor::empty(like.shape(), dtype_or(dtype, like.dtype()), device.value_or(like.device()));
        fill_with(t, number_of(value));
        return finish(t, requires_grad);
      },
      py::arg("input"), py::arg("fill_value"), py::kw_only(), py::arg("dtype") = py::none(),
      py::arg("device") = py::none(), py::arg("requires_grad") = false,
      "A tensor filled with one value, with the shape, dtype and device of another, unless given.");

  m.def(
      "arange",
      [](py::object start, py::object end, py::object step, std::optional<DType> dtype, std::optional<Device> device,
         bool requires_grad) { return arange(start, end, step, dtype, device.value_or(Device{}), requires_grad); },
      py::arg("start") = 0, py::arg("end") = py::none(), py::arg("step") = 1, py::kw_only(),
      py::arg("dtype") = py::none(), py::arg("device") = py::none(), py::arg("requires_grad") = false,
      "Values from start (0) up to, not including, end. int64 if all arguments are ints, else float32.");
  m.def(
      "linspace",
      [](double start, double end, int64_t steps, std::optional<DType> dtype, std::optional<Device> device,
         bool requires_grad) { return linspace(start, end, steps, dtype, device.value_or(Device{}), requires_grad); },
      py::arg("start"), py::arg("end"), py::arg("steps"), py::kw_only(), py::arg("dtype") = py::none(),
      py::arg("device") = py::none(), py::arg("requires_grad") = false,
      "`steps` values from start to end, both included.");
  m.def(
      "eye",
      [](int64_t n, std::optional<int64_t> cols, std::optional<DType> dtype, std::optional<Device> device,
         bool requires_grad) { return eye(n, cols, dtype, device.value_or(Device{}), requires_grad); },
      py::arg("n"), py::arg("m") = py::none(), py::kw_only(), py::arg("dtype") = py::none(),
      py::arg("device") = py::none(), py::arg("requires_grad") = false, "Ones on the diagonal of an n x m matrix.");

  m.def(
      "tensor",
      [](py::object data, std::optional<DType> dtype, std::optional<Device> device, bool requires_grad) {
        return tensor_from(data, dtype, device, requires_grad, true);
      },
      py::arg("data"), py::kw_only(), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
      py::arg("requires_grad") = false,
      "A new tensor from numbers, nested sequences or an array; always a copy. Python floats become float32.");
  m.def(
      "as_tensor",
      [](py::object data, std::optional<DType> dtype, std::optional<Device> device) {
        return tensor_from(data, dtype, device, false, false);
      },
      py::arg("data"), py::arg("dtype") = py::none(), py::arg("device") = py::none(),
      "As tensor(), but shares memory with a NumPy array or tensor where nothing has to change.");
  m.def(
      "from_numpy",
      [](py::object array) {
        WEFT_CHECK(py::isinstance<py::array>(array), Type, "[from_numpy] expected a NumPy array, got ",
                   std::string(py::str(py::type::handle_of(array).attr("__name__"))));
        return tensor_from_python(array, std::nullopt, default_dtype, false);
      },
      py::arg("ndarray"),
      "A tensor over the array's own memory (a copy if its strides are negative or its bytes swapped).");
  def_method(
      "numpy", [](const Tensor& x, bool force) { return numpy_from(x, force); }, py::kw_only(),
      py::arg("force") = false,
      "A NumPy array over the same memory. TypeError for bfloat16 or a GPU tensor and RuntimeError for one that "
      "requires grad, unless force=True, which detaches and copies (bfloat16 as float32).");

  m.def(
      "result_type",
      [](const Operand& a, const Operand& b) {
        Arg args[] = {a, b};
        return result_type(args, 2);
      },
      py::arg("tensor1"), py::arg("tensor2"), "The dtype of an arithmetic result of two tensors or numbers.");
  m.def("get_default_dtype", [] { return default_dtype; });
  m.def(
      "set_default_dtype",
      [](DType d) {
        WEFT_CHECK(is_floating(d), Type, "[set_default_dtype] expected a floating dtype, got ", name_of(d));
        default_dtype = d;
      },
      py::arg("d"));
}

}  // namespace weft
