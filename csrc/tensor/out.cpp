// Results written into tensors that the caller brings.
#include "ops/copy.h"
#include "tensor/python.h"

namespace weft {
namespace {

int rank_of(DType t) { return is_floating(t) ? 2 : t == DType::Bool ? 0 : 1; }

void write_into(const char* op, const py::handle& out, const py::handle& result) {
  if (!is_tensor(result.ptr())) {
    auto outs = py::cast<py::sequence>(out), results = py::cast<py::sequence>(result);
    WEFT_CHECK(outs.size() == results.size(), Value, "[", op, "] expected out= of ", results.size(), " tensors, got ",
               outs.size());
    for (size_t i = 0; i < results.size(); ++i) write_into(op, outs[i], results[i]);
    return;
  }
  WEFT_CHECK(is_tensor(out.ptr()), Type, "[", op, "] expected out= to be a tensor");
  const Tensor &to = tensor_of(out.ptr()), &from = tensor_of(result.ptr());
  WEFT_CHECK(!needs_grad(from, to), Runtime, "[", op, "] out= writes past the tape, and an operand requires grad");
  WEFT_CHECK(to.shape() == from.shape(), Value, "[", op, "] expected out= of shape ", to_string(from.shape()), ", got ",
             to_string(to.shape()));
  WEFT_CHECK(rank_of(to.dtype()) >= rank_of(from.dtype()), Runtime, "[", op, "] a result of ", name_of(from.dtype()),
             " does not fit into out= of ", name_of(to.dtype()));
  InPlace change(op, to);
  copy_into(to, from);
  change.done();
}

}  // namespace

py::object named_tuple(const char* name, std::initializer_list<const char*> fields) {
  py::list names;
  for (const char* field : fields) names.append(field);
  return py::module_::import("collections").attr("namedtuple")(name, names, py::arg("module") = "weft");
}

void def_out(py::module_& m, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    py::handle f = m.attr(name);  // an overload does not outlive the function that it belongs to
    m.def(
        name,
        [name, f](const py::args& args, const py::kwargs& kwargs) {
          if (!kwargs.contains("out")) throw py::reference_cast_error();  // none of the overloads
          py::object out = kwargs["out"];
          py::dict rest(kwargs.attr("copy")());
          rest.attr("pop")("out");
          py::object result = f(*args, **rest);
          if (out.is_none()) return result;
          write_into(name, out, result);
          return out;
        },
        "The same into `out`.");
  }
}

}  // namespace weft
