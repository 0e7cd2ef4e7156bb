// What every operation of a kind takes besides its own arguments: tensors for the results, NumPy's names of arguments.
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

namespace {

// What is last asked, when no overload fits. `out` where results may be given a place.
template <class Def>
void add_fallback(const char* name, py::handle f, bool with_out, const Def& def) {
  auto call = [name, f, with_out](const py::args& args, const py::kwargs& kwargs) {
    py::dict rest(kwargs.attr("copy")());
    bool changed = false;
    for (auto [theirs, ours] : {std::pair{"axis", "dim"}, {"keepdims", "keepdim"}})
      if (rest.contains(theirs)) {
        rest[ours] = rest.attr("pop")(theirs);
        changed = true;
      }
    py::object out = py::none();
    if (with_out && rest.contains("out")) {
      out = rest.attr("pop")("out");
      changed = true;
    }
    if (!changed) throw py::reference_cast_error();  // none of the overloads
    py::object result = f(*args, **rest);
    if (out.is_none()) return result;
    write_into(name, out, result);
    return out;
  };
  def(call, with_out ? "The same with NumPy's names axis and keepdims, and into `out`."
                     : "The same with NumPy's names axis and keepdims.");
}

}  // namespace

void def_out_and_axis(py::module_& m, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    // An overload does not outlive the function that it belongs to.
    add_fallback(name, py::object(m.attr(name)), true, [&](auto f, const char* doc) { m.def(name, f, doc); });
    if (py::hasattr(tensor_class(), name))
      add_fallback(name, py::object(tensor_class().attr(name)), false,
                   [&](auto f, const char* doc) { def_method(name, f, doc); });
  }
}

}  // namespace weft
