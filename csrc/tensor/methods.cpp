// Methods that ask or convert, and the raw memory that pickling and sharing need.
#include "tensor/numpy.h"
#include "tensor/python.h"

namespace weft {

void bind_methods(py::module_& m) {
  def_method(
      "size",
      [](const Tensor& t, std::optional<int64_t> dim) -> py::object {
        return dim ? py::object(py::int_(t.size(*dim))) : shape_object(t);
      },
      py::arg("dim") = py::none(), "All sizes, or one.");
  def_method("dim", &Tensor::dim, "Number of dimensions.");
  def_method("ndimension", &Tensor::dim, "Number of dimensions.");
  def_both(m, "numel", [](const Tensor& t) { return t.numel(); }, "Number of elements.");
  def_method("nelement", [](const Tensor& t) { return t.numel(); }, "Number of elements.");
  def_method("element_size", [](const Tensor& t) { return t.itemsize(); }, "Bytes per element.");
  def_method(
      "stride",
      [](const Tensor& t, std::optional<int64_t> dim) -> py::object {
        return dim ? py::object(py::int_(t.strides()[wrap_dim("stride", *dim, t.dim())])) : py::cast(t.strides());
      },
      py::arg("dim") = py::none(), "Steps between neighbours, in elements.");
  def_method("storage_offset", [](const Tensor& t) { return t.get()->offset; }, "First element's place in its buffer.");
  def_method("is_floating_point", [](const Tensor& t) { return is_floating(t.dtype()); });
  m.def("is_floating_point", [](const Tensor& t) { return is_floating(t.dtype()); }, py::arg("input"));
  m.def("is_tensor", [](py::handle o) { return is_tensor(o.ptr()); }, py::arg("obj"));
  def_method(
      "data_ptr",
      [](const Tensor& t) {
        t.get()->storage->exposed = true;
        return reinterpret_cast<uintptr_t>(t.data());
      },
      "Address of the first element.");
  def_method(
      "item",
      [](const Tensor& t) -> py::object {
        if (is_floating(t.dtype())) return py::float_(t.item());
        int64_t v = t.item_int();
        return t.dtype() == DType::Bool ? py::object(py::bool_(v != 0)) : py::object(py::int_(v));
      },
      "The only element as a Python number. RuntimeError if there are more.");
  def_method(
      "tolist", [](const Tensor& t) { return numpy_from(t, true).attr("tolist")(); },
      "Nested lists of Python numbers.");
  def_method(
      "__array__",
      [](const Tensor& t, py::object dtype, std::optional<bool> copy) {
        py::object a = numpy_from(t, false);
        if (copy == true) return a.attr("astype")(dtype.is_none() ? a.attr("dtype") : dtype);
        py::object b = dtype.is_none() ? a : a.attr("astype")(dtype, py::arg("copy") = false);
        WEFT_CHECK(copy != false || b.is(a), Value, "[__array__] dtype ", std::string(py::str(dtype)),
                   " needs a copy of a tensor of ", name_of(t.dtype()));
        return b;
      },
      py::arg("dtype") = py::none(), py::arg("copy") = py::none());
  def_method(
      "__array_wrap__",
      [](const Tensor&, py::object array, py::object, bool) -> py::object {
        if (!dtype_from_numpy(array.attr("dtype"))) return array;
        return py::cast(tensor_from_python(array, std::nullopt, DType::Float32, false));
      },
      py::arg("array"), py::arg("context") = py::none(), py::arg("return_scalar") = false,
      "What a NumPy function makes of its result when an argument was a tensor.");
  tensor_class().attr("__array_priority__") = 1000;  // NumPy leaves `array + tensor` to us
  def_both(m, "detach", &Tensor::detach, "The same memory, off the tape.");
  def_method(
      "requires_grad_",
      [](py::object self, bool on) {
        tensor_of(self.ptr()).set_requires_grad(on);
        return self;
      },
      py::arg("requires_grad") = true, "Sets requires_grad in place.");
  m.def("_storage_id", [](const Tensor& t) { return reinterpret_cast<uintptr_t>(t.get()->storage.get()); });
  m.def(
      "_storage",
      [](const Tensor& t) {
        Tensor bytes = t.detach();
        TensorImpl* impl = bytes.get();
        impl->dtype = DType::UInt8;
        impl->offset = 0;
        impl->shape = {(int64_t)impl->storage->bytes};
        impl->strides = {1};
        return bytes;
      },
      "All bytes of the memory that a tensor looks into, as a vector.");
  m.def(
      "_over_storage",
      [](const Tensor& bytes, DType dtype, const Dims& shape, const Dims& strides, int64_t offset) {
        int64_t end = offset + 1;
        for (int d = 0; d < shape.n; ++d) end += (shape[d] - 1) * strides[d];
        WEFT_CHECK(numel_of(shape) == 0 || (offset >= 0 && end * size_of(dtype) <= bytes.numel()), Value,
                   "a tensor of shape ", to_string(shape), " reaches beyond its memory");
        Tensor t = bytes.detach();
        t.get()->dtype = dtype;
        t.get()->shape = shape;
        t.get()->strides = strides;
        t.get()->offset = offset;
        return t;
      },
      "A tensor in such a vector.");
  m.def(
      "_make_subclass",
      [](py::handle cls, const Tensor& t, bool requires_grad) {
        Tensor view = t.detach();
        view.set_requires_grad(requires_grad);
        return py::reinterpret_steal<py::object>(wrap_as(reinterpret_cast<PyTypeObject*>(cls.ptr()), view));
      },
      py::arg("cls"), py::arg("data"), py::arg("requires_grad"),
      "An object of a Tensor subclass over the same memory.");
}

}  // namespace weft
