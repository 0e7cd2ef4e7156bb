#include "plan/plan.h"

#include <cstring>

#include "base/generator.h"
#include "ops/copy.h"
#include "tensor/autograd.h"
#include "tensor/python.h"

namespace weft {

namespace {

struct Recording {  // makes `plan` this thread's recorder for as long as it lives
  explicit Recording(Recorder* plan) {
    WEFT_CHECK(!current_recorder(), Runtime, "[plan] a recording is already under way on this thread");
    current_recorder() = plan;
    ++active_recorders;
  }
  ~Recording() {
    current_recorder() = nullptr;
    --active_recorders;
  }
};

std::string kind_of(const Tensor& t) {
  return cat(name_of(t.dtype()), " ", to_string(t.shape()), " on ", to_string(t.device()));
}

}  // namespace

Plan::Plan(const TensorList& inputs, const Step& step) {
  for (const Tensor& t : inputs) {
    inputs_.push_back(clone(t.detach()));
    used(*inputs_.back().get()->storage);
  }
  uint64_t random_before = default_generator().position();
  GradMode off(false);
  Recording recording(this);
  for (const Tensor& y : step(inputs_)) {
    used(*y.get()->storage);
    outputs_.push_back(y.detach());
  }
  WEFT_CHECK(default_generator().position() == random_before, Runtime,
             "[plan] the step draws random numbers, which a replay would repeat; use eval() or leave it eager");
}

void Plan::launched(const char* name, Device device, void (*kernel)(const void*), const void* args, size_t bytes) {
  size_t at = arguments_.size();
  arguments_.resize(at + (bytes + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
  memcpy(&arguments_[at], args, bytes);
  launches_.push_back({name, device, kernel, at});
}

void Plan::used(Storage& storage) {
  if (known_.insert(&storage).second) memory_.push_back(Ref<Storage>(&storage));
}

void Plan::read_by_host(const char* what) {
  fail(ErrorKind::Runtime, cat("[plan] ", what,
                               " reads a value on the host while a step is being recorded: a replay "
                               "could not follow it; move it out of the step"));
}

TensorList Plan::replay(const TensorList& inputs) {
  WEFT_CHECK(inputs.size() == inputs_.size(), Type, "[plan] recorded with ", inputs_.size(), " inputs, got ",
             inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i)
    WEFT_CHECK(inputs[i].shape() == inputs_[i].shape() && inputs[i].dtype() == inputs_[i].dtype() &&
                   inputs[i].device() == inputs_[i].device(),
               Value, "[plan] input ", i, " was recorded as ", kind_of(inputs_[i]), ", got ", kind_of(inputs[i]),
               "; record another plan for it");
  for (const auto& s : memory_) s->attached.reset();  // the launches may write to it, and no version tells
  GradMode off(false);
  WithoutGil free(true);
  std::lock_guard lock(mutex_);
  for (size_t i = 0; i < inputs.size(); ++i) copy_into(inputs_[i], inputs[i].detach());
  for (const Launch& l : launches_) {
    before_launch(l.name, l.device, true);
    {
      FlushDenormals flush;
      l.kernel(&arguments_[l.args]);
    }
    after_launch(l.name, l.device);
  }
  TensorList results;
  for (const Tensor& y : outputs_) results.push_back(clone(y));
  return results;
}

int64_t Plan::bytes() const {
  int64_t sum = 0;
  for (const auto& s : memory_) sum += (int64_t)s->bytes;
  return sum;
}

std::string Plan::describe() const {
  std::string text;
  for (size_t i = 0; i < launches_.size(); ++i)
    text += cat(i, "\t", launches_[i].name, "\t", to_string(launches_[i].device), "\n");
  return text + cat(launches_.size(), " launches, ", memory_.size(), " buffers, ", bytes(), " bytes");
}

void bind_plan(py::module_& m) {
  py::class_<Plan>(m, "Plan", "A recorded step. Made by weft.plan.record.")
      .def(py::init([](py::object step, const TensorList& inputs) {
             return std::make_unique<Plan>(inputs, [&](const TensorList& copies) {
               py::list args;
               for (const Tensor& t : copies) args.append(py::cast(t));
               return step(*args).cast<TensorList>();
             });
           }),
           py::arg("step"), py::arg("inputs"))
      .def("replay", &Plan::replay, py::arg("inputs"), "Copies the inputs in, replays, returns the outputs as a list.")
      .def("describe", &Plan::describe, "The launches and the memory, as text.")
      .def_property_readonly("nbytes", &Plan::bytes, "Bytes of all memory that the plan keeps, weights included.")
      .def("__len__", &Plan::launches);
}

}  // namespace weft
