#include "plan/compiled.h"

#include <algorithm>

#include "ops/autocast.h"
#include "ops/copy.h"
#include "ops/layout.h"
#include "plan/host_random.h"
#include "plan/reach.h"
#include "tensor/autograd.h"

namespace weft {

namespace {

constexpr size_t kMostInstances = 32;  // of one kind of arguments, for threads that call at once

}  // namespace

Compiled::Compiled(py::object function, py::object warn, bool fullgraph, size_t most)
    : function_(std::move(function)), warn_(std::move(warn)), fullgraph_(fullgraph), most_(most) {}

bool Compiled::Kind::fits(const Tensor& t) const {
  return t.shape() == shape && t.dtype() == dtype && t.device() == device &&
         (t.strides() == strides || (!is_dense(t) && weft::is_contiguous(shape, strides)));
}

std::string Compiled::Kind::text() const { return cat(name_of(dtype), " ", to_string(shape)); }

bool Compiled::matches(const Entry& e, const Surroundings& now, PyObject* args, PyObject* kwargs, TensorList& tensors) {
  tensors.clear();
  if (!(e.surroundings == now) || !e.arguments.matches(args, tensors) || !e.keywords.matches(kwargs, tensors))
    return false;
  for (size_t i = 0; i < tensors.size(); ++i)
    if (!e.kinds[i].fits(tensors[i])) return false;
  return true;
}

py::object Compiled::call(const py::args& args, const py::kwargs& kwargs) {
  if (current_recorder() || tired_) return function_(*args, **kwargs);  // part of another step
  const Surroundings now = Surroundings::now();
  TensorList tensors;
  EntryRef waiting;
  size_t instances = 0;
  for (size_t i = 0; i < entries_.size(); ++i) {
    EntryRef e = entries_[i];
    if (!matches(*e, now, args.ptr(), kwargs.ptr(), tensors)) continue;
    if (!e->plan) return function_(*args, **kwargs);
    if (!e->guards.hold() || !e->plan->fits()) continue;
    ++instances;
    if (e->tape && e->tape->occupied()) continue;
    if (e->tape && !e->tape->broken().empty()) {
      give_up(*e, e->tape->broken());
      return function_(*args, **kwargs);
    }
    std::unique_lock lock(e->plan->busy, std::try_to_lock);
    if (!lock) {
      waiting = e;
      continue;
    }
    if (i)
      std::rotate(entries_.begin(), entries_.begin() + (std::ptrdiff_t)i, entries_.begin() + (std::ptrdiff_t)i + 1);
    return replay(e, tensors);
  }
  if (!waiting && instances >= kMostInstances) return function_(*args, **kwargs);  // each waits for its backward pass
  if (!waiting || (waiting->plan->repeatable() && instances < kMostInstances)) return record(args, kwargs, now);
  std::unique_lock lock(waiting->plan->busy, std::defer_lock);
  {
    WithoutGil free(true);
    lock.lock();
  }
  matches(*waiting, now, args.ptr(), kwargs.ptr(), tensors);
  return replay(waiting, tensors);
}

void Compiled::Entry::attach(const TensorList& all, const TensorList& arguments) const {
  if (!tape) return;
  TensorList ends;
  for (size_t i : taped) ends.push_back(all[i]);
  tape->attach(ends, arguments);
}

py::object Compiled::replay(const EntryRef& e, const TensorList& tensors) {
  unused_ = 0;
  for (size_t i = 0; i < tensors.size(); ++i) e->plan->copy_in(i, tensors[i]);
  e->plan->run();
  TensorList results;
  results.reserve(e->plan->outputs());
  for (size_t i = 0; i < e->plan->outputs(); ++i) results.push_back(e->plan->output(i, tensors));
  e->attach(results, tensors);
  size_t next = 0;
  py::object made = e->results.build(results, next);
  for (auto& [dict, key] : e->slots) PyDict_SetItem(dict.ptr(), key.ptr(), py::cast(results[next++]).ptr());
  return made;
}

py::object Compiled::record(const py::args& args, const py::kwargs& kwargs, const Surroundings& now) {
  auto e = std::make_shared<Entry>();
  e->surroundings = now;
  TensorList given;
  e->arguments = Tree(args, given);
  e->keywords = Tree(kwargs, given);
  e->plan = std::make_shared<Plan>(fullgraph_, !grad_enabled());
  for (const Tensor& t : given) {
    e->plan->add_input(t);
    e->kinds.push_back({t.shape(), e->plan->inputs().back().strides(), t.dtype(), t.device()});
  }
  Reach reach(function_, args, kwargs);
  const HostRandom host_random;

  Plan& plan = *e->plan;
  std::unique_lock lock(plan.busy);
  py::object result;
  {
    WithoutKeptConversions fresh;
    size_t next = 0;
    py::tuple copies = e->arguments.build(plan.inputs(), next);
    py::dict named = e->keywords.build(plan.inputs(), next);
    plan.begin();
    try {
      result = function_(*copies, **named);
    } catch (...) {
      plan.end();
      throw;
    }
    plan.end();
  }
  for (size_t i = 0; i < given.size(); ++i)
    if (plan.inputs()[i].version() != 0) {
      copy_into(given[i], plan.inputs()[i]);
      given[i].bump_version();
    }
  for (size_t i = 0; i < given.size(); ++i)
    if (Tensor grad = plan.inputs()[i].grad(); grad.defined()) run_backward({given[i]}, {grad}, true, false, {}, true);

  TensorList outputs;
  e->results = Tree(result, outputs);
  TensorList ends;  // differentiated outside
  for (size_t i = 0; i < outputs.size(); ++i)
    if (Ref<Node> node = grad_fn_of(outputs[i]); node && !node->released) {
      e->taped.push_back(i);
      ends.push_back(outputs[i]);
    }
  if (reach.too_far()) plan.break_off("it can reach too many objects");
  if (std::string changed = reach.guards().what_changed(); !changed.empty())
    plan.break_off(changed + " is changed by it");
  if (host_random.drawn()) plan.break_off("it draws random numbers of Python or NumPy");
  reach.watch_optimizers();
  e->slots = reach.slots();
  for (auto& [dict, key] : e->slots) outputs.push_back(tensor_of(PyDict_GetItem(dict.ptr(), key.ptr())));
  e->guards = std::move(reach.guards());
  plan.finish(outputs);

  if (plan.broken().empty()) {
    if (!ends.empty()) e->tape = std::make_shared<CompiledTape>(e->plan, std::move(ends));
    TensorList own;
    for (size_t i = 0; i < plan.outputs(); ++i) own.push_back(plan.output(i, given));
    e->attach(own, given);
    size_t next = 0;
    result = e->results.build(own, next);
    for (auto& [dict, key] : e->slots) PyDict_SetItem(dict.ptr(), key.ptr(), py::cast(own[next++]).ptr());
    outputs.clear();
    if (!e->tape && plan.escaped()) {
      py::module_::import("gc").attr("collect")();
      if (plan.escaped()) plan.break_off("a tensor that it makes is kept by something outside of it");
    }
  }
  if (!plan.broken().empty()) {
    std::string reason = plan.broken();
    lock.unlock();
    keep(e);
    give_up(*e, reason);
    return result;
  }
  keep(e);
  return result;
}

void Compiled::give_up(Entry& e, const std::string& reason) {
  e.plan.reset();
  e.tape.reset();
  e.guards = {};
  e.slots.clear();
  e.results = {};
  warn(cat("[compile] runs as it is: ", reason));
}

void Compiled::warn(const std::string& sentence) {
  if (!std::exchange(warned_, true)) warn_(sentence);
}

void Compiled::keep(EntryRef e) {
  entries_.insert(entries_.begin(), std::move(e));
  if (entries_.size() > most_) entries_.pop_back();
  if (++unused_ <= most_) return;
  tired_ = true;
  entries_.clear();
  warn(cat("[compile] runs as it is from now on: ", most_, " recordings in a row were never replayed, because ",
           "arguments, or something that it can reach, change from call to call"));
}

void Compiled::clear() {
  reset();
  function_ = py::none();
}

void Compiled::reset() {
  entries_.clear();
  warned_ = tired_ = false;
  unused_ = 0;
}

py::list Compiled::plans() const {
  py::list all;
  for (const EntryRef& e : entries_) {
    if (!e->plan) continue;
    std::string arguments;
    for (const Kind& kind : e->kinds) arguments += (arguments.empty() ? "" : ", ") + kind.text();
    all.append(py::make_tuple(arguments, e->plan));
  }
  return all;
}

}  // namespace weft
