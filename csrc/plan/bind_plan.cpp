// weft.compile as Python sees it.
#include <algorithm>

#include "plan/compiled.h"
#include "tensor/hooks.h"

namespace weft {

namespace {

// A step usually closes over the object that it is an attribute of.
void collect_garbage_of(PyTypeObject& type) {
  type.tp_flags |= Py_TPFLAGS_HAVE_GC;
  type.tp_traverse = [](PyObject* self, visitproc visit, void* arg) -> int {
    Py_VISIT(Py_TYPE(self));
    if (!py::detail::is_holder_constructed(self)) return 0;
    int result = 0;
    py::cast<Compiled&>(py::handle(self)).visit([&](const py::object& o) {
      if (o && !result) result = visit(o.ptr(), arg);
    });
    return result;
  };
  type.tp_clear = [](PyObject* self) -> int {
    if (py::detail::is_holder_constructed(self)) py::cast<Compiled&>(py::handle(self)).clear();
    return 0;
  };
}

}  // namespace

void bind_plan(py::module_& m) {
  py::class_<Plan, std::shared_ptr<Plan>>(m, "_Plan", "A recorded step: its launches and its memory.")
      .def_property_readonly("nbytes", &Plan::bytes,
                             "Bytes of the step's own memory, copies of its arguments included.")
      .def_property_readonly("peak", &Plan::peak, "The most bytes of it that are in use at once, arguments aside.")
      .def_property_readonly("outside", &Plan::weights, "Bytes of other memory that it reads and writes: weights …")
      .def("__len__", &Plan::launches)
      .def("_lines",
           [](const Plan& plan) {
             py::list all;
             for (const Plan::Line& l : plan.lines())
               all.append(py::make_tuple(l.name, to_string(l.device), l.work, l.graph));
             return all;
           })
      .def("_times", [](Plan& plan) {
        std::lock_guard lock(plan.busy);
        std::vector<double> seconds;
        plan.run(&seconds);
        return seconds;
      });

  py::class_<Compiled>(m, "_Compiled", "A function that is recorded and replayed. Made by weft.compile.",
                       py::custom_type_setup([](PyHeapTypeObject* heap) { collect_garbage_of(heap->ht_type); }))
      .def(py::init<py::object, py::object, bool, size_t>(), py::arg("function"), py::arg("warn"), py::arg("fullgraph"),
           py::arg("most"))
      .def("__call__", &Compiled::call)
      .def("reset", &Compiled::reset, "Forgets all recordings.")
      .def("_plans", &Compiled::plans, "[(arguments, Plan)] of the recordings, the last one used first.");

  m.def("_recording", [] { return current_recorder() != nullptr; }, "Whether a step is being recorded on this thread.");
  m.def(
      "_not_replayable",
      [](const std::string& reason) {
        if (Plan* plan = dynamic_cast<Plan*>(current_recorder())) plan->break_off(reason);
      },
      py::arg("reason"));
  m.def(
      "_now_and_at_replay",
      [](py::object deed) {
        now_and_at_replay([deed = shared_callable(std::move(deed))] {
          py::gil_scoped_acquire gil;
          (*deed)();
        });
      },
      py::arg("deed"), "Calls deed() now, unrecorded, and at this place of each replay of the step being recorded.");
}

}  // namespace weft
