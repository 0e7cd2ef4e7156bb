// Pieces of the Python type of Tensor.
#pragma once

#include <vector>

#include "tensor/python.h"

namespace weft {

// Calls f; an exception becomes Python's, and the result what Python's slots return then: nullptr or -1.
template <class F>
auto guarded(F&& f) -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    py::detail::try_translate_exceptions();
    if constexpr (std::is_pointer_v<decltype(f())>)
      return nullptr;
    else
      return -1;
  }
}

template <class F>
void* slot(F* f) {
  return reinterpret_cast<void*>(f);
}

// Operators, comparison and conversion to Python's numbers.
std::vector<PyType_Slot> number_slots();

}  // namespace weft
