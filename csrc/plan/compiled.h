// A function whose calls are recorded once for each kind of arguments, and replayed from then on.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "plan/guards.h"
#include "plan/plan.h"
#include "plan/tape.h"
#include "plan/tree.h"

namespace weft {

class Compiled {
 public:
  // warn(sentence) is called at most once. `most` recordings are kept, and after so many in a row that were never
  // replayed there are no more.
  Compiled(py::object function, py::object warn, bool fullgraph, size_t most);

  py::object call(const py::args& args, const py::kwargs& kwargs);
  void reset();
  void clear();  // lets go of everything
  template <class F>
  void visit(F f) const {  // every Python object that may lead back to this one
    f(function_);
    for (const EntryRef& e : entries_) {
      e->arguments.visit(f);
      e->keywords.visit(f);
      e->results.visit(f);
      e->guards.visit(f);
    }
  }
  py::list plans() const;  // of those in use: [(arguments, Plan)], the last one used first

 private:
  struct Kind {
    Dims shape, strides;
    DType dtype;
    Device device;
    bool fits(const Tensor& t) const;
    std::string text() const;
  };
  struct Entry {
    Surroundings surroundings;
    Tree arguments, keywords, results;
    std::vector<Kind> kinds;
    Guards guards;
    std::shared_ptr<Plan> plan;                            // null: it cannot be replayed
    std::shared_ptr<CompiledTape> tape;                    // where results are differentiated outside
    std::vector<size_t> taped;                             // which results
    std::vector<std::pair<py::object, py::object>> slots;  // (dict, key): each call puts a tensor there
    void attach(const TensorList& results, const TensorList& arguments) const;
  };
  using EntryRef = std::shared_ptr<Entry>;

  static bool matches(const Entry& e, const Surroundings& now, PyObject* args, PyObject* kwargs, TensorList& tensors);
  py::object record(const py::args& args, const py::kwargs& kwargs, const Surroundings& now);
  py::object replay(const EntryRef& e, const TensorList& tensors);
  void keep(EntryRef e);
  void give_up(Entry& e, const std::string& reason);
  void warn(const std::string& sentence);

  py::object function_, warn_;
  bool fullgraph_, warned_ = false, tired_ = false;
  size_t most_, unused_ = 0;       // recordings since the last replay
  std::vector<EntryRef> entries_;  // the last one used first
};

}  // namespace weft
